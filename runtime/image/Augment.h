// What training does to an image before the model sees it. Every number that is drawn comes from the stream
// that is handed over, which belongs to the image and the epoch.
#ifndef VERNIER_RUNTIME_IMAGE_AUGMENT_H
#define VERNIER_RUNTIME_IMAGE_AUGMENT_H

#include "runtime/core/Random.h"
#include "runtime/image/Preprocess.h"
#include "runtime/image/RandomBox.h"

#include <array>
#include <cstdint>

namespace vernier::runtime {

/// torchvision's ColorJitter: a factor in [max(0, 1 - x), 1 + x], or a turn in [-hue, hue] of the circle.
struct ColorJitter {
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  bool operator==(const ColorJitter &) const = default;
};

/// In the order in which it is done; by default images are as in evaluation.
struct Augmentation {
  int64_t cropPadding = 0;        ///< black pixels on each side before a random crop
  bool randomResizedCrop = false; ///< instead: a random box, resized to the model's size
  Range cropArea = {0.08, 1}, cropRatio = {3.0 / 4, 4.0 / 3}; ///< as randomCropBox takes them
  bool flip = false;                                          ///< mirror half of the images
  int64_t randAugment = 0;                                    ///< operations for each image
  int64_t randAugmentMagnitude = 9;
  ColorJitter colorJitter = {};
  double grayscale = 0; ///< share of the images that become grey
  double lighting = 0;  ///< standard deviation of AlexNet's noise along the principal components of colours
  double randomErasing = 0; ///< share of the images of which a box becomes 0, after normalisation
  Range erasingArea = {0.02, 0.33}, erasingRatio = {0.3, 3.3}; ///< as randomErasedBox takes them
  bool operator==(const Augmentation &) const = default;
};

/// Whether it changes colours, which grey images do not have.
bool needsColors(const Augmentation &augmentation);

/// Changes the colours as `random` says: the order of the four, and the strength of each whose range is not
/// 0.
void jitterColors(Image &image, const ColorJitter &jitter, RandomStream &random);

/// What AlexNet's noise adds to red, green and blue in [0, 1], given its three coordinates: along the
/// principal components of ImageNet's colours, in units of their eigenvalues (Krizhevsky et al., 2012; the
/// components are those of fb.resnet.torch).
std::array<float, 3> lightingShift(const std::array<float, 3> &coordinates);

/// Cropped, mirrored and so on as `random` says. Writes channels x height x width floats.
void writeAugmentedInput(const Image &image, const Preprocessing &how, const Augmentation &augmentation,
                         RandomStream random, float *input);

} // namespace vernier::runtime

#endif
