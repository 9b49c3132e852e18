// Operations that move pixels or channels: resize, pad, crop, slice, shuffle, concat and their gradients.
#include "compiler/interpreter/Kernels.h"

#include <algorithm>
#include <cmath>

namespace vernier::interpreter {
namespace {

// A target coordinate reads `low` with weight 1 - fraction and `high` with weight fraction.
struct Sample {
  int64_t low, high;
  double fraction;
};

std::vector<Sample> samples(int64_t in, int64_t out, ResizeMode mode, bool alignCorners, double scale) {
  std::vector<Sample> result(out);
  // Rounded to float32, as the product is below: it decides which pixel is taken.
  const float nearestStep =
      scale > 0 ? static_cast<float>(1 / scale) : static_cast<float>(in) / static_cast<float>(out);
  for (int64_t i = 0; i < out; ++i) {
    if (mode == ResizeMode::Nearest && (out == in || out == 2 * in)) {
      const int64_t source = i / (out / in);
      result[i] = {source, source, 0.0};
      continue;
    }
    if (mode == ResizeMode::Nearest) {
      const float position = static_cast<float>(i) * nearestStep;
      const int64_t source = std::min(static_cast<int64_t>(std::floor(position)), in - 1);
      result[i] = {source, source, 0.0};
      continue;
    }
    const double centre = static_cast<double>(i) + 0.5;
    double source;
    if (in == out)
      source = static_cast<double>(i);
    else if (alignCorners)
      source =
          out > 1 ? static_cast<double>(i) * static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0;
    else if (scale > 0)
      source = std::max(0.0, centre * (1 / scale) - 0.5);
    else
      source = std::max(0.0, centre * static_cast<double>(in) / static_cast<double>(out) - 0.5);
    int64_t low = std::min(static_cast<int64_t>(std::floor(source)), in - 1);
    // An axis that keeps its size has no neighbour, whose infinity would count even with weight 0.
    result[i] = {low, in == out ? low : std::min(low + 1, in - 1), source - static_cast<double>(low)};
  }
  return result;
}

} // namespace

Tensor resize(const Tensor &x, int64_t height, int64_t width, ResizeMode mode, bool alignCorners,
              double scale) {
  Tensor y({x.batch(), height, width, x.channels()});
  std::vector<Sample> rows = samples(x.height(), height, mode, alignCorners, scale);
  std::vector<Sample> columns = samples(x.width(), width, mode, alignCorners, scale);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < y.batch(); ++n)
    for (int64_t oy = 0; oy < height; ++oy)
      for (int64_t ox = 0; ox < width; ++ox) {
        const Sample &r = rows[oy], &s = columns[ox];
        const double *a = x.pixel(n, r.low, s.low), *b = x.pixel(n, r.low, s.high);
        const double *c = x.pixel(n, r.high, s.low), *d = x.pixel(n, r.high, s.high);
        double *out = y.pixel(n, oy, ox);
        if (mode == ResizeMode::Nearest) { // no product with 0, which would make NaN of infinity
          std::copy_n(a, x.channels(), out);
          continue;
        }
        for (int64_t i = 0; i < x.channels(); ++i)
          out[i] = (1 - r.fraction) * ((1 - s.fraction) * a[i] + s.fraction * b[i]) +
                   r.fraction * ((1 - s.fraction) * c[i] + s.fraction * d[i]);
      }
  return y;
}

Tensor resizeGrad(const Tensor &dy, const std::vector<int64_t> &inputShape, ResizeMode mode,
                  bool alignCorners, double scale) {
  Tensor dx(inputShape);
  std::vector<Sample> rows = samples(dx.height(), dy.height(), mode, alignCorners, scale);
  std::vector<Sample> columns = samples(dx.width(), dy.width(), mode, alignCorners, scale);
#pragma omp parallel for schedule(static)
  for (int64_t n = 0; n < dy.batch(); ++n)
    for (int64_t oy = 0; oy < dy.height(); ++oy)
      for (int64_t ox = 0; ox < dy.width(); ++ox) {
        const Sample &r = rows[oy], &s = columns[ox];
        double *a = dx.pixel(n, r.low, s.low), *b = dx.pixel(n, r.low, s.high);
        double *c = dx.pixel(n, r.high, s.low), *d = dx.pixel(n, r.high, s.high);
        const double *in = dy.pixel(n, oy, ox);
        for (int64_t i = 0; i < dy.channels(); ++i) {
          if (mode == ResizeMode::Nearest) {
            a[i] += in[i];
            continue;
          }
          a[i] += (1 - r.fraction) * (1 - s.fraction) * in[i];
          b[i] += (1 - r.fraction) * s.fraction * in[i];
          c[i] += r.fraction * (1 - s.fraction) * in[i];
          d[i] += r.fraction * s.fraction * in[i];
        }
      }
  return dx;
}

Tensor repeatPixels(const Tensor &x, int64_t height, int64_t width) {
  Tensor y({x.batch(), height, width, x.channels()});
  for (int64_t n = 0; n < y.batch(); ++n)
    for (int64_t oy = 0; oy < height; ++oy)
      for (int64_t ox = 0; ox < width; ++ox)
        std::copy_n(x.pixel(n, oy / (height / x.height()), ox / (width / x.width())), x.channels(),
                    y.pixel(n, oy, ox));
  return y;
}

Tensor pad(const Tensor &x, const std::array<int64_t, 4> &padding, bool replicate) {
  Tensor y(
      {x.batch(), x.height() + padding[0] + padding[1], x.width() + padding[2] + padding[3], x.channels()});
  for (int64_t n = 0; n < y.batch(); ++n)
    for (int64_t oy = 0; oy < y.height(); ++oy)
      for (int64_t ox = 0; ox < y.width(); ++ox) {
        int64_t iy = std::clamp<int64_t>(oy - padding[0], 0, x.height() - 1);
        int64_t ix = std::clamp<int64_t>(ox - padding[2], 0, x.width() - 1);
        if (replicate || (iy == oy - padding[0] && ix == ox - padding[2]))
          std::copy_n(x.pixel(n, iy, ix), x.channels(), y.pixel(n, oy, ox));
      }
  return y;
}

Tensor padReplicateGrad(const Tensor &dy, const std::array<int64_t, 4> &padding) {
  Tensor dx({dy.batch(), dy.height() - padding[0] - padding[1], dy.width() - padding[2] - padding[3],
             dy.channels()});
  for (int64_t n = 0; n < dy.batch(); ++n)
    for (int64_t oy = 0; oy < dy.height(); ++oy)
      for (int64_t ox = 0; ox < dy.width(); ++ox) {
        double *out = dx.pixel(n, std::clamp<int64_t>(oy - padding[0], 0, dx.height() - 1),
                               std::clamp<int64_t>(ox - padding[2], 0, dx.width() - 1));
        const double *in = dy.pixel(n, oy, ox);
        for (int64_t c = 0; c < dy.channels(); ++c)
          out[c] += in[c];
      }
  return dx;
}

Tensor crop(const Tensor &x, int64_t top, int64_t left, int64_t height, int64_t width) {
  Tensor y({x.batch(), height, width, x.channels()});
  for (int64_t n = 0; n < y.batch(); ++n)
    for (int64_t oy = 0; oy < height; ++oy)
      std::copy_n(x.pixel(n, oy + top, left), width * x.channels(), y.pixel(n, oy, 0));
  return y;
}

Tensor slice(const Tensor &x, int64_t begin, int64_t count) {
  Tensor y({x.batch(), x.height(), x.width(), count});
  for (int64_t p = 0; p < x.pixels(); ++p)
    std::copy_n(x.data.data() + p * x.channels() + begin, count, y.data.data() + p * count);
  return y;
}

Tensor channelShuffle(const Tensor &x, int64_t groups) {
  Tensor y(x.shape);
  const int64_t perGroup = x.channels() / groups;
  for (int64_t p = 0; p < x.pixels(); ++p)
    for (int64_t g = 0; g < groups; ++g)
      for (int64_t i = 0; i < perGroup; ++i)
        y.data[p * x.channels() + i * groups + g] = x.data[p * x.channels() + g * perGroup + i];
  return y;
}

Tensor concat(std::span<const Tensor *const> operands) {
  std::vector<int64_t> shape = operands.front()->shape;
  shape[3] = 0;
  for (const Tensor *operand : operands)
    shape[3] += operand->channels();
  Tensor y(shape);
  int64_t begin = 0;
  for (const Tensor *operand : operands) {
    for (int64_t p = 0; p < y.pixels(); ++p)
      std::copy_n(operand->data.data() + p * operand->channels(), operand->channels(),
                  y.data.data() + p * y.channels() + begin);
    begin += operand->channels();
  }
  return y;
}

// Calls visit(place in the fine map, place in the coarse one) for each element.
template <typename Visit>
static void forEachOfSquares(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t factor,
                             Visit visit) {
  int64_t fine = 0;
  for (int64_t n = 0; n < batch; ++n)
    for (int64_t h = 0; h < height; ++h)
      for (int64_t w = 0; w < width; ++w)
        for (int64_t c = 0; c < channels; ++c, ++fine) {
          const int64_t pixel = (n * (height / factor) + h / factor) * (width / factor) + w / factor;
          visit(fine, ((pixel * channels + c) * factor + h % factor) * factor + w % factor);
        }
}

Tensor pixelShuffle(const Tensor &x, int64_t factor) {
  Tensor y({x.batch(), x.height() * factor, x.width() * factor, x.channels() / (factor * factor)});
  forEachOfSquares(y.batch(), y.height(), y.width(), y.channels(), factor,
                   [&](int64_t fine, int64_t coarse) { y[fine] = x[coarse]; });
  return y;
}

Tensor pixelUnshuffle(const Tensor &x, int64_t factor) {
  Tensor y({x.batch(), x.height() / factor, x.width() / factor, x.channels() * factor * factor});
  forEachOfSquares(x.batch(), x.height(), x.width(), x.channels(), factor,
                   [&](int64_t fine, int64_t coarse) { y[coarse] = x[fine]; });
  return y;
}

Tensor embedChannels(const Tensor &x, int64_t begin, int64_t channels) {
  Tensor y({x.batch(), x.height(), x.width(), channels});
  for (int64_t p = 0; p < x.pixels(); ++p)
    std::copy_n(x.data.data() + p * x.channels(), x.channels(), y.data.data() + p * channels + begin);
  return y;
}

} // namespace vernier::interpreter
