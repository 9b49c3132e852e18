// The sizes that a model was built for: how many images, how high and wide, a call takes.
#ifndef VERNIER_RUNTIME_CORE_SIZES_H
#define VERNIER_RUNTIME_CORE_SIZES_H

#include "vernier/abi.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vernier::runtime {

/// Of each size its model, in the order of the build; of a model that was built for one, itself.
std::vector<const vn_model *> sizesOf(const vn_model &model);

/// "224x320"
std::string imageSizeText(const vn_model &size);

/// "224x224 (batch 1, 8), 256x320 (batch 1, 8)": all that there are.
std::string sizesText(const vn_model &model);

/// Refuses, with those that there are, a size that the model was not built for.
const vn_model &sizeOf(const vn_model &model, int64_t batch, int64_t height, int64_t width);

/// Those for images of this height and width, from the largest batch to the smallest; none where there is no
/// such size.
std::vector<const vn_model *> batchesOf(const vn_model &model, int64_t height, int64_t width);

/// Of these, by the images that are left, which one the next call runs in: the largest batch that they fill;
/// the smallest there is where they fill none.
const vn_model &nextBatch(const std::vector<const vn_model *> &batches, int64_t images);

} // namespace vernier::runtime

#endif
