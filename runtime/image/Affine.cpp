// Pillow's nearest affine transform: 16 fractional bits, from the middle of each pixel.
#include "runtime/image/Image.h"

#include <algorithm>
#include <cmath>

namespace vernier::runtime {

static int64_t fixed(double value) { return int64_t(std::floor(value * 65536 + 0.5)); }

Image affine(const Image &image, const AffineMap &map) {
  Image result(image.height, image.width, image.channels);
  const auto &[a, b, c, d, e, f] = map;
  const int64_t right[2] = {fixed(a), fixed(d)}, down[2] = {fixed(b), fixed(e)};
  const int64_t corner[2] = {fixed(c + a * 0.5 + b * 0.5), fixed(f + d * 0.5 + e * 0.5)};
  uint8_t *out = result.pixels.data();
  for (int64_t y = 0; y < image.height; ++y)
    for (int64_t x = 0; x < image.width; ++x, out += image.channels) {
      const int64_t fromX = (corner[0] + x * right[0] + y * down[0]) >> 16;
      const int64_t fromY = (corner[1] + x * right[1] + y * down[1]) >> 16;
      if (fromX >= 0 && fromX < image.width && fromY >= 0 && fromY < image.height)
        std::copy_n(&image.pixels[size_t((fromY * image.width + fromX) * image.channels)], image.channels,
                    out);
    }
  return result;
}

} // namespace vernier::runtime
