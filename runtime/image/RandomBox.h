// Boxes of random area and aspect ratio: what is cropped out of an image, and what is erased of one.
#ifndef VERNIER_RUNTIME_IMAGE_RANDOMBOX_H
#define VERNIER_RUNTIME_IMAGE_RANDOMBOX_H

#include "runtime/core/Random.h"

#include <cstdint>
#include <optional>

namespace vernier::runtime {

struct Range {
  double least, most;
  bool operator==(const Range &) const = default;
};

/// In pixels, within an image.
struct Box {
  int64_t top, left, height, width;
  bool operator==(const Box &) const = default;
};

/// torchvision's RandomResizedCrop (Inception's crop): a box whose share of the image's area is uniform in
/// `area` and whose width over height is log-uniform in `ratio`, at a uniform place. After ten that do not
/// fit: fallbackCropBox.
Box randomCropBox(int64_t height, int64_t width, Range area, Range ratio, RandomStream &random);

/// The largest box in the centre whose width over height lies in `ratio`.
Box fallbackCropBox(int64_t height, int64_t width, Range ratio);

/// torchvision's RandomErasing: likewise with height over width, and lower and narrower than the image. None
/// after ten that do not fit.
std::optional<Box> randomErasedBox(int64_t height, int64_t width, Range area, Range ratio,
                                   RandomStream &random);

} // namespace vernier::runtime

#endif
