// A binary of a model, for inference or training.
#ifndef VERNIER_DRIVER_BUILDMODEL_H
#define VERNIER_DRIVER_BUILDMODEL_H

#include "driver/CodeOptions.h"
#include "driver/LoadModel.h"
#include "driver/Output.h"

namespace vernier::driver {

struct BuildOptions : ModelOptions, CodeOptions { // `input` may name several sizes, "224,256x320"
  std::string batches;                            // "1,8": instead of `batch`; empty: `batch` alone
  std::string weights, purpose = "infer", output;
  bool scalePolicy = false;
  bool printProgram = false;
  bool explain = false; // why kernels were chosen
  bool quiet = false;   // no report
};

// Leaves executable, libraries, header and weights in `options.output` and says what they take; refuses,
// leaving nothing, what cannot be built.
void build(const BuildOptions &options, const Output &output);

// Refuses a directory in which the results for `target` would replace what no build has left there.
void requireReplaceable(const std::string &directory, const std::string &model, const std::string &target);

// Refuses what needs more memory than any machine has.
void requireMemory(const codegen::Compilation &compilation, const std::string &file);

} // namespace vernier::driver

#endif
