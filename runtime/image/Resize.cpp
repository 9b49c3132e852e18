// Pillow's algorithm (Resample.c): for each output position a window of input positions with triangular
// weights, first along rows, then along columns, each in 22-bit fixed point and rounded to 8 bits.
#include "runtime/image/Image.h"

#include <algorithm>
#include <cmath>

namespace vernier::runtime {

static constexpr int precision = 22;

namespace {

struct Window {
  int64_t first;
  std::vector<int32_t> weights;
};

} // namespace

static std::vector<Window> windows(int64_t from, int64_t to) {
  const double scale = double(from) / double(to), support = std::max(scale, 1.0);
  std::vector<Window> all(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (double(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(int64_t(centre - support + 0.5), 0);
    const int64_t end = std::min<int64_t>(int64_t(centre + support + 0.5), from);
    std::vector<double> weights;
    double sum = 0;
    for (int64_t x = first; x < end; ++x) {
      weights.push_back(std::max(0.0, 1.0 - std::abs((double(x) - centre + 0.5) / support)));
      sum += weights.back();
    }
    Window &window = all[size_t(i)];
    window.first = first;
    for (double weight : weights)
      window.weights.push_back(int32_t(0.5 + weight / sum * (1 << precision)));
  }
  return all;
}

/// Weighted sums over pixels that lie `stride` apart.
static uint8_t weighted(const uint8_t *from, int64_t stride, const Window &window) {
  int32_t sum = 1 << (precision - 1);
  for (size_t i = 0; i < window.weights.size(); ++i)
    sum += from[int64_t(i) * stride] * window.weights[i];
  return uint8_t(std::clamp(sum >> precision, 0, 255));
}

static Image resizedWidth(const Image &image, int64_t width) {
  Image result(image.height, width, image.channels);
  const std::vector<Window> all = windows(image.width, width);
  uint8_t *out = result.pixels.data();
  for (int64_t y = 0; y < image.height; ++y)
    for (const Window &window : all)
      for (int64_t c = 0; c < image.channels; ++c)
        *out++ = weighted(&image.pixels[size_t((y * image.width + window.first) * image.channels + c)],
                          image.channels, window);
  return result;
}

static Image resizedHeight(const Image &image, int64_t height) {
  Image result(height, image.width, image.channels);
  const int64_t row = image.width * image.channels;
  uint8_t *out = result.pixels.data();
  for (const Window &window : windows(image.height, height))
    for (int64_t x = 0; x < row; ++x)
      *out++ = weighted(&image.pixels[size_t(window.first * row + x)], row, window);
  return result;
}

Image resized(const Image &image, int64_t height, int64_t width) {
  Image result = image.width == width ? image : resizedWidth(image, width);
  return result.height == height ? result : resizedHeight(result, height);
}

Image stretched(const Image &image, int64_t height, int64_t width) {
  const bool columnsFirst = height < image.height && image.height - height > 2 * (image.width - width);
  return columnsFirst ? resized(resizedHeight(image, height), height, width) : resized(image, height, width);
}

} // namespace vernier::runtime
