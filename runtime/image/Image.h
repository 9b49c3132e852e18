// Images of 8 bits per channel: decoding, resizing, and the way into a model's input.
#ifndef VERNIER_RUNTIME_IMAGE_IMAGE_H
#define VERNIER_RUNTIME_IMAGE_IMAGE_H

#include "runtime/io/File.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vernier::runtime {

/// Height x width x channels; 1 channel (grey) or 3 (red, green, blue).
struct Image {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;
  int orientation = 1; ///< EXIF's, 1 to 8: how the stored rows and columns lie; 1: as they are

  Image() = default;
  Image(int64_t height, int64_t width, int64_t channels)
      : height(height), width(width), channels(channels), pixels(size_t(height * width * channels)) {}
};

/// Larger images are refused: a few bytes of file may claim any size.
inline constexpr int64_t mostPixels = int64_t(1) << 27;

/// Decodes a JPEG, PNG, BMP or WebP file; the pixels are as they are stored. `place` is named in messages.
Image decodeImage(Bytes file, const std::string &place);
Image readImage(const std::string &path);
/// Whether files of this name are images that `readImage` reads, by the name's ending.
bool isImageName(const std::string &name);

Image decodeJpeg(Bytes file, const std::string &place);
Image decodePng(Bytes file, const std::string &place);
Image decodeBmp(Bytes file, const std::string &place);
Image decodeWebp(Bytes file, const std::string &place);

/// The orientation that EXIF data names; 1 where it names none or is damaged.
int exifOrientation(Bytes exif);
/// The image as it is to be seen: rows and columns turned as its orientation says.
Image upright(Image image);

/// Grey becomes three equal channels, colour becomes ITU-R 601 luma.
Image withChannels(Image image, int64_t channels);

/// Bilinear with support widened for shrinking (antialiased), in the fixed-point arithmetic of Pillow, whose
/// results it reproduces.
Image resized(const Image &image, int64_t height, int64_t width);
/// Likewise, to any aspect ratio, with the pass along columns first where Pillow 13 takes it first: where
/// they lose more than twice as many pixels as rows do. What is rounded between the passes then is the same.
Image stretched(const Image &image, int64_t height, int64_t width);

/// From the coordinates of a pixel of the result to those of the image's: a x + b y + c, d x + e y + f.
using AffineMap = std::array<double, 6>;

/// An image of the same size of the nearest pixels, as Pillow's transform takes them; black beyond the image.
Image affine(const Image &image, const AffineMap &map);

} // namespace vernier::runtime

#endif
