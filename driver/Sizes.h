// The input sizes and batches that one binary is built for.
#ifndef VERNIER_DRIVER_SIZES_H
#define VERNIER_DRIVER_SIZES_H

#include "driver/DescribedModel.h"
#include "driver/LoadModel.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vernier::driver {

// `options` at each of the sizes that `inputs`, "224,256x320", and `batches`, "1,8", name: every input size
// with every batch, in this order. Refuses lists with an empty, a wrong or a repeated entry.
std::vector<ModelOptions> sizesOf(const ModelOptions &options, const std::string &inputs,
                                  const std::string &batches);

// "224x320, batch 8"
std::string sizeText(const LoadedModel &model, const ModelOptions &size);

// Runs `body`, and says with a refusal of it at which of several sizes.
void atSize(const ModelOptions &size, bool isOneOfSeveral, const std::function<void()> &body);

// Refuses a network whose parameters are others at `size` than at `first`.
void requireSameParameters(const DescribedModel &first, const DescribedModel &size, const std::string &file);

} // namespace vernier::driver

#endif
