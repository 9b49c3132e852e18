#include "runtime/image/Color.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace vernier::runtime {

uint8_t blend(int from, int to, float factor) {
  // In a statement of its own, so that no compiler contracts it to a fused multiply-add.
  const float step = factor * float(to - from);
  return uint8_t(std::clamp(float(from) + step, 0.0f, 255.0f));
}

static void blendAll(Image &image, int from, float factor) {
  std::array<uint8_t, 256> table;
  for (int v = 0; v < 256; ++v)
    table[size_t(v)] = blend(from, v, factor);
  for (uint8_t &value : image.pixels)
    value = table[value];
}

void adjustBrightness(Image &image, float factor) { blendAll(image, 0, factor); }

void adjustContrast(Image &image, float factor) {
  const Image luma = withChannels(image, 1);
  uint64_t sum = 0;
  for (uint8_t value : luma.pixels)
    sum += value;
  blendAll(image, int(double(sum) / double(luma.pixels.size()) + 0.5), factor);
}

void adjustSaturation(Image &image, float factor) {
  if (image.channels != 3)
    return;
  const Image luma = withChannels(image, 1);
  for (size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = blend(luma.pixels[i / 3], image.pixels[i], factor);
}

void makeGrey(Image &image) {
  if (image.channels == 3)
    image = withChannels(withChannels(std::move(image), 1), 3);
}

namespace {

/// Hue, saturation and value, each of 0 to 255.
struct Hsv {
  int hue = 0, saturation = 0, value = 0;
};

} // namespace

static Hsv toHsv(const uint8_t *rgb) {
  const int r = rgb[0], g = rgb[1], b = rgb[2];
  const int most = std::max({r, g, b}), least = std::min({r, g, b});
  if (most == least)
    return {0, 0, most};
  const float chroma = float(most - least);
  const float red = float(most - r) / chroma, green = float(most - g) / chroma,
              blue = float(most - b) / chroma;
  const float sixths = r == most   ? blue - green
                       : g == most ? float(2.0 + double(red) - double(blue))
                                   : float(4.0 + double(green) - double(red));
  const float hue = float(std::fmod(double(sixths) / 6.0 + 1.0, 1.0));
  return {int(double(hue) * 255.0), int(double(chroma / float(most)) * 255.0), most};
}

static void fromHsv(const Hsv &hsv, uint8_t *rgb) {
  const float sixths = float(double(float(hsv.hue) * 6.0f) / 255.0);
  const int sector = int(sixths);
  const float rest = float(double(float(hsv.hue) * 6.0f) / 255.0 - double(float(sector)));
  const float saturation = float(double(hsv.saturation) / 255.0);
  auto scaled = [&](double factor) { return uint8_t(std::round(float(double(hsv.value) * factor))); };
  const uint8_t v = uint8_t(hsv.value), low = scaled(1.0 - double(saturation));
  const uint8_t falling = scaled(1.0 - double(saturation * rest));
  const uint8_t rising = scaled(1.0 - double(saturation) * (1.0 - double(rest)));
  const uint8_t sectors[6][3] = {{v, rising, low},  {falling, v, low}, {low, v, rising},
                                 {low, falling, v}, {rising, low, v},  {v, low, falling}};
  std::copy_n(sectors[sector % 6], 3, rgb);
}

void adjustHue(Image &image, double turn) {
  if (image.channels != 3)
    return;
  const int steps = int(turn * 255); // cut off towards 0
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    Hsv hsv = toHsv(&image.pixels[i]);
    hsv.hue = (hsv.hue + steps) & 255; // there are 256 hues, as torchvision's bytes wrap
    fromHsv(hsv, &image.pixels[i]);
  }
}

} // namespace vernier::runtime
