// Activations, sums and products, with the N x 1 x 1 x C operand of squeeze-and-excitation, and the
// reductions that are their gradients.
#include "compiler/interpreter/Kernels.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace vernier::interpreter {
namespace {

template <typename Function> Tensor zip(const Tensor &a, const Tensor &b, Function function) {
  Tensor y(a.shape);
  if (a.shape == b.shape) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < a.size(); ++i)
      y[i] = function(a[i], b[i]);
    return y;
  }
  assert(b.height() == 1 && b.width() == 1 && b.batch() == a.batch() && b.channels() == a.channels());
  const int64_t area = a.height() * a.width(), channels = a.channels();
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < a.pixels(); ++p)
    for (int64_t c = 0; c < channels; ++c)
      y[p * channels + c] = function(a[p * channels + c], b[p / area * channels + c]);
  return y;
}

// Sums value(i) over each image's pixels.
template <typename Value> Tensor sumSpatially(const Tensor &like, Value value) {
  Tensor y({like.batch(), 1, 1, like.channels()});
  const int64_t area = like.height() * like.width(), channels = like.channels();
#pragma omp parallel for schedule(static)
  for (int64_t n = 0; n < like.batch(); ++n)
    for (int64_t p = 0; p < area; ++p)
      for (int64_t c = 0; c < channels; ++c)
        y[n * channels + c] += value((n * area + p) * channels + c);
  return y;
}

// 8 bits of significand; from 2^-126 down the last one is 2^-133.
double nearestBFloat16(double x) {
  if (!std::isfinite(x))
    return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  const double last = std::ldexp(1.0, std::max(exponent - 8, -133));
  const double rounded = std::nearbyint(x / last) * last;
  return std::abs(rounded) < 0x1p128 ? rounded : std::copysign(INFINITY, x);
}

} // namespace

Tensor roundToBFloat16(Tensor x) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < x.size(); ++i)
    x[i] = nearestBFloat16(x[i]);
  return x;
}

Tensor activate(const Tensor &x, Activation activation) {
  if (activation == Activation::None)
    return x;
  Tensor y(x.shape);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < x.size(); ++i)
    switch (activation) {
    case Activation::None:
      break;
    case Activation::Relu:
      y[i] = x[i] < 0.0 ? 0.0 : x[i]; // NaN stays
      break;
    case Activation::Relu6:
      y[i] = x[i] < 0.0 ? 0.0 : x[i] > 6.0 ? 6.0 : x[i];
      break;
    case Activation::Sigmoid:
      y[i] = 1.0 / (1.0 + std::exp(-x[i]));
      break;
    }
  return y;
}

Tensor activateGrad(const Tensor &y, const Tensor &dy, Activation activation) {
  Tensor dx(y.shape);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < y.size(); ++i)
    switch (activation) {
    case Activation::None:
      dx[i] = dy[i];
      break;
    case Activation::Relu:
      dx[i] = y[i] <= 0.0 ? 0.0 : dy[i]; // passes where y is NaN
      break;
    case Activation::Relu6:
      dx[i] = y[i] <= 0.0 || y[i] >= 6.0 ? 0.0 : dy[i];
      break;
    case Activation::Sigmoid:
      dx[i] = dy[i] * y[i] * (1.0 - y[i]);
      break;
    }
  return dx;
}

Tensor add(const Tensor &a, const Tensor &b) {
  return zip(a, b, [](double x, double y) { return x + y; });
}

Tensor multiply(const Tensor &a, const Tensor &b) {
  return zip(a, b, [](double x, double y) { return x * y; });
}

Tensor spatialSum(const Tensor &x) {
  return sumSpatially(x, [&](int64_t i) { return x[i]; });
}

Tensor spatialDot(const Tensor &a, const Tensor &b) {
  return sumSpatially(a, [&](int64_t i) { return a[i] * b[i]; });
}

Tensor channelSum(const Tensor &x) {
  Tensor perImage = spatialSum(x), y({x.channels()});
  for (int64_t i = 0; i < perImage.size(); ++i)
    y[i % x.channels()] += perImage[i];
  return y;
}

} // namespace vernier::interpreter
