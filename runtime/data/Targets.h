// What a model that declares its losses is trained with and evaluated on: images, and beside each of them its
// targets.
#ifndef VERNIER_RUNTIME_DATA_TARGETS_H
#define VERNIER_RUNTIME_DATA_TARGETS_H

#include "runtime/core/ModelOutline.h"
#include "runtime/data/Dataset.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vernier::runtime {

/// One target of all images, in memory as the model's array has it: whole numbers or floats of 32 bits.
struct TargetValues {
  size_t rowBytes = 0; ///< of one image's
  std::vector<std::byte> bytes;

  std::span<const std::byte> row(int64_t image) const {
    return std::span(bytes).subspan(size_t(image) * rowBytes, rowBytes);
  }
};

struct DataWithTargets {
  std::unique_ptr<Dataset> images;
  std::vector<TargetValues> targets; ///< in the model's order

  /// Changes where an image or a target does.
  uint64_t targetsDigest() const;
};

/// Opens what lies in a folder: train-arrays.npy, the images, and train-NAME.npy for each target, or
/// test-arrays.npy and so on; or any data set of images, whose labels are the only target. Refuses what the
/// model does not take.
DataWithTargets openWithTargets(const std::string &folder, const ModelOutline &model, Split split);

/// The test split, if there is anything of one.
std::optional<DataWithTargets> openValidation(const std::string &folder, const ModelOutline &model);

/// Whether the only target is the class of each image.
bool takesLabels(const ModelOutline &model);

} // namespace vernier::runtime

#endif
