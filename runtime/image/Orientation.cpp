// Which side of an image is up: cameras store the pixels as the sensor has them, and a number in EXIF data.
#include "runtime/image/Image.h"

#include <algorithm>
#include <cstring>

namespace vernier::runtime {

namespace {

/// Numbers of a TIFF structure, whose first two bytes say their order.
class Tiff {
public:
  explicit Tiff(Bytes bytes) : bytes(bytes), little(bytes.size() > 0 && bytes[0] == 'I') {}

  bool has(uint64_t at, uint64_t count) const { return at + count <= bytes.size(); }
  uint32_t number(uint64_t at, size_t count) const {
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i)
      value = value << 8 | bytes[size_t(at) + (little ? count - 1 - i : i)];
    return value;
  }

private:
  Bytes bytes;
  bool little;
};

} // namespace

int exifOrientation(Bytes exif) {
  if (exif.size() >= 6 && memcmp(exif.data(), "Exif\0\0", 6) == 0)
    exif = exif.subspan(6);
  if (exif.size() < 8 || (memcmp(exif.data(), "II*\0", 4) != 0 && memcmp(exif.data(), "MM\0*", 4) != 0))
    return 1;
  const Tiff tiff(exif);
  const uint64_t directory = tiff.number(4, 4);
  if (!tiff.has(directory, 2))
    return 1;
  const uint32_t entries = tiff.number(directory, 2);
  for (uint32_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + 12 * uint64_t(i); // tag, type, count, value
    if (!tiff.has(entry, 12))
      return 1;
    constexpr uint32_t orientationTag = 0x112, shortType = 3, longType = 4;
    const uint32_t type = tiff.number(entry + 2, 2);
    if (tiff.number(entry, 2) != orientationTag || tiff.number(entry + 4, 4) != 1 ||
        (type != shortType && type != longType))
      continue;
    const uint32_t value = tiff.number(entry + 8, type == shortType ? 2 : 4);
    return value >= 1 && value <= 8 ? int(value) : 1;
  }
  return 1;
}

Image upright(Image image) {
  if (image.orientation == 1)
    return image;
  // As stored, rows and columns may be swapped (5 to 8), then either may run backwards.
  const bool swapped = image.orientation >= 5;
  const bool backwardsY =
      image.orientation == 3 || image.orientation == 4 || image.orientation == 6 || image.orientation == 7;
  const bool backwardsX =
      image.orientation == 2 || image.orientation == 3 || image.orientation == 7 || image.orientation == 8;
  Image result(swapped ? image.width : image.height, swapped ? image.height : image.width, image.channels);
  uint8_t *to = result.pixels.data();
  for (int64_t y = 0; y < result.height; ++y)
    for (int64_t x = 0; x < result.width; ++x) {
      int64_t fromY = swapped ? x : y, fromX = swapped ? y : x;
      fromY = backwardsY ? image.height - 1 - fromY : fromY;
      fromX = backwardsX ? image.width - 1 - fromX : fromX;
      to = std::copy_n(&image.pixels[size_t((fromY * image.width + fromX) * image.channels)], image.channels,
                       to);
    }
  return result;
}

} // namespace vernier::runtime
