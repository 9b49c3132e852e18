// An ONNX model as a specification and its weights (docs/onnx.md).
#ifndef VERNIER_DRIVER_IMPORTONNX_H
#define VERNIER_DRIVER_IMPORTONNX_H

#include "driver/Output.h"

#include <string>

namespace vernier::driver {

struct ImportOnnxOptions {
  std::string model;  // the ONNX file
  std::string output; // the specification, NAME.vn; the weights go to NAME.safetensors
  std::string input;  // HxW of the image, where the model leaves it open; or empty
  bool flat = false;  // a line for each layer, no blocks
};

// Writes both files or none. Refuses what is no model, and models with nodes that the language has no words
// for: all of them are named.
void importOnnx(const ImportOnnxOptions &options, const Output &output);

} // namespace vernier::driver

#endif
