// Warnings of what a file names and nothing reads.
#ifndef VERNIER_DSL_UNUSED_H
#define VERNIER_DSL_UNUSED_H

#include "dsl/Diagnostics.h"
#include "dsl/Program.h"

namespace vernier::dsl {

// Of a target, here and where a model turns out to have no loss that reads it: one text, which is shown once.
inline constexpr std::string_view unusedTarget = "no loss reads it; if it must stay, begin its name with `_`";

// Values, parameters and imports of the program's first file. The program has been checked without errors.
// Names that begin with `_`, and the variables of loops, may stay unused.
void warnOfUnused(const Program &program, Diagnostics &diagnostics);

} // namespace vernier::dsl

#endif
