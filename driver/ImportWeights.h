// Weights that others trained, by the names that a network has here.
#ifndef VERNIER_DRIVER_IMPORTWEIGHTS_H
#define VERNIER_DRIVER_IMPORTWEIGHTS_H

#include "driver/LoadModel.h"
#include "driver/Output.h"
#include "runtime/image/Preprocess.h"

#include <string>

namespace vernier::driver {

struct ImportWeightsOptions : ModelOptions {
  std::string weights;
  std::string mapping; // a file of mappings; empty: NETWORK.weights.toml beside NETWORK.vn, if there is one
  std::string origin;  // which of the mappings; empty: the first by which all tensors fit
  std::string output;
  runtime::PreprocessingOptions images; // what the mapping says of them where nothing is given
};

// Writes the model's weights to `options.output` and says what became of the file's tensors; refuses weights
// that fit by no mapping.
void importWeights(const ImportWeightsOptions &options, const Output &output);

} // namespace vernier::driver

#endif
