#include "runtime/image/Image.h"

#include "runtime/Error.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace vernier::runtime {

static bool begins(Bytes file, size_t at, std::string_view word) {
  return file.size() >= at + word.size() && memcmp(file.data() + at, word.data(), word.size()) == 0;
}

/// The name of a format that is not read; null where it is not known either.
static const char *otherFormat(Bytes file) {
  using namespace std::string_view_literals;
  if (begins(file, 0, "GIF8"))
    return "GIF";
  if (begins(file, 0, "II*\0"sv) || begins(file, 0, "MM\0*"sv))
    return "TIFF";
  if (begins(file, 4, "ftypavi"))
    return "AVIF";
  if (begins(file, 4, "ftyp"))
    return "HEIC";
  if (begins(file, 4, "jP  ") || begins(file, 0, "\xff\x4f\xff\x51"))
    return "JPEG 2000";
  if (begins(file, 4, "JXL ") || begins(file, 0, "\xff\x0a"))
    return "JPEG XL";
  if (file.size() > 2 && file[0] == 'P' && file[1] >= '1' && file[1] <= '7')
    return "PNM";
  return nullptr;
}

Image decodeImage(Bytes file, const std::string &place) {
  if (file.size() >= 3 && memcmp(file.data(), "\xff\xd8\xff", 3) == 0)
    return decodeJpeg(file, place);
  if (file.size() >= 8 && memcmp(file.data(), "\x89PNG\r\n\x1a\n", 8) == 0)
    return decodePng(file, place);
  if (file.size() >= 2 && memcmp(file.data(), "BM", 2) == 0)
    return decodeBmp(file, place);
  if (begins(file, 0, "RIFF") && begins(file, 8, "WEBP"))
    return decodeWebp(file, place);
  const char *other = otherFormat(file);
  throw Error(VN_ERROR_FORMAT, other          ? std::string("the file is a ") + other + " image"
                               : file.empty() ? "the file is empty"
                                              : "the file is no image that is known")
      .at(place)
      .help("JPEG, PNG, BMP and WebP images are read");
}

Image readImage(const std::string &path) { return decodeImage(readFile(path), path); }

bool isImageName(const std::string &name) {
  std::string extension = std::filesystem::path(name).extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::count(std::array{".jpg", ".jpeg", ".png", ".bmp", ".webp"}, extension) > 0;
}

Image withChannels(Image image, int64_t channels) {
  if (image.channels == channels)
    return image;
  Image result(image.height, image.width, channels);
  result.orientation = image.orientation;
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
