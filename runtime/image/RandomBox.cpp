#include "runtime/image/RandomBox.h"

#include <algorithm>
#include <cmath>

namespace vernier::runtime {

static constexpr int tries = 10;

/// Halves go to the even neighbour, as Python rounds.
static int64_t rounded(double value) { return int64_t(std::nearbyint(value)); }

namespace {

/// Two sides whose product is a share of an area and whose quotient is a ratio.
struct Sides {
  int64_t longer, shorter; ///< where the ratio is above 1
};

} // namespace

static Sides randomSides(int64_t height, int64_t width, Range area, Range ratio, RandomStream &random) {
  auto uniform = [&](double least, double most) { return least + (most - least) * double(random.uniform()); };
  const double wanted = double(height * width) * uniform(area.least, area.most);
  const double quotient = std::exp(uniform(std::log(ratio.least), std::log(ratio.most)));
  return {rounded(std::sqrt(wanted * quotient)), rounded(std::sqrt(wanted / quotient))};
}

static Box placed(int64_t height, int64_t width, int64_t boxHeight, int64_t boxWidth, RandomStream &random) {
  const int64_t top = random.below(uint32_t(height - boxHeight + 1));
  const int64_t left = random.below(uint32_t(width - boxWidth + 1));
  return {top, left, boxHeight, boxWidth};
}

Box randomCropBox(int64_t height, int64_t width, Range area, Range ratio, RandomStream &random) {
  for (int i = 0; i < tries; ++i) {
    const auto [w, h] = randomSides(height, width, area, ratio, random);
    if (w > 0 && w <= width && h > 0 && h <= height)
      return placed(height, width, h, w, random);
  }
  return fallbackCropBox(height, width, ratio);
}

Box fallbackCropBox(int64_t height, int64_t width, Range ratio) {
  const double whole = double(width) / double(height);
  int64_t h = height, w = width;
  if (whole < ratio.least)
    h = std::max<int64_t>(rounded(double(w) / ratio.least), 1);
  else if (whole > ratio.most)
    w = std::max<int64_t>(rounded(double(h) * ratio.most), 1);
  return {(height - h) / 2, (width - w) / 2, h, w};
}

std::optional<Box> randomErasedBox(int64_t height, int64_t width, Range area, Range ratio,
                                   RandomStream &random) {
  for (int i = 0; i < tries; ++i) {
    const auto [h, w] = randomSides(height, width, area, ratio, random);
    if (h < height && w < width)
      return placed(height, width, h, w, random);
  }
  return std::nullopt;
}

} // namespace vernier::runtime
