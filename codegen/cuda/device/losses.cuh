// Softmax cross-entropy with label smoothing and binary cross-entropy with logits. A block has an image; sums
// over classes and over images are in double.
#ifndef VERNIER_CUDA_DEVICE_LOSSES_CUH
#define VERNIER_CUDA_DEVICE_LOSSES_CUH

#include "block_sum.cuh"

#include <math.h>

namespace vn {

enum class LossKind { Softmax, Binary };

// Threads that share `count` numbers.
VN_CONSTANT int loss_threads(int count) {
  const int threads = power_from(count);
  return threads < 32 ? 32 : threads < 256 ? threads : 256;
}

// Of logits N x 1 x 1 x classes.
struct Loss {
  LossKind loss = LossKind::Softmax;
  Map logits;

  VN_CONSTANT int threads() const { return loss_threads(logits.c); }
};

constexpr Launch launch_of(const Loss &p, Stream stream = {}) {
  return {{unsigned(p.logits.n)}, {unsigned(p.threads())}, 0, stream};
}

struct LossGradient {
  LossKind loss = LossKind::Softmax;
  Map logits, gradient;

  VN_CONSTANT int threads() const { return loss_threads(logits.c); }
};

constexpr Launch launch_of(const LossGradient &p, Stream stream = {}) {
  return {{unsigned(p.logits.n)}, {unsigned(p.threads())}, 0, stream};
}

namespace detail {

// A logit of this block's image.
template <Map logits> VN_DEVICE float logit(Global<const Number<logits.element>> p, int j) {
  static_assert(logits.h * logits.w == 1 && logits.elements() < (1ll << 31), "rows of logits");
  const Number<logits.element> value = p[int(blockIdx.x) * logits.pixel + j];
  return to_float(value);
}

// Of this block's image: the largest logit and the sum of the exponentials, from which it is subtracted.
template <Map logits, int threads>
VN_DEVICE void softmax_sums(Global<const Number<logits.element>> p, float &maximum, float &sum) {
  float largest = -INFINITY;
  for (int j = int(threadIdx.x); j < logits.c; j += threads) {
    const float z = logit<logits>(p, j);
    largest = z > largest ? z : largest;
  }
  maximum = block_maximum<threads>(largest);
  double mine = 0;
  for (int j = int(threadIdx.x); j < logits.c; j += threads)
    mine += double(expf(logit<logits>(p, j) - maximum));
  sum = float(block_sum<threads>(mine));
}

} // namespace detail

// Labels and losses are one number for each image, smoothing is one number.
template <Loss p>
VN_DEVICE void softmax_loss(Global<const Number<p.logits.element>> logits, Global<const int> labels,
                            Global<const float> smoothing, Global<float> losses) {
  static_assert(p.loss == LossKind::Softmax, "binary_loss is the other one");
  constexpr int threads = p.threads(), classes = p.logits.c;
  const float smooth = smoothing[0];
  float maximum, sum;
  detail::softmax_sums<p.logits, threads>(logits, maximum, sum);
  const float log_sum = maximum + logf(sum);
  // Without smoothing the other classes take no part, even where a logit is -infinity.
  float spread = 0;
  if (smooth != 0.0f) {
    double mine = 0;
    for (int j = int(threadIdx.x); j < classes; j += threads)
      mine += double(log_sum - detail::logit<p.logits>(logits, j));
    spread = float(block_sum<threads>(mine) * (1.0 / classes)) * smooth;
  }
  if (threadIdx.x == 0)
    losses[blockIdx.x] =
        (log_sum - detail::logit<p.logits>(logits, labels[blockIdx.x])) * (1.0f - smooth) + spread;
}

// Targets: N x classes.
template <Loss p>
VN_DEVICE void binary_loss(Global<const Number<p.logits.element>> logits, Global<const float> targets,
                           Global<float> losses) {
  static_assert(p.loss == LossKind::Binary, "softmax_loss is the other one");
  constexpr int threads = p.threads(), classes = p.logits.c;
  double mine = 0;
  for (int j = int(threadIdx.x); j < classes; j += threads) {
    // Overflows nowhere.
    const float z = detail::logit<p.logits>(logits, j), t = targets[int(blockIdx.x) * classes + j];
    mine += double((1.0f - t) * z - (z < 0.0f ? z : 0.0f) + log1pf(expf(-fabsf(z))));
  }
  const double sum = block_sum<threads>(mine);
  if (threadIdx.x == 0)
    losses[blockIdx.x] = float(sum * (1.0 / classes));
}

struct MeanLoss {
  int count = 1;

  VN_CONSTANT int threads() const { return loss_threads(count); }
};

constexpr Launch launch_of(const MeanLoss &p, Stream stream = {}) {
  return {{1}, {unsigned(p.threads())}, 0, stream};
}

template <MeanLoss p> VN_DEVICE void mean_loss(Global<const float> losses, Global<float> mean) {
  double mine = 0;
  for (int i = int(threadIdx.x); i < p.count; i += p.threads())
    mine += double(losses[i]);
  const double sum = block_sum<p.threads()>(mine);
  if (threadIdx.x == 0)
    mean[0] = float(sum * (1.0 / p.count));
}

// Of the mean of all images' losses.
template <LossGradient p>
VN_DEVICE void softmax_gradient(Global<const Number<p.logits.element>> logits, Global<const int> labels,
                                Global<const float> smoothing, Global<Number<p.gradient.element>> gradient) {
  static_assert(p.loss == LossKind::Softmax, "binary_gradient is the other one");
  constexpr int threads = p.threads(), classes = p.logits.c;
  float maximum, sum;
  detail::softmax_sums<p.logits, threads>(logits, maximum, sum);
  const float smooth = smoothing[0], others = smooth * (1.0f / classes), own = others + (1.0f - smooth);
  const int label = labels[blockIdx.x];
  for (int j = int(threadIdx.x); j < classes; j += threads) {
    const float probability = expf(detail::logit<p.logits>(logits, j) - maximum) / sum;
    gradient[int(blockIdx.x) * p.gradient.pixel + j] = from_float<Number<p.gradient.element>>(
        (probability - (j == label ? own : others)) * (1.0f / p.logits.n));
  }
}

template <LossGradient p>
VN_DEVICE void binary_gradient(Global<const Number<p.logits.element>> logits, Global<const float> targets,
                               Global<Number<p.gradient.element>> gradient) {
  static_assert(p.loss == LossKind::Binary, "softmax_gradient is the other one");
  constexpr int classes = p.logits.c;
  for (int j = int(threadIdx.x); j < classes; j += p.threads()) {
    const float probability = 1.0f / (1.0f + expf(-detail::logit<p.logits>(logits, j)));
    gradient[int(blockIdx.x) * p.gradient.pixel + j] = from_float<Number<p.gradient.element>>(
        (probability - targets[int(blockIdx.x) * classes + j]) * float(1.0 / (1.0 * p.logits.n * classes)));
  }
}

} // namespace vn

#endif
