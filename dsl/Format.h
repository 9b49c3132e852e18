// Canonical layout of a file, for `vernier fmt`. Spaces, indentation and blank lines are decided here; where
// a statement breaks within is the author's choice, unless a line is too long. Comments stay where they are.
// Formatting a formatted file changes nothing.
#ifndef VERNIER_DSL_FORMAT_H
#define VERNIER_DSL_FORMAT_H

#include "dsl/Diagnostics.h"

#include <optional>
#include <string>

namespace vernier::dsl {

constexpr size_t formatWidth = 110;

// Nothing where the file has syntax errors, which are reported.
std::optional<std::string> format(const SourceSet &sources, int file, Diagnostics &diagnostics);

} // namespace vernier::dsl

#endif
