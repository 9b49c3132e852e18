// What a model that declares its losses is trained with: images, and beside each of them its targets.
#ifndef VERNIER_RUNTIME_DATA_TARGETS_H
#define VERNIER_RUNTIME_DATA_TARGETS_H

#include "runtime/core/ModelOutline.h"
#include "runtime/data/Dataset.h"

#include <cstddef>
#include <cstdint>
#include <memory>
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

struct TrainingData {
  std::unique_ptr<Dataset> images;
  std::vector<TargetValues> targets; ///< in the model's order

  /// Changes where an image or a target does.
  uint64_t targetsDigest() const;
};

/// Opens what lies in a folder: train-arrays.npy, the images, and train-NAME.npy for each target; or any data
/// set of images, whose labels are the only target. Refuses what the model does not take.
TrainingData openTrainingData(const std::string &folder, const ModelOutline &model);

} // namespace vernier::runtime

#endif
