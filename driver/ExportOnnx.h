// A network with its weights as an ONNX model (docs/onnx.md).
#ifndef VERNIER_DRIVER_EXPORTONNX_H
#define VERNIER_DRIVER_EXPORTONNX_H

#include "driver/LoadModel.h"
#include "driver/Output.h"

#include <string>

namespace vernier::driver {

struct ExportOnnxOptions : ModelOptions {
  std::string weights, output;
  bool externalData = false; // weights in a file of their own, `output`.data
};

// Writes the model to `options.output` and says how large it is; refuses open `choose` holes and weights that
// are not the model's.
void exportOnnx(const ExportOnnxOptions &options, const Output &output);

} // namespace vernier::driver

#endif
