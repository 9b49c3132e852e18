// Layer normalisation: each pixel over its channels, which stay in registers. Backward, with h = (x - mean) /
// deviation and g = dy * gamma of a pixel's C channels:
//
//   dx = (g - sum of g / C - h * sum of g * h / C) / deviation
//   dgamma = sum of dy * h, dbeta = sum of dy, over all pixels
//
// Sums are in double: a variance is the difference of large numbers where the mean is large.
#ifndef VERNIER_CUDA_DEVICE_LAYER_NORM_CUH
#define VERNIER_CUDA_DEVICE_LAYER_NORM_CUH

#include "pixel_lanes.cuh"
#include "pixel_sums.cuh"

#include <math.h>

namespace vn {

struct PixelStatistics {
  float mean, reciprocal; // of the deviation
};

template <Map map, int width>
VN_DEVICE PixelStatistics statistics_of(const float (&values)[PixelLane<map, width>::each][width],
                                        double epsilon) {
  using Lane = PixelLane<map, width>;
  double sum = 0, squares = 0;
  VN_UNROLL
  for (int i = 0; i < Lane::each; ++i) {
    VN_UNROLL
    for (int k = 0; k < width; ++k) {
      const double value = values[i][k];
      sum += value;
      squares += value * value;
    }
  }
  constexpr double share = 1.0 / map.c;
  const double mean = sum_lanes<Lane::lanes>(sum) * share;
  const double raw = sum_lanes<Lane::lanes>(squares) * share - mean * mean;
  return {float(mean), float(1.0 / sqrt((raw < 0 ? 0 : raw) + epsilon))};
}

struct LayerNorm {
  Map x, y;
  int parameters = 1; // gamma and beta begin at a multiple of so many numbers
  double epsilon = 0;

  VN_CONSTANT int vector() const { return vector_of_all(x, y); }
};

constexpr Launch launch_of(const LayerNorm &p, Stream stream = {}) {
  return pixel_launch(p.x, p.vector(), stream);
}

template <LayerNorm p>
VN_DEVICE void layer_norm(Global<const Number<p.x.element>> x, Global<const float> gamma,
                          Global<const float> beta, Global<Number<p.y.element>> y) {
  static_assert(same_shape(p.x, p.y) && p.y.elements() < (1ll << 31), "maps of one shape");
  constexpr int width = p.vector();
  using Lane = PixelLane<p.x, width>;
  const Lane lane;
  float values[Lane::each][width];
  lane.template load<p.x>(values, x);
  const PixelStatistics own = statistics_of<p.x, width>(values, p.epsilon);
  VN_UNROLL
  for (int i = 0; i < Lane::each; ++i) {
    const int channel = lane.channel(i), valid = lane.valid(i);
    if (valid <= 0)
      continue;
    float gammas[width], betas[width];
    load_parameters<p.x.c, p.parameters>(gammas, gamma, channel, valid);
    load_parameters<p.x.c, p.parameters>(betas, beta, channel, valid);
    VN_UNROLL
    for (int k = 0; k < width; ++k)
      values[i][k] = fmaf((values[i][k] - own.mean) * own.reciprocal, gammas[k], betas[k]);
    store_floats(y + (lane.pixel * p.y.pixel + channel), values[i], valid);
  }
}

struct LayerNormGradient {
  Map x, dy, dx;
  int parameters = 1; // gamma begins at a multiple of so many numbers
  double epsilon = 0;

  VN_CONSTANT int vector() const { return vector_of_all(x, dy, dx); }
};

constexpr Launch launch_of(const LayerNormGradient &p, Stream stream = {}) {
  return pixel_launch(p.x, p.vector(), stream);
}

// Statistics are [pixel][2]: the mean and the reciprocal of the deviation.
template <LayerNormGradient p>
VN_DEVICE void layer_norm_gradient(Global<const Number<p.x.element>> x, Global<const Number<p.dy.element>> dy,
                                   Global<const float> gamma, Global<Number<p.dx.element>> dx,
                                   Global<float> statistics) {
  static_assert(same_shape(p.x, p.dy) && same_shape(p.x, p.dx), "maps of one shape");
  static_assert(p.dy.elements() < (1ll << 31) && p.dx.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = p.vector();
  using Lane = PixelLane<p.x, width>;
  const Lane lane;
  float values[Lane::each][width], gradients[Lane::each][width];
  lane.template load<p.x>(values, x);
  lane.template load<p.dy>(gradients, dy);
  const PixelStatistics own = statistics_of<p.x, width>(values, p.epsilon);
  double sum = 0, products = 0;
  VN_UNROLL
  for (int i = 0; i < Lane::each; ++i) {
    const int valid = lane.valid(i);
    if (valid <= 0)
      continue;
    float gammas[width];
    load_parameters<p.x.c, p.parameters>(gammas, gamma, lane.channel(i), valid);
    VN_UNROLL
    for (int k = 0; k < width; ++k) { // past the last channel there are zeros
      gradients[i][k] *= k < valid ? gammas[k] : 0.0f;
      values[i][k] = (values[i][k] - own.mean) * own.reciprocal;
      sum += double(gradients[i][k]);
      products += double(gradients[i][k] * values[i][k]);
    }
  }
  constexpr double share = -1.0 / p.x.c;
  const float of_sum = float(sum_lanes<Lane::lanes>(sum) * share),
              of_products = float(sum_lanes<Lane::lanes>(products) * share);
  VN_UNROLL
  for (int i = 0; i < Lane::each; ++i) {
    const int valid = lane.valid(i);
    if (valid <= 0)
      continue;
    VN_UNROLL
    for (int k = 0; k < width; ++k)
      gradients[i][k] = (gradients[i][k] + fmaf(values[i][k], of_products, of_sum)) * own.reciprocal;
    store_floats(dx + (lane.pixel * p.dx.pixel + lane.channel(i)), gradients[i], valid);
  }
  if (lane.lane == 0 && lane.pixel < p.x.pixels()) {
    statistics[2 * lane.pixel] = own.mean;
    statistics[2 * lane.pixel + 1] = own.reciprocal;
  }
}

struct LayerNormGradientSums {
  Map x, dy;

  VN_CONSTANT int vector() const { return vector_of_all(x, dy); }
  VN_CONSTANT PixelSums plan() const { return {x.pixels(), x.c, vector(), 2}; }
};
VN_CONSTANT int parts_of(const LayerNormGradientSums &p) { return p.plan().parts(); }

constexpr Launch launch_of(const LayerNormGradientSums &p, Stream stream = {}) {
  return launch_of(p.plan(), stream);
}

// Writes double [parts_of(p)][2][channels]: sums of dy and of dy * h.
template <LayerNormGradientSums p>
VN_DEVICE void layer_norm_gradient_sums(Global<const Number<p.x.element>> x,
                                        Global<const Number<p.dy.element>> dy, Global<const float> statistics,
                                        Global<double> parts) {
  static_assert(same_shape(p.x, p.dy), "maps of one shape");
  static_assert(p.x.elements() < (1ll << 31) && p.dy.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = p.vector();
  struct Terms {
    Loaded<Number<p.x.element>, width> values;
    Loaded<Number<p.dy.element>, width> gradients;
    float mean, reciprocal;
  };
  sum_pixels<p.plan()>(
      parts, [](int, int) {},
      [&](int pixel, int channel, int valid) {
        return Terms{load_channels<width, p.x.c>(x + (pixel * p.x.pixel + channel), valid),
                     load_channels<width, p.x.c>(dy + (pixel * p.dy.pixel + channel), valid),
                     statistics[2 * pixel], statistics[2 * pixel + 1]};
      },
      [&](const Terms &at, double(&sums)[2][width]) {
        VN_UNROLL
        for (int k = 0; k < width; ++k) {
          sums[0][k] += double(at.gradients[k]);
          sums[1][k] += double(at.gradients[k] * ((at.values[k] - at.mean) * at.reciprocal));
        }
      });
}

// Of the parts that LayerNormGradientSums wrote.
struct LayerNormGradientFinish {
  int channels = 1, parts = 1;

  VN_CONSTANT Parts all() const { return {parts, 2, channels}; }
};

constexpr Launch launch_of(const LayerNormGradientFinish &p, Stream stream = {}) {
  return launch_of(p.all(), stream);
}

template <LayerNormGradientFinish p>
VN_DEVICE void layer_norm_gradient_finish(Global<const double> sums, Global<float> dgamma,
                                          Global<float> dbeta) {
  struct None {};
  add_parts<p.all()>(
      sums, [](int) { return None{}; },
      [&](int channel, None, const double(&sum)[2]) {
        dgamma[channel] = float(sum[1]);
        dbeta[channel] = float(sum[0]);
      });
}

} // namespace vn

#endif
