#include "runtime/image/Image.h"

#include "runtime/Error.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio> // jpeglib.h needs it
#include <cstring>
#include <fmt/core.h>
#include <jerror.h>
#include <jpeglib.h>
#include <vector>

namespace vernier::runtime {

namespace {

struct ErrorManager {
  jpeg_error_mgr base;
  jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void leave(j_common_ptr info) {
  auto *manager = reinterpret_cast<ErrorManager *>(info->err);
  manager->base.format_message(info, manager->message);
  longjmp(manager->escape, 1);
}

/// libjpeg fills what a truncated file lacks with grey and only warns; such an image would train the network
/// wrongly.
void refuseTruncation(j_common_ptr info, int level) {
  if (level < 0 && (info->err->msg_code == JWRN_JPEG_EOF || info->err->msg_code == JWRN_HIT_MARKER))
    leave(info);
}

/// A progressive file of a few kilobytes may order thousands of passes over a large image.
void refuseManyScans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > 500)
    ERREXIT(info, JERR_BAD_PROGRESSION);
}

/// Between setjmp and the decoder's calls lie no objects with destructors; `image` belongs to the caller.
/// Returns whether it went well; `size` receives a size that is refused.
bool decode(Bytes file, Image &image, ErrorManager &manager, int64_t (&size)[2]) {
  jpeg_decompress_struct info;
  jpeg_progress_mgr progress{};
  progress.progress_monitor = refuseManyScans;
  info.err = jpeg_std_error(&manager.base);
  manager.base.error_exit = leave;
  manager.base.emit_message = refuseTruncation;
  if (setjmp(manager.escape)) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file.data(), (unsigned long)file.size());
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&info, TRUE);
  int orientation = 1;
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker; marker = marker->next)
    if (marker->data_length >= 6 && memcmp(marker->data, "Exif\0\0", 6) == 0) {
      orientation = exifOrientation({marker->data, marker->data_length});
      break; // APP1 holds other things, too; the first EXIF data counts
    }
  // A block of 8 x 8 pixels takes a bit at least; files that claim far more pixels are damaged.
  const int64_t pixels = int64_t(info.image_width) * info.image_height;
  if (pixels > std::min(mostPixels, int64_t(file.size()) * 4096)) {
    size[0] = info.image_height, size[1] = info.image_width;
    jpeg_destroy_decompress(&info);
    return false;
  }
  const bool inks = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  const bool grey = info.jpeg_color_space == JCS_GRAYSCALE;
  info.out_color_space = inks ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
  info.progress = &progress;
  jpeg_start_decompress(&info);
  const int64_t components = info.output_components;
  image = Image(info.output_height, info.output_width, components);
  image.orientation = orientation;
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = image.pixels.data() + info.output_scanline * size_t(image.width * components);
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}

/// Inks are stored inverted, as Adobe writes them.
Image fromInks(const Image &image) {
  Image result(image.height, image.width, 3);
  result.orientation = image.orientation;
  for (size_t i = 0; i < size_t(image.height * image.width); ++i)
    for (size_t c = 0; c < 3; ++c)
      result.pixels[3 * i + c] = uint8_t(image.pixels[4 * i + c] * image.pixels[4 * i + 3] / 255);
  return result;
}

} // namespace

Image decodeJpeg(Bytes file, const std::string &place) {
  Image image;
  ErrorManager manager{};
  int64_t refused[2] = {};
  if (!decode(file, image, manager, refused)) {
    if (refused[0])
      throw Error(VN_ERROR_FORMAT,
                  fmt::format("the JPEG image claims {}x{} pixels, too many for its {} bytes or for memory",
                              refused[0], refused[1], file.size()))
          .at(place);
    throw Error(VN_ERROR_FORMAT, fmt::format("the JPEG image cannot be decoded: {}", manager.message))
        .at(place);
  }
  return image.channels == 4 ? fromInks(image) : image;
}

} // namespace vernier::runtime
