// Which size of a model that was built for several a command runs at.
#ifndef VERNIER_RUNTIME_CLI_NAMEDSIZE_H
#define VERNIER_RUNTIME_CLI_NAMEDSIZE_H

#include "vernier/abi.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vernier::runtime {

/// The batches for the images that `size` names, "224x320" or "224", from the largest to the smallest; where
/// it is empty those of the first size. Refuses a size that there is not.
std::vector<const vn_model *> namedBatches(const vn_model &model, const std::string &size);

/// Of these the one of `batch` images; 0: the largest.
const vn_model &namedSize(const vn_model &model, const std::string &size, int64_t batch);

/// For an image of this height and width: of the sizes whose proportions are closest to its own the largest
/// that it fills without being enlarged, else the smallest. All batches of that size, as namedBatches has
/// them.
std::vector<const vn_model *> fittingBatches(const vn_model &model, int64_t height, int64_t width);

/// ", 224x320" of a model that was built for several sizes; else empty.
std::string sizeNote(const vn_model &model);

} // namespace vernier::runtime

#endif
