// What a model's program for a GPU takes at best, step by step: `vernier describe --roofline`.
#ifndef VERNIER_DRIVER_DESCRIBE_ROOFLINE_H
#define VERNIER_DRIVER_DESCRIBE_ROOFLINE_H

#include "driver/LoadModel.h"

#include "llvm/Support/raw_ostream.h"

#include <string>

namespace vernier::driver {

struct RooflineOptions {
  std::string machine; // codegen/cuda/MachineModel.h; empty: no roofline is asked for
  std::string purpose = "infer", precision = "f32";
};

// Writes a table, or JSON, of the model with its open holes at their first choices. Refuses a machine that it
// does not know, with those it does.
void describeRoofline(const ModelOptions &model, const RooflineOptions &options, bool json,
                      llvm::raw_ostream &out);

} // namespace vernier::driver

#endif
