// Specifications in the canonical form (docs/language.md).
#ifndef VERNIER_DRIVER_FORMATFILES_H
#define VERNIER_DRIVER_FORMATFILES_H

#include "driver/Output.h"

#include <string>
#include <vector>

namespace vernier::driver {

struct FormatOptions {
  std::vector<std::string> files;
  bool check = false; // change nothing
};

// Rewrites the files that are not in the canonical form, or names them in `output.warnings` and refuses them.
// Refuses a file that is no specification, with its diagnostics; those before it have been rewritten.
void formatFiles(const FormatOptions &options, const Output &output);

} // namespace vernier::driver

#endif
