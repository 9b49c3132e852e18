#include "runtime/image/Augment.h"

#include "runtime/image/Color.h"
#include "runtime/image/RandAugment.h"

#include <algorithm>
#include <numeric>

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

bool needsColors(const Augmentation &augmentation) {
  return augmentation.colorJitter.saturation > 0 || augmentation.colorJitter.hue > 0 ||
         augmentation.grayscale > 0 || augmentation.lighting > 0;
}

void jitterColors(Image &image, const ColorJitter &jitter, RandomStream &random) {
  std::array<int, 4> order;
  std::iota(order.begin(), order.end(), 0);
  for (uint32_t i = 3; i > 0; --i)
    std::swap(order[i], order[random.below(i + 1)]);
  auto factor = [&](double range) {
    const double least = std::max(0.0, 1 - range);
    return float(least + (1 + range - least) * double(random.uniform()));
  };
  // Drawn in one order, so that what one of them is does not depend on that in which they are applied.
  const float brightness = factor(jitter.brightness), contrast = factor(jitter.contrast);
  const float saturation = factor(jitter.saturation);
  const double turn = jitter.hue * (2 * double(random.uniform()) - 1);
  for (const int change : order) {
    if (change == 0 && jitter.brightness > 0)
      adjustBrightness(image, brightness);
    if (change == 1 && jitter.contrast > 0)
      adjustContrast(image, contrast);
    if (change == 2 && jitter.saturation > 0)
      adjustSaturation(image, saturation);
    if (change == 3 && jitter.hue > 0)
      adjustHue(image, turn);
  }
}

std::array<float, 3> lightingShift(const std::array<float, 3> &coordinates) {
  constexpr float eigenvalues[3] = {0.2175f, 0.0188f, 0.0045f};
  constexpr float components[3][3] = {// one in each column
                                      {-0.5675f, 0.7192f, 0.4009f},
                                      {-0.5808f, -0.0045f, -0.8140f},
                                      {-0.5836f, -0.6948f, 0.4203f}};
  std::array<float, 3> shift{};
  for (size_t color = 0; color < 3; ++color)
    for (size_t i = 0; i < 3; ++i)
      shift[color] += components[color][i] * eigenvalues[i] * coordinates[i];
  return shift;
}

static void erase(const Box &box, const Preprocessing &how, float *input) {
  for (int64_t c = 0; c < how.channels; ++c)
    for (int64_t y = 0; y < box.height; ++y)
      std::fill_n(input + (c * how.height + box.top + y) * how.width + box.left, box.width, 0.0f);
}

void writeAugmentedInput(const Image &image, const Preprocessing &how, const Augmentation &augmentation,
                         RandomStream random, float *input) {
  Image seen = augmentation.randomResizedCrop ? resizedCrop(image, how, augmentation, random)
                                              : paddedCrop(image, how, augmentation.cropPadding, random);
  if (augmentation.flip && (random.bits() >> 31))
    mirror(seen);
  randAugment(seen, augmentation.randAugment, int(augmentation.randAugmentMagnitude), random);
  if (augmentation.colorJitter != ColorJitter())
    jitterColors(seen, augmentation.colorJitter, random);
  if (augmentation.grayscale > 0 && double(random.uniform()) < augmentation.grayscale)
    makeGrey(seen);
  std::array<float, 3> shift{};
  if (augmentation.lighting > 0) {
    std::array<float, 3> coordinates;
    for (float &coordinate : coordinates)
      coordinate = float(augmentation.lighting) * random.normal();
    shift = lightingShift(coordinates);
  }
  writeNormalized(seen, how, shift, input);
  if (augmentation.randomErasing > 0 && double(random.uniform()) < augmentation.randomErasing)
    if (const auto box = randomErasedBox(how.height, how.width, augmentation.erasingArea,
                                         augmentation.erasingRatio, random))
      erase(*box, how, input);
}

} // namespace vernier::runtime
