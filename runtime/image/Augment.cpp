#include "runtime/image/Augment.h"

#include <algorithm>

namespace vernier::runtime {

/// A window of the model's size at a random place of the padded image.
static Image paddedCrop(const Image &image, const Preprocessing &how, int64_t padding, RandomStream &random) {
  const Image source = fitted(image, how);
  auto corner = [&](int64_t size, int64_t window) {
    const int64_t slack = size + 2 * padding - window;
    return slack <= 0 ? centred(size, window) : int64_t(random.below(uint32_t(slack + 1))) - padding;
  };
  const int64_t top = corner(source.height, how.height), left = corner(source.width, how.width);
  return windowOf(source, top, left, how.height, how.width);
}

static void mirror(Image &image) {
  for (int64_t y = 0; y < image.height; ++y)
    for (int64_t left = 0, right = image.width - 1; left < right; ++left, --right) {
      uint8_t *row = &image.pixels[size_t(y * image.width * image.channels)];
      std::swap_ranges(row + left * image.channels, row + (left + 1) * image.channels,
                       row + right * image.channels);
    }
}

/// A box of random area and ratio, resized to the model's size.
static Image resizedCrop(const Image &stored, const Preprocessing &how, const Augmentation &augmentation,
                         RandomStream &random) {
  const Image image = prepared(stored, how);
  const Box box =
      randomCropBox(image.height, image.width, augmentation.cropArea, augmentation.cropRatio, random);
  return stretched(windowOf(image, box.top, box.left, box.height, box.width), how.height, how.width);
}

void writeAugmentedInput(const Image &image, const Preprocessing &how, const Augmentation &augmentation,
                         RandomStream random, float *input) {
  Image seen = augmentation.randomResizedCrop ? resizedCrop(image, how, augmentation, random)
                                              : paddedCrop(image, how, augmentation.cropPadding, random);
  if (augmentation.flip && (random.bits() >> 31))
    mirror(seen);
  writeNormalized(seen, how, {}, input);
}

} // namespace vernier::runtime
