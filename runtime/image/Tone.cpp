// Changes of an image's tones: each value by a table, but for sharpness.
#include "runtime/image/Color.h"

#include <algorithm>
#include <array>

namespace vernier::runtime {

using Table = std::array<uint8_t, 256>;

template <class Change> static Table tableOf(Change change) {
  Table table;
  for (int v = 0; v < 256; ++v)
    table[size_t(v)] = uint8_t(change(v));
  return table;
}

static void lookUp(Image &image, int64_t channel, const Table &table) {
  for (size_t i = size_t(channel); i < image.pixels.size(); i += size_t(image.channels))
    image.pixels[i] = table[image.pixels[i]];
}

static void lookUpAll(Image &image, const Table &table) {
  for (uint8_t &value : image.pixels)
    value = table[value];
}

static std::array<int64_t, 256> histogramOf(const Image &image, int64_t channel) {
  std::array<int64_t, 256> counts{};
  for (size_t i = size_t(channel); i < image.pixels.size(); i += size_t(image.channels))
    ++counts[image.pixels[i]];
  return counts;
}

void posterize(Image &image, int bits) {
  lookUpAll(image, tableOf([&](int v) { return v & (0xff00 >> bits); }));
}

void solarize(Image &image, double threshold) {
  lookUpAll(image, tableOf([&](int v) { return v < threshold ? v : 255 - v; }));
}

void stretchContrast(Image &image) {
  for (int64_t c = 0; c < image.channels; ++c) {
    const auto counts = histogramOf(image, c);
    int least = 0, most = 255;
    while (least < 255 && counts[size_t(least)] == 0)
      ++least;
    while (most > 0 && counts[size_t(most)] == 0)
      --most;
    if (most <= least)
      continue;
    const double scale = 255.0 / (most - least), offset = -least * scale;
    lookUp(image, c, tableOf([&](int v) { return std::clamp(int(v * scale + offset), 0, 255); }));
  }
}

void equalize(Image &image) {
  for (int64_t c = 0; c < image.channels; ++c) {
    const auto counts = histogramOf(image, c);
    const auto last = std::find_if(counts.rbegin(), counts.rend(), [](int64_t count) { return count > 0; });
    const int64_t step = (image.height * image.width - *last) / 255;
    if (step == 0) // too few pixels, or all of one value
      continue;
    int64_t below = step / 2;
    lookUp(image, c, tableOf([&](int v) {
             const int64_t level = below / step;
             below += counts[size_t(v)];
             return std::min<int64_t>(level, 255);
           }));
  }
}

void adjustSharpness(Image &image, float factor) {
  Image smooth = image; // at the borders, as it is
  for (int64_t y = 1; y + 1 < image.height; ++y)
    for (int64_t x = 1; x + 1 < image.width; ++x)
      for (int64_t c = 0; c < image.channels; ++c) {
        const size_t at = size_t((y * image.width + x) * image.channels + c);
        int sum = 4 * image.pixels[at];
        for (int64_t dy = -1; dy <= 1; ++dy)
          for (int64_t dx = -1; dx <= 1; ++dx)
            sum += image.pixels[at + size_t((dy * image.width + dx) * image.channels)];
        smooth.pixels[at] = uint8_t((2 * sum + 13) / 26); // a thirteenth, rounded
      }
  for (size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = blend(smooth.pixels[i], image.pixels[i], factor);
}

} // namespace vernier::runtime
