// Images of 8 bits per channel: decoding, resizing, and the way into a model's input.
#ifndef VERNIER_RUNTIME_IMAGE_IMAGE_H
#define VERNIER_RUNTIME_IMAGE_IMAGE_H

#include "runtime/io/File.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vernier::runtime {

/// Height x width x channels; 1 channel (grey) or 3 (red, green, blue).
struct Image {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;

  Image() = default;
  Image(int64_t height, int64_t width, int64_t channels)
      : height(height), width(width), channels(channels), pixels(size_t(height * width * channels)) {}
};

/// Larger images are refused: a few bytes of file may claim any size.
inline constexpr int64_t mostPixels = int64_t(1) << 27;

/// Decodes a JPEG or PNG file. `place` is named in messages.
Image decodeImage(Bytes file, const std::string &place);
Image readImage(const std::string &path);

Image decodeJpeg(Bytes file, const std::string &place);
Image decodePng(Bytes file, const std::string &place);

/// Grey becomes three equal channels, colour becomes ITU-R 601 luma.
Image withChannels(Image image, int64_t channels);

/// Bilinear with support widened for shrinking (antialiased), in the fixed-point arithmetic of Pillow, whose
/// results it reproduces.
Image resized(const Image &image, int64_t height, int64_t width);

} // namespace vernier::runtime

#endif
