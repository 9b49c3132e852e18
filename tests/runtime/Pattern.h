// An image that any language makes in a line, for comparisons with what others make of it.
#ifndef VERNIER_TESTS_RUNTIME_PATTERN_H
#define VERNIER_TESTS_RUNTIME_PATTERN_H

#include "runtime/image/Image.h"

namespace vernier::test {

inline runtime::Image pattern(int64_t height, int64_t width, int64_t channels = 3) {
  runtime::Image image(height, width, channels);
  size_t i = 0;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c)
        image.pixels[i++] = uint8_t(x * 7 + y * 13 + c * 29 + x * y);
  return image;
}

} // namespace vernier::test

#endif
