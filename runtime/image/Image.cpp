#include "runtime/image/Image.h"

#include "runtime/Error.h"

#include <cstring>

namespace vernier::runtime {

Image decodeImage(Bytes file, const std::string &place) {
  if (file.size() >= 3 && memcmp(file.data(), "\xff\xd8\xff", 3) == 0)
    return decodeJpeg(file, place);
  if (file.size() >= 8 && memcmp(file.data(), "\x89PNG\r\n\x1a\n", 8) == 0)
    return decodePng(file, place);
  throw Error(VN_ERROR_FORMAT, "the file is neither a JPEG nor a PNG image").at(place);
}

Image readImage(const std::string &path) { return decodeImage(readFile(path), path); }

Image withChannels(Image image, int64_t channels) {
  if (image.channels == channels)
    return image;
  Image result(image.height, image.width, channels);
  const size_t pixels = size_t(image.height * image.width);
  for (size_t i = 0; i < pixels; ++i) {
    if (channels == 3) {
      memset(&result.pixels[3 * i], image.pixels[i], 3);
    } else {
      const uint8_t *rgb = &image.pixels[3 * i];
      result.pixels[i] = uint8_t((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
    }
  }
  return result;
}

} // namespace vernier::runtime
