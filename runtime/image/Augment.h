// What training does to an image before the model sees it. Every number that is drawn comes from the stream
// that is handed over, which belongs to the image and the epoch.
#ifndef VERNIER_RUNTIME_IMAGE_AUGMENT_H
#define VERNIER_RUNTIME_IMAGE_AUGMENT_H

#include "runtime/core/Random.h"
#include "runtime/image/Preprocess.h"
#include "runtime/image/RandomBox.h"

#include <cstdint>

namespace vernier::runtime {

/// In the order in which it is done; by default images are as in evaluation.
struct Augmentation {
  int64_t cropPadding = 0;        ///< black pixels on each side before a random crop
  bool randomResizedCrop = false; ///< instead: a random box, resized to the model's size
  Range cropArea = {0.08, 1}, cropRatio = {3.0 / 4, 4.0 / 3}; ///< as randomCropBox takes them
  bool flip = false;                                          ///< mirror half of the images
  bool operator==(const Augmentation &) const = default;
};

/// Cropped, mirrored and so on as `random` says. Writes channels x height x width floats.
void writeAugmentedInput(const Image &image, const Preprocessing &how, const Augmentation &augmentation,
                         RandomStream random, float *input);

} // namespace vernier::runtime

#endif
