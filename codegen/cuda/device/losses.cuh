// Softmax cross-entropy and losses of single elements, with their gradients. A block has a row of pixels; of
// logits without a map, a row is an image. Sums over classes, pixels and images are in double.
#ifndef VERNIER_CUDA_DEVICE_LOSSES_CUH
#define VERNIER_CUDA_DEVICE_LOSSES_CUH

#include "block_sum.cuh"
#include "epilogue.cuh"

#include <math.h>
#include <utility>

namespace vn {

// Threads that share `count` numbers.
VN_CONSTANT int loss_threads(int count) {
  const int threads = power_from(count);
  return threads < 32 ? 32 : threads < 256 ? threads : 256;
}

// --- softmax

// The threads of a block share the classes of a single pixel, or have pixels of their own.
VN_CONSTANT int softmax_threads(const Map &logits) {
  return loss_threads(logits.h * logits.w == 1 ? logits.c : logits.w);
}

struct SoftmaxLoss {
  Map logits;
  int ignored = 0;
  bool ignores = false; // a label, which has no loss
  bool weighted = false;

  VN_CONSTANT int threads() const { return softmax_threads(logits); }
};

constexpr Launch launch_of(const SoftmaxLoss &p, Stream stream = {}) {
  return {{unsigned(p.logits.n * p.logits.h)}, {unsigned(p.threads())}, 0, stream};
}

struct SoftmaxGradient {
  Map logits, gradient;
  int ignored = 0;
  bool ignores = false, weighted = false;
  double weight = 1;

  VN_CONSTANT int threads() const { return softmax_threads(logits); }
};

constexpr Launch launch_of(const SoftmaxGradient &p, Stream stream = {}) {
  return {{unsigned(p.logits.n * p.logits.h)}, {unsigned(p.threads())}, 0, stream};
}

namespace detail {

template <Map map> VN_DEVICE float element(Global<const Number<map.element>> p, int pixel, int j) {
  static_assert(map.elements() < (1ll << 31), "positions are ints");
  const Number<map.element> value = p[pixel * map.pixel + j];
  return to_float(value);
}

// Of a pixel: the largest logit and the sum of the exponentials, from which it is subtracted. `threads` share
// the pixel, or 1 has it.
template <Map logits, int threads>
VN_DEVICE void softmax_sums(Global<const Number<logits.element>> p, int pixel, float &maximum, float &sum) {
  const int first = threads == 1 ? 0 : int(threadIdx.x);
  float largest = -INFINITY;
  for (int j = first; j < logits.c; j += threads) {
    const float z = element<logits>(p, pixel, j);
    largest = z > largest ? z : largest;
  }
  if constexpr (threads > 1)
    largest = block_maximum<threads>(largest);
  double mine = 0;
  for (int j = first; j < logits.c; j += threads)
    mine += double(expf(element<logits>(p, pixel, j) - largest));
  if constexpr (threads > 1)
    mine = block_sum<threads>(mine);
  maximum = largest;
  sum = float(mine);
}

// Of a pixel, in each of its threads; `weights`, of classes, are read where `weighted`.
template <Map logits, int threads, bool weighted>
VN_DEVICE float softmax_loss_of(Global<const Number<logits.element>> p, int pixel, int label, float smooth,
                                Global<const float> weights) {
  float maximum, sum;
  softmax_sums<logits, threads>(p, pixel, maximum, sum);
  const float log_sum = maximum + logf(sum);
  // Without smoothing the other classes take no part, even where a logit is -infinity.
  float spread = 0;
  if (smooth != 0.0f) {
    double mine = 0;
    for (int j = threads == 1 ? 0 : int(threadIdx.x); j < logits.c; j += threads) {
      float loss = log_sum - element<logits>(p, pixel, j);
      if constexpr (weighted)
        loss *= weights[j];
      mine += double(loss);
    }
    if constexpr (threads > 1)
      mine = block_sum<threads>(mine);
    spread = float(mine * (1.0 / logits.c)) * smooth;
  }
  float own = log_sum - element<logits>(p, pixel, label);
  if constexpr (weighted)
    own *= weights[label];
  return own * (1.0f - smooth) + spread;
}

template <SoftmaxGradient p, int threads>
VN_DEVICE void softmax_gradient_of(Global<const Number<p.logits.element>> logits, int pixel, int label,
                                   float smooth, float factor, Global<const float> weights,
                                   Global<Number<p.gradient.element>> gradient) {
  constexpr int classes = p.logits.c;
  const bool counts = !p.ignores || label != p.ignored;
  float maximum = 0, sum = 1;
  if (counts) // of all threads that share the pixel
    softmax_sums<p.logits, threads>(logits, pixel, maximum, sum);
  const float others = smooth * (1.0f / classes), own = others + (1.0f - smooth);
  float all = 1; // what is wanted of all classes
  if constexpr (p.weighted) {
    double mine = 0;
    for (int j = threads == 1 ? 0 : int(threadIdx.x); j < classes; j += threads)
      mine += double(weights[j]);
    if constexpr (threads > 1)
      mine = block_sum<threads>(mine);
    if (counts)
      all = (1.0f - smooth) * weights[label] + others * float(mine);
  }
  for (int j = threads == 1 ? 0 : int(threadIdx.x); j < classes; j += threads) {
    float slope = 0;
    if (counts) {
      float probability = expf(element<p.logits>(logits, pixel, j) - maximum) / sum;
      float wanted = j == label ? own : others;
      if constexpr (p.weighted) {
        probability *= all;
        wanted *= weights[j];
      }
      slope = (probability - wanted) * factor;
    }
    gradient[pixel * p.gradient.pixel + j] = from_float<Number<p.gradient.element>>(slope);
  }
}

} // namespace detail

// A label for each pixel, a sum for each row of pixels; smoothing is one number.
template <SoftmaxLoss p>
VN_DEVICE void softmax_loss(Global<const Number<p.logits.element>> logits, Global<const int> labels,
                            Global<const float> smoothing, Global<const float> weights, Global<float> sums) {
  const float smooth = smoothing[0];
  const int row = int(blockIdx.x);
  if constexpr (p.logits.h * p.logits.w == 1) {
    const int label = labels[row];
    float loss = 0;
    if (!p.ignores || label != p.ignored)
      loss = detail::softmax_loss_of<p.logits, p.threads(), p.weighted>(logits, row, label, smooth, weights);
    if (threadIdx.x == 0)
      sums[row] = loss;
  } else {
    double mine = 0;
    for (int x = int(threadIdx.x); x < p.logits.w; x += p.threads()) {
      const int pixel = row * p.logits.w + x, label = labels[pixel];
      if (!p.ignores || label != p.ignored)
        mine +=
            double(detail::softmax_loss_of<p.logits, 1, p.weighted>(logits, pixel, label, smooth, weights));
    }
    const double sum = block_sum<p.threads()>(mine);
    if (threadIdx.x == 0)
      sums[row] = float(sum);
  }
}

// Of `weight` times the mean over all pixels, or over `count` where labels are ignored or weighted.
template <SoftmaxGradient p>
VN_DEVICE void softmax_gradient(Global<const Number<p.logits.element>> logits, Global<const int> labels,
                                Global<const float> smoothing, Global<const float> count,
                                Global<const float> weights, Global<Number<p.gradient.element>> gradient) {
  const float smooth = smoothing[0];
  float factor = float(p.weight / p.logits.pixels());
  if constexpr (p.ignores || p.weighted)
    factor = float(p.weight) / count[0];
  const int row = int(blockIdx.x);
  if constexpr (p.logits.h * p.logits.w == 1) {
    detail::softmax_gradient_of<p, p.threads()>(logits, row, labels[row], smooth, factor, weights, gradient);
  } else {
    for (int x = int(threadIdx.x); x < p.logits.w; x += p.threads()) {
      const int pixel = row * p.logits.w + x;
      detail::softmax_gradient_of<p, 1>(logits, pixel, labels[pixel], smooth, factor, weights, gradient);
    }
  }
}

struct CountLabels {
  int count = 1, ignored = 0;
  int parts = 1; // of `count` labels each
  bool ignores = false, weighted = false;

  VN_CONSTANT int threads() const { return count < 256 ? loss_threads(count) : 1024; }
};

constexpr Launch launch_of(const CountLabels &p, Stream stream = {}) {
  return {{unsigned(p.parts)}, {unsigned(p.threads())}, 0, stream};
}

// Labels of each part that are not ignored, or the sum of their classes' weights; 1 instead of 0.
template <CountLabels p>
VN_DEVICE void count_labels(Global<const int> labels, Global<const float> weights, Global<float> number) {
  const int part = int(blockIdx.x);
  double mine = 0;
  for (int i = int(threadIdx.x); i < p.count; i += p.threads()) {
    const int label = labels[part * p.count + i];
    if (p.ignores && label == p.ignored)
      continue;
    if constexpr (p.weighted)
      mine += double(weights[label]);
    else
      mine += 1;
  }
  const double sum = block_sum<p.threads()>(mine);
  if (threadIdx.x == 0)
    number[part] = sum == 0 ? 1.0f : float(sum);
}

// --- losses of single elements

enum class Pointwise { Mean, Binary, Focal, Squared, Absolute, SmoothL1 };

struct PointwiseFunction {
  Pointwise kind = Pointwise::Mean;
  float sharpness = 1, share = 0.5f;
};

struct PointwiseLoss {
  Map x, target; // of f32
  PointwiseFunction function;

  VN_CONSTANT int threads() const { return loss_threads(x.w * x.c); }
};

constexpr Launch launch_of(const PointwiseLoss &p, Stream stream = {}) {
  return {{unsigned(p.x.n * p.x.h)}, {unsigned(p.threads())}, 0, stream};
}

struct PointwiseGradient {
  Map x, target, gradient;
  PointwiseFunction function;
  double weight = 1;

  VN_CONSTANT int threads() const { return loss_threads(x.w * x.c); }
};

constexpr Launch launch_of(const PointwiseGradient &p, Stream stream = {}) {
  return {{unsigned(p.x.n * p.x.h)}, {unsigned(p.threads())}, 0, stream};
}

namespace detail {

// log(1 + exp(x)), which overflows nowhere; NaN stays NaN.
VN_DEVICE float softplus(float x) { return (x < 0.0f ? 0.0f : x) + log1pf(expf(-fabsf(x))); }
// A probability to the power of g, by its logarithm.
VN_DEVICE float probability_power(float minus_log, float g) {
  return g == 0.0f ? 1.0f : expf(-g * minus_log);
}
VN_DEVICE float sign(float d) { return d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : d * 0.0f; }

template <PointwiseFunction f> VN_DEVICE float pointwise_value(float x, float t) {
  const float d = fabsf(x - t);
  if constexpr (f.kind == Pointwise::Binary && f.sharpness != 1)
    return (1.0f - t) * x + (1.0f + (f.sharpness - 1.0f) * t) * softplus(-x);
  else if constexpr (f.kind == Pointwise::Binary)
    return (1.0f - t) * x - (x < 0.0f ? x : 0.0f) + log1pf(expf(-fabsf(x)));
  else if constexpr (f.kind == Pointwise::Focal)
    return f.share * t * probability_power(softplus(x), f.sharpness) * softplus(-x) +
           (1.0f - f.share) * (1.0f - t) * probability_power(softplus(-x), f.sharpness) * softplus(x);
  else if constexpr (f.kind == Pointwise::Squared)
    return d * d;
  else if constexpr (f.kind == Pointwise::Absolute)
    return d;
  else if constexpr (f.kind == Pointwise::SmoothL1)
    return d < f.sharpness ? d * d * (0.5f / f.sharpness) : d - f.sharpness * 0.5f;
  else
    return x;
}

template <PointwiseFunction f> VN_DEVICE float pointwise_derivative(float x, float t) {
  const float d = x - t;
  if constexpr (f.kind == Pointwise::Binary && f.sharpness != 1) {
    return 1.0f - t - (1.0f + (f.sharpness - 1.0f) * t) * sigmoid(-x);
  } else if constexpr (f.kind == Pointwise::Binary) {
    return sigmoid(x) - t;
  } else if constexpr (f.kind == Pointwise::Focal) {
    const float p = sigmoid(x), q = sigmoid(-x), of_one = softplus(-x), of_zero = softplus(x);
    return (1.0f - f.share) * (1.0f - t) * probability_power(of_one, f.sharpness) *
               (p + f.sharpness * q * of_zero) -
           f.share * t * probability_power(of_zero, f.sharpness) * (q + f.sharpness * p * of_one);
  } else if constexpr (f.kind == Pointwise::Squared) {
    return 2.0f * d;
  } else if constexpr (f.kind == Pointwise::Absolute) {
    return sign(d);
  } else if constexpr (f.kind == Pointwise::SmoothL1) {
    return fabsf(d) < f.sharpness ? d * (1.0f / f.sharpness) : sign(d);
  } else {
    return 1.0f;
  }
}

} // namespace detail

// `target` is read where the function has one. A sum for each row of pixels.
template <PointwiseLoss p>
VN_DEVICE void pointwise_loss(Global<const Number<p.x.element>> x,
                              Global<const Number<p.target.element>> target, Global<float> sums) {
  constexpr int channels = p.x.c;
  const int row = int(blockIdx.x);
  double mine = 0;
  for (int i = int(threadIdx.x); i < p.x.w * channels; i += p.threads()) {
    const int pixel = row * p.x.w + i / channels, c = i % channels;
    float t = 0;
    if constexpr (p.function.kind != Pointwise::Mean)
      t = detail::element<p.target>(target, pixel, c);
    mine += double(detail::pointwise_value<p.function>(detail::element<p.x>(x, pixel, c), t));
  }
  const double sum = block_sum<p.threads()>(mine);
  if (threadIdx.x == 0)
    sums[row] = float(sum);
}

// Of `weight` times the mean over all elements.
template <PointwiseGradient p>
VN_DEVICE void pointwise_gradient(Global<const Number<p.x.element>> x,
                                  Global<const Number<p.target.element>> target,
                                  Global<Number<p.gradient.element>> gradient) {
  constexpr int channels = p.x.c;
  constexpr float factor = float(p.weight / (1.0 * p.x.pixels() * channels));
  const int row = int(blockIdx.x);
  for (int i = int(threadIdx.x); i < p.x.w * channels; i += p.threads()) {
    const int pixel = row * p.x.w + i / channels, c = i % channels;
    float t = 0;
    if constexpr (p.function.kind != Pointwise::Mean)
      t = detail::element<p.target>(target, pixel, c);
    const float slope = detail::pointwise_derivative<p.function>(detail::element<p.x>(x, pixel, c), t);
    gradient[pixel * p.gradient.pixel + c] = from_float<Number<p.gradient.element>>(slope * factor);
  }
}

// --- what sums become

struct MeanLoss {
  int sums = 1, count = 1; // of each part: so many sums, of so many losses
  int parts = 1;
  bool counted = false; // the number of losses is read

  VN_CONSTANT int threads() const { return loss_threads(sums); }
};

constexpr Launch launch_of(const MeanLoss &p, Stream stream = {}) {
  return {{unsigned(p.parts)}, {unsigned(p.threads())}, 0, stream};
}

template <MeanLoss p>
VN_DEVICE void mean_loss(Global<const float> sums, Global<const float> count, Global<float> mean) {
  const int part = int(blockIdx.x);
  double mine = 0;
  for (int i = int(threadIdx.x); i < p.sums; i += p.threads())
    mine += double(sums[part * p.sums + i]);
  const double sum = block_sum<p.threads()>(mine);
  if (threadIdx.x == 0) {
    if constexpr (p.counted)
      mean[part] = float(sum / double(count[part]));
    else
      mean[part] = float(sum * (1.0 / p.count));
  }
}

template <int count> struct NumberTable { float values[count]; };

template <int count> constexpr Launch launch_of(const NumberTable<count> &, Stream stream = {}) {
  return {{1}, {1}, 0, stream};
}

namespace detail {

template <auto p, int index> VN_DEVICE void write_number(Global<float> out) {
  constexpr float value = p.values[index];
  out[index] = value;
}
template <auto p, int... indices>
VN_DEVICE void write_numbers(Global<float> out, std::integer_sequence<int, indices...>) {
  (write_number<p, indices>(out), ...);
}

} // namespace detail

template <auto p> VN_DEVICE void numbers(Global<float> out) {
  constexpr int count = int(sizeof(p.values) / sizeof(float));
  detail::write_numbers<p>(out, std::make_integer_sequence<int, count>());
}

// Up to four numbers, each times its weight, added to another, if there is one; so for each of `size`.
struct WeightedSum {
  int terms = 1, size = 1;
  bool adds = false;
  double first = 1, second = 0, third = 0, fourth = 0;
};

constexpr Launch launch_of(const WeightedSum &p, Stream stream = {}) {
  return {{unsigned(p.size)}, {1}, 0, stream};
}

template <WeightedSum p>
VN_DEVICE void weighted_sum(Global<const float> first, Global<const float> second, Global<const float> third,
                            Global<const float> fourth, Global<const float> other, Global<float> sum) {
  const int i = int(blockIdx.x);
  double value = double(first[i]) * p.first;
  if constexpr (p.terms > 1)
    value += double(second[i]) * p.second;
  if constexpr (p.terms > 2)
    value += double(third[i]) * p.third;
  if constexpr (p.terms > 3)
    value += double(fourth[i]) * p.fourth;
  if constexpr (p.adds)
    value += double(other[i]);
  sum[i] = float(value);
}

} // namespace vn

#endif
