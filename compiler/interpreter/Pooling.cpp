// Max, average and global pooling. Every loop runs over the channels of one pixel at a time.
#include "compiler/interpreter/Kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vernier::interpreter {
namespace {

// PyTorch's rule: with `ceil`, a last window that would start beyond the input and its leading padding is
// dropped.
int64_t pooledSize(int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t stride, bool ceil) {
  int64_t room = size + before + after - kernel;
  if (room < 0)
    return 0;
  int64_t count = (room + (ceil ? stride - 1 : 0)) / stride + 1;
  return ceil && (count - 1) * stride >= size + before ? count - 1 : count;
}

std::vector<int64_t> pooledShape(const std::vector<int64_t> &in, const PoolGeometry &g) {
  return {in[0], pooledSize(in[1], g.padding[0], g.padding[1], g.kernel[0], g.stride[0], g.ceil),
          pooledSize(in[2], g.padding[2], g.padding[3], g.kernel[1], g.stride[1], g.ceil), in[3]};
}

// The part [begin, end) of a window that lies in the map, and its length with the padding it covers.
struct Window {
  int64_t begin, end, padded;
};

Window window(int64_t index, int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t stride) {
  int64_t begin = index * stride - before, end = std::min(begin + kernel, size + after);
  return {std::max<int64_t>(begin, 0), std::min(end, size), end - begin};
}

struct Windows {
  Window rows, columns;
  Windows(const PoolGeometry &g, int64_t y, int64_t x, int64_t height, int64_t width)
      : rows(window(y, height, g.padding[0], g.padding[1], g.kernel[0], g.stride[0])),
        columns(window(x, width, g.padding[2], g.padding[3], g.kernel[1], g.stride[1])) {}
  double divisor(bool countPadding) const {
    return countPadding ? rows.padded * columns.padded
                        : (rows.end - rows.begin) * (columns.end - columns.begin);
  }
};

} // namespace

Tensor maxPool(const Tensor &x, const PoolGeometry &g) {
  Tensor y(pooledShape(x.shape, g), -std::numeric_limits<double>::infinity());
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < y.batch(); ++n)
    for (int64_t oy = 0; oy < y.height(); ++oy)
      for (int64_t ox = 0; ox < y.width(); ++ox) {
        Windows w(g, oy, ox, x.height(), x.width());
        double *out = y.pixel(n, oy, ox);
        for (int64_t iy = w.rows.begin; iy < w.rows.end; ++iy)
          for (int64_t ix = w.columns.begin; ix < w.columns.end; ++ix) {
            const double *in = x.pixel(n, iy, ix);
            for (int64_t c = 0; c < x.channels(); ++c)
              if (in[c] > out[c] || std::isnan(in[c]))
                out[c] = in[c];
          }
      }
  return y;
}

Tensor maxPoolGrad(const Tensor &x, const Tensor &dy, const PoolGeometry &g) {
  Tensor dx(x.shape);
#pragma omp parallel for schedule(static)
  for (int64_t n = 0; n < dy.batch(); ++n) {
    std::vector<double> best(x.channels());
    std::vector<double *> winner(x.channels());
    for (int64_t oy = 0; oy < dy.height(); ++oy)
      for (int64_t ox = 0; ox < dy.width(); ++ox) {
        Windows w(g, oy, ox, x.height(), x.width());
        std::fill(winner.begin(), winner.end(), nullptr);
        for (int64_t iy = w.rows.begin; iy < w.rows.end; ++iy)
          for (int64_t ix = w.columns.begin; ix < w.columns.end; ++ix) {
            const double *in = x.pixel(n, iy, ix);
            double *out = dx.pixel(n, iy, ix);
            for (int64_t c = 0; c < x.channels(); ++c)
              if (!winner[c] || in[c] > best[c] || std::isnan(in[c])) {
                best[c] = in[c];
                winner[c] = out + c;
              }
          }
        const double *d = dy.pixel(n, oy, ox);
        for (int64_t c = 0; c < x.channels(); ++c)
          if (winner[c])
            *winner[c] += d[c];
      }
  }
  return dx;
}

Tensor avgPool(const Tensor &x, const PoolGeometry &g) {
  Tensor y(pooledShape(x.shape, g));
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < y.batch(); ++n)
    for (int64_t oy = 0; oy < y.height(); ++oy)
      for (int64_t ox = 0; ox < y.width(); ++ox) {
        Windows w(g, oy, ox, x.height(), x.width());
        double *out = y.pixel(n, oy, ox);
        for (int64_t iy = w.rows.begin; iy < w.rows.end; ++iy)
          for (int64_t ix = w.columns.begin; ix < w.columns.end; ++ix) {
            const double *in = x.pixel(n, iy, ix);
            for (int64_t c = 0; c < x.channels(); ++c)
              out[c] += in[c];
          }
        for (int64_t c = 0; c < x.channels(); ++c)
          out[c] /= w.divisor(g.countPadding);
      }
  return y;
}

Tensor avgPoolGrad(const Tensor &dy, const std::vector<int64_t> &inputShape, const PoolGeometry &g) {
  Tensor dx(inputShape);
#pragma omp parallel for schedule(static)
  for (int64_t n = 0; n < dy.batch(); ++n)
    for (int64_t oy = 0; oy < dy.height(); ++oy)
      for (int64_t ox = 0; ox < dy.width(); ++ox) {
        Windows w(g, oy, ox, dx.height(), dx.width());
        const double *d = dy.pixel(n, oy, ox);
        for (int64_t iy = w.rows.begin; iy < w.rows.end; ++iy)
          for (int64_t ix = w.columns.begin; ix < w.columns.end; ++ix) {
            double *out = dx.pixel(n, iy, ix);
            for (int64_t c = 0; c < dx.channels(); ++c)
              out[c] += d[c] / w.divisor(g.countPadding);
          }
      }
  return dx;
}

Tensor globalAvgPool(const Tensor &x) {
  Tensor y = spatialSum(x);
  for (double &value : y.data)
    value /= static_cast<double>(x.height() * x.width());
  return y;
}

Tensor globalAvgPoolGrad(const Tensor &dy, const std::vector<int64_t> &inputShape) {
  Tensor dx(inputShape);
  double count = static_cast<double>(dx.height() * dx.width());
  for (int64_t n = 0; n < dx.batch(); ++n)
    for (int64_t p = 0; p < dx.height() * dx.width(); ++p)
      for (int64_t c = 0; c < dx.channels(); ++c)
        dx[(n * dx.height() * dx.width() + p) * dx.channels() + c] = dy[n * dx.channels() + c] / count;
  return dx;
}

} // namespace vernier::interpreter
