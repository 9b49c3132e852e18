// Batch norm folded into the weights and biases of what it follows: scale = gamma / sqrt(variance + epsilon);
// and parameters multiplied by given numbers.
// A thread for each number; blocks have 256 threads.
#ifndef VERNIER_CUDA_DEVICE_FOLD_CUH
#define VERNIER_CUDA_DEVICE_FOLD_CUH

#include "launch.cuh"
#include "map.cuh"

#include <math.h>

namespace vn {

constexpr int fold_threads = 256;

constexpr Launch fold_launch(int count, Stream stream) {
  return {{unsigned(ceil_div(count, fold_threads))}, {fold_threads}, 0, stream};
}

VN_DEVICE float reciprocal_deviation(float variance, double epsilon) {
  return 1.0f / sqrtf(variance + float(epsilon));
}

struct FoldWeight {
  int outputs = 0, per_output = 0;
  double epsilon = 0;
};

constexpr Launch launch_of(const FoldWeight &p, Stream stream = {}) {
  return fold_launch(p.outputs * p.per_output, stream);
}

// weight and folded: outputs x per_output.
template <FoldWeight p>
VN_DEVICE void fold_weight(Global<const float> weight, Global<const float> gamma,
                           Global<const float> variance, Global<float> folded) {
  static_assert(1ll * p.outputs * p.per_output < (1ll << 31), "places are counted in int");
  const int i = int(blockIdx.x) * fold_threads + int(threadIdx.x), output = i / p.per_output;
  if (output < p.outputs)
    folded[i] = weight[i] * (gamma[output] / sqrtf(variance[output] + float(p.epsilon)));
}

struct ScaleParameter {
  int outputs = 0, per_output = 0;
};

constexpr Launch launch_of(const ScaleParameter &p, Stream stream = {}) {
  return fold_launch(p.outputs * p.per_output, stream);
}

// parameter and scaled: outputs x per_output.
template <ScaleParameter p>
VN_DEVICE void scale_parameter(Global<const float> parameter, Global<const float> scale,
                               Global<float> scaled) {
  static_assert(1ll * p.outputs * p.per_output < (1ll << 31), "places are counted in int");
  const int i = int(blockIdx.x) * fold_threads + int(threadIdx.x), output = i / p.per_output;
  if (output < p.outputs)
    scaled[i] = parameter[i] * scale[output];
}

struct FoldScale {
  int channels = 0;
  double epsilon = 0;
};

constexpr Launch launch_of(const FoldScale &p, Stream stream = {}) { return fold_launch(p.channels, stream); }

template <FoldScale p>
VN_DEVICE void fold_scale(Global<const float> gamma, Global<const float> variance, Global<float> scale) {
  const int c = int(blockIdx.x) * fold_threads + int(threadIdx.x);
  if (c < p.channels)
    scale[c] = gamma[c] * reciprocal_deviation(variance[c], p.epsilon);
}

struct FoldBias {
  int channels = 0;
  bool bias = false; // of what the norm follows
  double epsilon = 0;
};

constexpr Launch launch_of(const FoldBias &p, Stream stream = {}) { return fold_launch(p.channels, stream); }

// `bias` is null where there is none.
template <FoldBias p>
VN_DEVICE void fold_bias(Global<const float> gamma, Global<const float> beta, Global<const float> mean,
                         Global<const float> variance, Global<const float> bias, Global<float> folded) {
  const int c = int(blockIdx.x) * fold_threads + int(threadIdx.x);
  if (c >= p.channels)
    return;
  float center = mean[c];
  if constexpr (p.bias)
    center -= bias[c];
  folded[c] = beta[c] - center * (gamma[c] * reciprocal_deviation(variance[c], p.epsilon));
}

} // namespace vn

#endif
