#include "runtime/image/Image.h"

#include "runtime/Error.h"

#include <cstring>
#include <fmt/core.h>
#include <webp/decode.h>

namespace vernier::runtime {

/// The EXIF chunk of the container, which holds chunks of a name, a length and that many bytes, padded to an
/// even number; empty where there is none.
static Bytes exifChunk(Bytes file) {
  const auto length = [&](size_t at) {
    return size_t(file[at]) | size_t(file[at + 1]) << 8 | size_t(file[at + 2]) << 16 |
           size_t(file[at + 3]) << 24;
  };
  for (size_t at = 12; file.size() - at >= 8;) {
    const size_t bytes = length(at + 4), rest = file.size() - at - 8;
    if (bytes > rest)
      break;
    if (memcmp(&file[at], "EXIF", 4) == 0)
      return file.subspan(at + 8, bytes);
    if (bytes + bytes % 2 >= rest)
      break;
    at += 8 + bytes + bytes % 2;
  }
  return {};
}

Image decodeWebp(Bytes file, const std::string &place) {
  const auto refuse = [&](const std::string &why) {
    return Error(VN_ERROR_FORMAT, "the WebP image cannot be decoded: " + why).at(place);
  };
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(file.data(), file.size(), &features) != VP8_STATUS_OK)
    throw refuse("its header is damaged or cut off");
  if (features.has_animation)
    throw refuse("it is an animation, and only still images are read");
  if (int64_t(features.width) * features.height > mostPixels)
    throw refuse(fmt::format("it claims {}x{} pixels, too many for memory", features.height, features.width));
  Image image(features.height, features.width, 3);
  if (!WebPDecodeRGBInto(file.data(), file.size(), image.pixels.data(), image.pixels.size(),
                         features.width * 3))
    throw refuse("it is damaged or cut off");
  image.orientation = exifOrientation(exifChunk(file));
  return image;
}

} // namespace vernier::runtime
