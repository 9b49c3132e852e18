// Batch normalisation in training, backward. With g = dy, masked by the activation that follows:
//
//   dbeta = sum of g,  dgamma = sum of g * (x - mean) / deviation
//   dx = gamma / deviation * (g - dbeta / m - (x - mean) * dgamma / (deviation * m)), m pixels
//
// Sums are in parts (those that an epilogue writes serve as well); what dx needs of a channel are four
// coefficients.
#ifndef VERNIER_CUDA_DEVICE_BATCH_NORM_GRADIENT_CUH
#define VERNIER_CUDA_DEVICE_BATCH_NORM_GRADIENT_CUH

#include "elementwise.cuh"
#include "fold.cuh"
#include "pixel_sums.cuh"

namespace vn {

struct BatchGradientSums {
  Map x, dy;
  Map y = {}; // the activation's result, where there is one
  Activation activation = Activation::None;

  VN_CONSTANT int vector() const {
    return activation == Activation::None ? vector_of_all(x, dy) : vector_of_all(x, dy, y);
  }
  VN_CONSTANT PixelSums plan() const { return {x.pixels(), x.c, vector(), 2}; }
};
VN_CONSTANT int parts_of(const BatchGradientSums &p) { return p.plan().parts(); }

constexpr Launch launch_of(const BatchGradientSums &p, Stream stream = {}) {
  return launch_of(p.plan(), stream);
}

// What the gradient is made of, at a vector of a pixel's channels.
template <Map x, Map dy, Map y, int width> struct Normalised {
  Loaded<Number<x.element>, width> values;
  Loaded<Number<dy.element>, width> gradients;
  Loaded<Number<y.element>, width> results; // zeros where there is no activation
};
template <Map x, Map dy, Map y, bool masked, int width>
VN_DEVICE Normalised<x, dy, y, width>
load_normalised(Global<const Number<x.element>> values, Global<const Number<dy.element>> gradients,
                Global<const Number<y.element>> results, int pixel, int channel, int valid) {
  Normalised<x, dy, y, width> at;
  at.values = load_channels<width, x.c>(values + (pixel * x.pixel + channel), valid);
  at.gradients = load_channels<width, x.c>(gradients + (pixel * dy.pixel + channel), valid);
  if constexpr (masked)
    at.results = load_channels<width, x.c>(results + (pixel * y.pixel + channel), valid);
  return at;
}

// Writes double [parts_of(p)][2][channels]: sums of g and of g * (x - mean). `y` is null where there is no
// activation.
template <BatchGradientSums p>
VN_DEVICE void batch_gradient_sums(Global<const Number<p.x.element>> x, Global<const Number<p.dy.element>> dy,
                                   Global<const Number<p.y.element>> y, Global<const float> mean,
                                   Global<double> parts) {
  constexpr bool masked = p.activation != Activation::None;
  static_assert(same_shape(p.x, p.dy) && (!masked || same_shape(p.x, p.y)), "maps of one shape");
  static_assert(p.x.elements() < (1ll << 31) && p.dy.elements() < (1ll << 31) && p.y.elements() < (1ll << 31),
                "places are counted in int");
  constexpr int width = p.vector();
  float means[width];
  sum_pixels<p.plan()>(
      parts,
      [&](int channel, int valid) {
        VN_UNROLL
        for (int k = 0; k < width; ++k)
          means[k] = k < valid ? mean[channel + k] : 0.0f;
      },
      [&](int pixel, int channel, int valid) {
        return load_normalised<p.x, p.dy, p.y, masked, width>(x, dy, y, pixel, channel, valid);
      },
      [&](const Normalised<p.x, p.dy, p.y, width> &at, double(&sums)[2][width]) {
        VN_UNROLL
        for (int k = 0; k < width; ++k) {
          const float g = gradient_through<p.activation>(at.results[k], at.gradients[k]);
          sums[0][k] += double(g);
          sums[1][k] += double(g * (at.values[k] - means[k]));
        }
      });
}

struct BatchGradientFinish {
  Map x;
  int parts = 1;
  double epsilon = 0;

  VN_CONSTANT Parts all() const { return {parts, 2, x.c}; }
};

constexpr Launch launch_of(const BatchGradientFinish &p, Stream stream = {}) {
  return launch_of(p.all(), stream);
}

// Reads sums, double [parts][2][channels], gamma and the batch's mean and variance; coefficients are
// [4][channels].
template <BatchGradientFinish p>
VN_DEVICE void batch_gradient_finish(Global<const double> sums, Global<const float> gamma,
                                     Global<const float> mean, Global<const float> variance,
                                     Global<float> dgamma, Global<float> dbeta, Global<float> coefficients) {
  struct Known {
    float gamma, mean, variance;
  };
  const auto know = [&](int c) { return Known{gamma[c], mean[c], variance[c]}; };
  add_parts<p.all()>(sums, know, [&](int c, const Known &known, const double(&sum)[2]) {
    constexpr double share = -1.0 / p.x.pixels();
    constexpr int channels = p.x.c;
    const float deviation = reciprocal_deviation(known.variance, p.epsilon), a = known.gamma * deviation;
    const double slope = sum[1] * double(deviation);
    dgamma[c] = float(slope);
    dbeta[c] = float(sum[0]);
    coefficients[c] = a;
    coefficients[channels + c] = a * (deviation * float(slope * share));
    coefficients[2 * channels + c] = a * float(sum[0] * share);
    coefficients[3 * channels + c] = known.mean;
  });
}

struct BatchGradientApply {
  Map x, dy;
  Map y = {};
  Map dx;
  Activation activation = Activation::None;

  VN_CONSTANT int vector() const {
    return activation == Activation::None ? vector_of_all(x, dy, dx) : vector_of_all(x, dy, dx, y);
  }
  VN_CONSTANT int each() const { return pixels_each(dx, vector()); }
};

constexpr Launch launch_of(const BatchGradientApply &p, Stream stream = {}) {
  return elementwise_launch(p.dx, p.vector(), p.each(), stream);
}

// The coefficients begin at a multiple of 16 bytes.
// dx = c0 * g + c1 * (x - c3) + c2. `y` is null where there is no activation.
template <BatchGradientApply p>
VN_DEVICE void batch_gradient_apply(Global<const Number<p.x.element>> x,
                                    Global<const Number<p.dy.element>> dy,
                                    Global<const Number<p.y.element>> y, Global<const float> coefficients,
                                    Global<Number<p.dx.element>> dx) {
  constexpr bool masked = p.activation != Activation::None;
  static_assert(same_shape(p.x, p.dx) && same_shape(p.dy, p.dx) && (!masked || same_shape(p.y, p.dx)),
                "maps of one shape");
  static_assert(p.x.elements() < (1ll << 31) && p.dy.elements() < (1ll << 31) && p.y.elements() < (1ll << 31),
                "places are counted in int");
  constexpr int width = p.vector();
  float factors[4][width];
  for_vectors<p.dx, width, p.each()>(
      [&](int channel, int valid) {
        VN_UNROLL
        for (int i = 0; i < 4; ++i)
          load_parameters<p.x.c, 4>(factors[i], coefficients + i * p.x.c, channel, valid);
      },
      [&](int pixel, int channel, int valid) {
        return load_normalised<p.x, p.dy, p.y, masked, width>(x, dy, y, pixel, channel, valid);
      },
      [&](const Normalised<p.x, p.dy, p.y, width> &at, int pixel, int channel, int valid) {
        float values[width];
        VN_UNROLL
        for (int k = 0; k < width; ++k) {
          // The difference first: folded into a shift, the mean would cost its digits.
          const float difference = at.values[k] - factors[3][k];
          values[k] = fmaf(gradient_through<p.activation>(at.results[k], at.gradients[k]), factors[0][k],
                           fmaf(difference, factors[1][k], factors[2][k]));
        }
        store_floats(dx + (pixel * p.dx.pixel + channel), values, valid);
      });
}

} // namespace vn

#endif
