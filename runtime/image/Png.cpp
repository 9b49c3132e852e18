#include "runtime/image/Image.h"

#include "runtime/Error.h"

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <fmt/core.h>
#include <png.h>

namespace vernier::runtime {

namespace {

struct Source {
  Bytes rest;
  char message[256];
};

void readSome(png_structp png, png_bytep out, size_t bytes) {
  auto *source = static_cast<Source *>(png_get_io_ptr(png));
  if (bytes > source->rest.size())
    png_error(png, "the file is truncated");
  memcpy(out, source->rest.data(), bytes);
  source->rest = source->rest.subspan(bytes);
}

[[noreturn]] void leave(png_structp png, png_const_charp message) {
  auto *source = static_cast<Source *>(png_get_error_ptr(png));
  strncpy(source->message, message, sizeof(source->message) - 1);
  png_longjmp(png, 1);
}

void ignoreWarning(png_structp, png_const_charp) {}

/// Between setjmp and the decoder's calls lie no objects with destructors; `image` and `rows` belong to the
/// caller.
bool decode(Source &source, Image &image, std::vector<png_bytep> &rows) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, leave, ignoreWarning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, nullptr);
    return false;
  }
  const size_t fileBytes = source.rest.size();
  png_set_read_fn(png, &source, readSome);
  png_set_user_limits(png, 1 << 20, 1 << 20);
  png_read_info(png, info);
  const int64_t height = png_get_image_height(png, info), width = png_get_image_width(png, info);
  const int64_t bits = height * width * png_get_bit_depth(png, info) * png_get_channels(png, info);
  if (height * width > mostPixels || bits / 8 > int64_t(fileBytes) * 1032) // deflate expands by 1032 at most
    png_error(png, "it claims more pixels than its bytes or memory can hold");
  png_set_scale_16(png);
  png_set_palette_to_rgb(png);
  if (png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY)
    png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  image = Image(height, width, png_get_channels(png, info));
  if (png_get_rowbytes(png, info) != size_t(width * image.channels))
    png_error(png, "the image has an unknown arrangement of channels");
  rows.resize(size_t(height));
  for (int64_t y = 0; y < height; ++y)
    rows[size_t(y)] = image.pixels.data() + y * width * image.channels;
  png_read_image(png, rows.data());
  png_read_end(png, info); // EXIF data may come behind the pixels
  png_uint_32 exifBytes = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(png, info, &exifBytes, &exif))
    image.orientation = exifOrientation({exif, exifBytes});
  png_destroy_read_struct(&png, &info, nullptr);
  return true;
}

} // namespace

Image decodePng(Bytes file, const std::string &place) {
  Source source{file, {}};
  Image image;
  std::vector<png_bytep> rows;
  if (!decode(source, image, rows))
    throw Error(VN_ERROR_FORMAT, fmt::format("the PNG image cannot be decoded: {}", source.message))
        .at(place);
  return image;
}

} // namespace vernier::runtime
