#include "runtime/image/RandAugment.h"

#include "runtime/image/Color.h"

#include <cmath>
#include <numbers>

namespace vernier::runtime {

bool isSigned(RandAugmentOp op) { return op >= RandAugmentOp::ShearX && op <= RandAugmentOp::Sharpness; }

double strengthOf(RandAugmentOp op, int magnitude, int64_t height, int64_t width) {
  const double share = double(magnitude) / mostRandAugmentMagnitude;
  constexpr double mostTranslation = 150.0 / 331; // of the image: AutoAugment's 150 pixels of 331
  switch (op) {
  case RandAugmentOp::ShearX:
  case RandAugmentOp::ShearY:
    return 0.3 * share;
  case RandAugmentOp::TranslateX:
    return mostTranslation * double(width) * share;
  case RandAugmentOp::TranslateY:
    return mostTranslation * double(height) * share;
  case RandAugmentOp::Rotate:
    return 30 * share;
  case RandAugmentOp::Brightness:
  case RandAugmentOp::Color:
  case RandAugmentOp::Contrast:
  case RandAugmentOp::Sharpness:
    return 0.9 * share;
  case RandAugmentOp::Posterize:
    return 8 - std::nearbyint(4 * share);
  case RandAugmentOp::Solarize:
    return 255 * (1 - share);
  case RandAugmentOp::Identity:
  case RandAugmentOp::AutoContrast:
  case RandAugmentOp::Equalize:
    break;
  }
  return 0;
}

/// Counterclockwise about the image's centre.
static Image rotated(const Image &image, double degrees) {
  const double angle = -degrees * std::numbers::pi / 180;
  const double cosine = std::cos(angle), sine = std::sin(angle);
  const double x = double(image.width) / 2, y = double(image.height) / 2;
  return affine(image, {cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y});
}

void apply(RandAugmentOp op, double strength, Image &image) {
  const float factor = float(1 + strength);
  switch (op) {
  case RandAugmentOp::ShearX:
    image = affine(image, {1, strength, 0, 0, 1, 0});
    break;
  case RandAugmentOp::ShearY:
    image = affine(image, {1, 0, 0, strength, 1, 0});
    break;
  case RandAugmentOp::TranslateX:
    image = affine(image, {1, 0, -std::trunc(strength), 0, 1, 0});
    break;
  case RandAugmentOp::TranslateY:
    image = affine(image, {1, 0, 0, 0, 1, -std::trunc(strength)});
    break;
  case RandAugmentOp::Rotate:
    image = rotated(image, strength);
    break;
  case RandAugmentOp::Brightness:
    adjustBrightness(image, factor);
    break;
  case RandAugmentOp::Color:
    adjustSaturation(image, factor);
    break;
  case RandAugmentOp::Contrast:
    adjustContrast(image, factor);
    break;
  case RandAugmentOp::Sharpness:
    adjustSharpness(image, factor);
    break;
  case RandAugmentOp::Posterize:
    posterize(image, int(strength));
    break;
  case RandAugmentOp::Solarize:
    solarize(image, strength);
    break;
  case RandAugmentOp::AutoContrast:
    stretchContrast(image);
    break;
  case RandAugmentOp::Equalize:
    equalize(image);
    break;
  case RandAugmentOp::Identity:
    break;
  }
}

void randAugment(Image &image, int64_t count, int magnitude, RandomStream &random) {
  for (int64_t i = 0; i < count; ++i) {
    const auto op = RandAugmentOp(random.below(randAugmentOps));
    const double strength = strengthOf(op, magnitude, image.height, image.width);
    const bool negated = isSigned(op) && (random.bits() >> 31);
    apply(op, negated ? -strength : strength, image);
  }
}

} // namespace vernier::runtime
