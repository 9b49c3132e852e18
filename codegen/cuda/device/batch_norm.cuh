// Batch normalisation in training, forward: the moments of a map in parts (those that an epilogue of a
// convolution writes serve as well), then what normalises, which elementwise.cuh's Affine applies.
#ifndef VERNIER_CUDA_DEVICE_BATCH_NORM_CUH
#define VERNIER_CUDA_DEVICE_BATCH_NORM_CUH

#include "fold.cuh"
#include "pixel_sums.cuh"

namespace vn {

struct BatchSums {
  Map x;

  VN_CONSTANT PixelSums plan() const { return {x.pixels(), x.c, vector_of(x), 2}; }
};
VN_CONSTANT int parts_of(const BatchSums &p) { return p.plan().parts(); }

constexpr Launch launch_of(const BatchSums &p, Stream stream = {}) { return launch_of(p.plan(), stream); }

// Writes double [parts_of(p)][2][channels]: sums of x and of its squares.
template <BatchSums p> VN_DEVICE void batch_sums(Global<const Number<p.x.element>> x, Global<double> parts) {
  static_assert(p.x.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = vector_of(p.x);
  sum_pixels<p.plan()>(
      parts, [](int, int) {},
      [&](int pixel, int channel, int valid) {
        return load_channels<width, p.x.c>(x + (pixel * p.x.pixel + channel), valid);
      },
      [&](const Loaded<Number<p.x.element>, width> &values, double(&sums)[2][width]) {
        VN_UNROLL
        for (int k = 0; k < width; ++k) {
          const double value = double(values[k]);
          sums[0][k] += value;
          sums[1][k] += value * value;
        }
      });
}

struct BatchFinish {
  Map x;
  int parts = 1; // of the sums
  double epsilon = 0;

  VN_CONSTANT Parts all() const { return {parts, 2, x.c}; }
};

constexpr Launch launch_of(const BatchFinish &p, Stream stream = {}) { return launch_of(p.all(), stream); }

// Reads sums, double [parts][2][channels], gamma and beta; writes the batch's mean and variance, and what
// normalises: y = x * scale + shift.
template <BatchFinish p>
VN_DEVICE void batch_finish(Global<const double> sums, Global<const float> gamma, Global<const float> beta,
                            Global<float> mean, Global<float> variance, Global<float> scale,
                            Global<float> shift) {
  struct Known {
    float gamma, beta;
  };
  const auto know = [&](int c) { return Known{gamma[c], beta[c]}; };
  add_parts<p.all()>(sums, know, [&](int c, const Known &known, const double(&sum)[2]) {
    constexpr double reciprocal = 1.0 / p.x.pixels();
    const double wide_mean = sum[0] * reciprocal;
    const float raw = float(sum[1] * reciprocal - wide_mean * wide_mean);
    const float spread = raw < 0.0f ? 0.0f : raw, center = float(wide_mean);
    const float factor = known.gamma * reciprocal_deviation(spread, p.epsilon);
    mean[c] = center;
    variance[c] = spread;
    scale[c] = factor;
    shift[c] = known.beta - center * factor;
  });
}

struct UpdateRunning {
  int channels = 0;
  int count = 0; // numbers that each mean is of
  double momentum = 0;

  // The running variance is that of the population which the batch is drawn from.
  VN_CONSTANT float unbiased() const { return count > 1 ? float(double(count) / (count - 1.0)) : 1.0f; }
};

constexpr Launch launch_of(const UpdateRunning &p, Stream stream = {}) {
  return fold_launch(p.channels, stream);
}

// Reads the batch's mean and variance; moves the running ones towards them.
template <UpdateRunning p>
VN_DEVICE void update_running(Global<const float> mean, Global<const float> variance,
                              Global<float> running_mean, Global<float> running_variance) {
  const int c = int(blockIdx.x) * fold_threads + int(threadIdx.x);
  if (c >= p.channels)
    return;
  constexpr float kept = float(1.0 - p.momentum), taken = float(p.momentum), unbiased = p.unbiased();
  running_mean[c] = fmaf(mean[c], taken, running_mean[c] * kept);
  running_variance[c] = fmaf(variance[c] * unbiased, taken, running_variance[c] * kept);
}

} // namespace vn

#endif
