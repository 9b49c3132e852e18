// RandAugment (Cubuk et al., 2020), as torchvision's class of this name does it to Pillow's images.
#ifndef VERNIER_RUNTIME_IMAGE_RANDAUGMENT_H
#define VERNIER_RUNTIME_IMAGE_RANDAUGMENT_H

#include "runtime/core/Random.h"
#include "runtime/image/Image.h"

#include <array>

namespace vernier::runtime {

/// In the order in which torchvision numbers them.
enum class RandAugmentOp {
  Identity,
  ShearX,
  ShearY,
  TranslateX,
  TranslateY,
  Rotate,
  Brightness,
  Color,
  Contrast,
  Sharpness,
  Posterize,
  Solarize,
  AutoContrast,
  Equalize
};
inline constexpr int randAugmentOps = 14;
inline constexpr int mostRandAugmentMagnitude = 30;

/// How strong an op is at one of the magnitudes 0 to 30, for an image of this size: a shear's tangent,
/// pixels, degrees, what is added to a factor of 1, bits, a threshold; 0 of those that have no strength.
double strengthOf(RandAugmentOp op, int magnitude, int64_t height, int64_t width);

/// Whether the strength is negated for half of the images.
bool isSigned(RandAugmentOp op);

/// Does one op; what comes from beyond the image is black.
void apply(RandAugmentOp op, double strength, Image &image);

/// `count` ops, each one of the 14.
void randAugment(Image &image, int64_t count, int magnitude, RandomStream &random);

} // namespace vernier::runtime

#endif
