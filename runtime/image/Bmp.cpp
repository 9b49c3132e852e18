// Windows bitmaps without compression: palettes of 1, 4 and 8 bits, colours of 16, 24 and 32.
#include "runtime/image/Image.h"

#include "runtime/Error.h"

#include <array>
#include <bit>
#include <fmt/core.h>

namespace vernier::runtime {

namespace {

/// A channel's bits within a pixel of 16 or 32 bits.
struct Mask {
  int shift = 0;
  uint32_t largest = 0; ///< the value of all of its bits

  Mask() = default;
  explicit Mask(uint32_t mask) : shift(mask ? std::countr_zero(mask) : 0), largest(mask >> shift) {}
  bool usable() const { return largest != 0 && (largest & (largest + 1)) == 0; } // its bits are neighbours
  uint8_t of(uint32_t pixel) const { return uint8_t(uint64_t(pixel >> shift & largest) * 255 / largest); }
};

class Bmp {
public:
  Bmp(Bytes file, const std::string &place) : file(file), place(place) {}

  Image decode() {
    readHeader();
    readMasks();
    readPalette();
    const uint64_t rowBytes = (uint64_t(width) * bits + 31) / 32 * 4;
    require(pixelsAt, rowBytes * uint64_t(height), "its pixels are cut off");
    Image image(height, width, 3);
    for (int64_t y = 0; y < height; ++y) {
      const uint64_t from = pixelsAt + rowBytes * uint64_t(topDown ? y : height - 1 - y);
      readRow(from, &image.pixels[size_t(y * width * 3)]);
    }
    return image;
  }

private:
  Error refuse(const std::string &why) const {
    return Error(VN_ERROR_FORMAT, "the BMP image cannot be decoded: " + why).at(place);
  }
  void require(uint64_t at, uint64_t bytes, const char *otherwise) const {
    if (at > file.size() || bytes > file.size() - at)
      throw refuse(otherwise);
  }
  uint32_t number(uint64_t at, int bytes) const {
    uint32_t value = 0;
    for (int i = bytes; i-- > 0;)
      value = value << 8 | file[size_t(at) + size_t(i)];
    return value;
  }

  void readHeader() {
    require(0, 26, "its header is cut off");
    pixelsAt = number(10, 4);
    headerBytes = number(14, 4);
    require(14, headerBytes, "its header is cut off");
    if (headerBytes == 12) { // OS/2
      width = number(18, 2), height = number(20, 2);
      bits = number(24, 2);
    } else if (headerBytes >= 40) {
      width = int32_t(number(18, 4));
      height = int32_t(number(22, 4));
      topDown = height < 0;
      height = topDown ? -height : height;
      bits = number(28, 2);
      compression = number(30, 4);
      colours = number(46, 4);
    } else {
      throw refuse(fmt::format("its header of {} bytes is none that is known", headerBytes));
    }
    const bool masked = compression == bitFields || compression == alphaBitFields;
    if (compression != 0 && !(masked && bits >= 16))
      throw refuse(fmt::format("compression {} is not read", compression));
    if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
      throw refuse(fmt::format("{} bits per pixel are not read", bits));
    if (width < 1 || height < 1 || width > mostPixels || height > mostPixels / width)
      throw refuse(fmt::format("it claims {}x{} pixels", height, width));
  }

  void readMasks() {
    if (bits != 16 && bits != 32)
      return;
    std::array<uint32_t, 3> values = {0x7c00, 0x3e0, 0x1f};
    if (bits == 32)
      values = {0xff0000, 0xff00, 0xff};
    if (compression != 0) {
      require(54, 12, "its header is cut off"); // behind a header of 40 bytes, or within a longer one
      for (size_t c = 0; c < 3; ++c)
        values[c] = number(54 + 4 * c, 4);
    }
    for (size_t c = 0; c < 3; ++c) {
      masks[c] = Mask(values[c]);
      if (!masks[c].usable())
        throw refuse("the masks of its colours are damaged");
    }
  }

  void readPalette() {
    if (bits > 8)
      return;
    const uint64_t most = uint64_t(1) << bits, bytes = headerBytes == 12 ? 3 : 4;
    const uint64_t count = colours == 0 ? most : colours;
    if (count > most)
      throw refuse(fmt::format("it has {} colours, {} bits count {}", count, bits, most));
    const uint64_t at = 14 + headerBytes;
    require(at, count * bytes, "its palette is cut off");
    for (uint64_t i = 0; i < count; ++i)
      palette.push_back({uint8_t(number(at + i * bytes + 2, 1)), uint8_t(number(at + i * bytes + 1, 1)),
                         uint8_t(number(at + i * bytes, 1))});
  }

  void readRow(uint64_t from, uint8_t *to) const {
    for (int64_t x = 0; x < width; ++x, to += 3) {
      if (bits <= 8) {
        const uint64_t bit = uint64_t(x) * bits;
        const uint32_t byte = file[size_t(from + bit / 8)];
        const uint32_t index = byte >> (8 - bits - bit % 8) & ((1u << bits) - 1);
        if (index >= palette.size())
          throw refuse("a pixel has a colour that its palette lacks");
        std::copy(palette[index].begin(), palette[index].end(), to);
      } else if (bits == 24) {
        for (uint64_t c = 0; c < 3; ++c)
          to[c] = file[size_t(from + uint64_t(x) * 3 + 2 - c)];
      } else {
        const uint32_t pixel = number(from + uint64_t(x) * bits / 8, int(bits / 8));
        for (size_t c = 0; c < 3; ++c)
          to[c] = masks[c].of(pixel);
      }
    }
  }

  static constexpr uint32_t bitFields = 3, alphaBitFields = 6;

  Bytes file;
  const std::string &place;
  uint64_t pixelsAt = 0, headerBytes = 0;
  int64_t width = 0, height = 0;
  bool topDown = false;
  uint32_t bits = 0, compression = 0, colours = 0;
  std::array<Mask, 3> masks;
  std::vector<std::array<uint8_t, 3>> palette;
};

} // namespace

Image decodeBmp(Bytes file, const std::string &place) { return Bmp(file, place).decode(); }

} // namespace vernier::runtime
