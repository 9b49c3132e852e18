// Activations, sums and products, with the N x 1 x 1 x C operand of squeeze-and-excitation and the
// N x H x W x 1 operand of spatial attention, and the reductions that are their gradients.
#include "compiler/interpreter/Kernels.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

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
  if (b.channels() != a.channels()) { // of each pixel, or of each image
    assert(b.channels() == 1 && (b.pixels() == a.pixels() || b.pixels() == a.batch()));
    const int64_t each = a.size() / b.pixels();
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < a.size(); ++i)
      y[i] = function(a[i], b[i / each]);
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

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double hardSigmoid(double x) { return (x + 3 < 0 ? 0.0 : x + 3 > 6 ? 6.0 : x + 3) / 6; }
// P(N(0, 1) <= x)
double normalDistribution(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
// What the approximation of gelu takes the hyperbolic tangent of, and its derivative.
double geluArgument(double x) { return std::sqrt(2 * std::numbers::inv_pi) * (x + 0.044715 * x * x * x); }
double geluArgumentSlope(double x) {
  return std::sqrt(2 * std::numbers::inv_pi) * (1 + 3 * 0.044715 * x * x);
}

// NaN stays NaN.
double activated(double x, Activation activation) {
  switch (activation.kind) {
  case Activation::None:
    return x;
  case Activation::Relu:
    return x < 0 ? 0.0 : x;
  case Activation::Relu6:
    return x < 0 ? 0.0 : x > 6 ? 6.0 : x;
  case Activation::LeakyRelu:
    return x > 0 ? x : activation.slope * x;
  case Activation::Sigmoid:
    return sigmoid(x);
  case Activation::HardSigmoid:
    return hardSigmoid(x);
  case Activation::Tanh:
    return std::tanh(x);
  case Activation::Exp:
    return std::exp(x);
  case Activation::Silu:
    return x * sigmoid(x);
  case Activation::HardSwish:
    return x * hardSigmoid(x);
  case Activation::Gelu:
    return x * normalDistribution(x);
  case Activation::GeluTanh:
    return x * sigmoid(2 * geluArgument(x)); // (1 + tanh(u)) / 2
  case Activation::ScaleShift:
    return activation.slope * x + activation.offset;
  }
  return x;
}

// Where `of` is NaN, dy passes or the gradient is NaN.
double gradientThrough(double of, double dy, Activation activation) {
  switch (activation.kind) {
  case Activation::None:
    return dy;
  case Activation::Relu:
    return of <= 0 ? 0.0 : dy;
  case Activation::Relu6:
    return of <= 0 || of >= 6 ? 0.0 : dy;
  case Activation::LeakyRelu:
    return of <= 0 ? activation.slope * dy : dy;
  case Activation::Sigmoid:
    return dy * of * (1 - of);
  case Activation::HardSigmoid:
    return of <= 0 || of >= 1 ? 0.0 : dy / 6;
  case Activation::Tanh:
    return dy * (1 - of * of);
  case Activation::Exp:
    return dy * of;
  case Activation::Silu: {
    const double s = sigmoid(of);
    return dy * (s + of * s * (1 - s));
  }
  case Activation::HardSwish:
    return dy * (of <= -3 ? 0.0 : of >= 3 ? 1.0 : of / 3 + 0.5);
  case Activation::Gelu:
    return dy * (normalDistribution(of) + of * std::exp(-of * of / 2) * std::sqrt(std::numbers::inv_pi / 2));
  case Activation::GeluTanh: {
    const double s = sigmoid(2 * geluArgument(of));
    return dy * (s + of * s * (1 - s) * 2 * geluArgumentSlope(of));
  }
  case Activation::ScaleShift:
    return dy * activation.slope;
  }
  return dy;
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
    y[i] = activated(x[i], activation);
  return y;
}

Tensor activateGrad(const Tensor &of, const Tensor &dy, Activation activation) {
  Tensor dx(of.shape);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < of.size(); ++i)
    dx[i] = gradientThrough(of[i], dy[i], activation);
  return dx;
}

Tensor add(const Tensor &a, const Tensor &b) {
  return zip(a, b, [](double x, double y) { return x + y; });
}

Tensor subtract(const Tensor &a, const Tensor &b) {
  return zip(a, b, [](double x, double y) { return x - y; });
}

Tensor multiply(const Tensor &a, const Tensor &b) {
  return zip(a, b, [](double x, double y) { return x * y; });
}

Tensor divide(const Tensor &a, const Tensor &b) {
  return zip(a, b, [](double x, double y) { return x / y; });
}

Tensor reduceChannels(const Tensor &x, ChannelReduction reduction) {
  Tensor y({x.batch(), x.height(), x.width(), 1});
  const int64_t channels = x.channels();
  for (int64_t p = 0; p < x.pixels(); ++p) {
    double &value = y[p];
    if (reduction == ChannelReduction::Max) {
      value = -INFINITY;                     // of no channels, as an allocation may leave
      for (int64_t c = 0; c < channels; ++c) // NaN stays, and is taken
        if (const double next = x[p * channels + c]; !(next <= value) && !std::isnan(value))
          value = next;
      continue;
    }
    for (int64_t c = 0; c < channels; ++c)
      value += x[p * channels + c];
    if (reduction == ChannelReduction::Mean)
      value /= double(channels);
  }
  return y;
}

Tensor pixelDot(const Tensor &a, const Tensor &b) {
  return reduceChannels(multiply(a, b), ChannelReduction::Sum);
}

Tensor broadcastChannels(const Tensor &x, double factor, int64_t channels) {
  Tensor y({x.batch(), x.height(), x.width(), channels});
  for (int64_t i = 0; i < y.size(); ++i)
    y[i] = factor * x[i / channels];
  return y;
}

Tensor channelMaxGrad(const Tensor &x, const Tensor &y, const Tensor &dy) {
  Tensor dx(x.shape);
  const int64_t channels = x.channels();
  for (int64_t p = 0; p < x.pixels(); ++p)
    for (int64_t c = 0; c < channels; ++c)
      if (const double value = x[p * channels + c]; !(value < y[p]) && !(value > y[p])) {
        dx[p * channels + c] = dy[p];
        break;
      }
  return dx;
}

Tensor spatialSum(const Tensor &x) {
  return sumSpatially(x, [&](int64_t i) { return x[i]; });
}

Tensor spatialDot(const Tensor &a, const Tensor &b) {
  return sumSpatially(a, [&](int64_t i) { return a[i] * b[i]; });
}

Tensor channelDot(const Tensor &a, const Tensor &b) { return channelSum(multiply(a, b)); }

Tensor channelSum(const Tensor &x) {
  Tensor perImage = spatialSum(x), y({x.channels()});
  for (int64_t i = 0; i < perImage.size(); ++i)
    y[i % x.channels()] += perImage[i];
  return y;
}

} // namespace vernier::interpreter
