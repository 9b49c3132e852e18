// Layer normalisation: each pixel over its channels. Up to 32 lanes of a warp share a pixel, whose channels
// stay in their registers; blocks have 256 threads. Backward, with h = (x - mean) / deviation and
// g = dy * gamma of a pixel's C channels:
//
//   dx = (g - sum of g / C - h * sum of g * h / C) / deviation
//   dgamma = sum of dy * h, dbeta = sum of dy, over all pixels
//
// Sums are in double: a variance is the difference of large numbers where the mean is large.
#ifndef VERNIER_CUDA_DEVICE_LAYER_NORM_CUH
#define VERNIER_CUDA_DEVICE_LAYER_NORM_CUH

#include "elementwise.cuh"
#include "pixel_sums.cuh"
#include "warp.cuh"

#include <math.h>

namespace vn {

constexpr int layer_norm_threads = 256;

// Threads of a pixel whose channels are `vectors` vectors.
VN_CONSTANT int lanes_of_pixel(int vectors) {
  const int lanes = power_from(vectors);
  return lanes < 32 ? lanes : 32;
}

constexpr Launch layer_norm_launch(const Map &map, int width, Stream stream) {
  const int pixels = layer_norm_threads / lanes_of_pixel(ceil_div(map.c, width));
  return {{unsigned(ceil_div(map.pixels(), pixels))}, {layer_norm_threads}, 0, stream};
}

// The sum over lanes that share a pixel: each of them gets it. All lanes of the warp come.
template <int lanes> VN_DEVICE double sum_lanes(double value) {
  VN_UNROLL
  for (int apart = lanes / 2; apart > 0; apart /= 2) {
    const uint64_t own = detail::bits<uint64_t>(value);
    const uint64_t low = shfl_xor_sync(all_lanes, uint32_t(own), apart),
                   high = shfl_xor_sync(all_lanes, uint32_t(own >> 32), apart);
    value += detail::bits<double>(high << 32 | low);
  }
  return value;
}

// What one thread has of its pixel: `each` vectors of `width` channels. Past the last pixel there are none,
// but the thread still comes to what the warp does together.
template <Map map, int width> struct PixelLane {
  static constexpr int vectors = ceil_div(map.c, width), lanes = lanes_of_pixel(vectors),
                       each = ceil_div(vectors, lanes);
  static_assert(map.elements() < (1ll << 31), "places are counted in int");
  const int pixel = int(blockIdx.x) * (layer_norm_threads / lanes) + int(threadIdx.x) / lanes;
  const int lane = int(threadIdx.x) % lanes;

  VN_DEVICE int channel(int i) const { return (lane + i * lanes) * width; }
  VN_DEVICE int valid(int i) const { return pixel < map.pixels() ? map.c - channel(i) : 0; }

  // The channels of `of` there; 0 where there are none.
  template <Map of>
  VN_DEVICE void load(float (&values)[each][width], Global<const Number<of.element>> p) const {
    Loaded<Number<of.element>, width> loaded[each];
    VN_UNROLL
    for (int i = 0; i < each; ++i)
      if (valid(i) > 0)
        loaded[i] = load_channels<width, of.c>(p + (pixel * of.pixel + channel(i)), valid(i));
    VN_UNROLL
    for (int i = 0; i < each; ++i) {
      VN_UNROLL
      for (int k = 0; k < width; ++k)
        values[i][k] = loaded[i][k];
    }
  }
};

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
  return layer_norm_launch(p.x, p.vector(), stream);
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
  return layer_norm_launch(p.x, p.vector(), stream);
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
