// Group normalisation: each image's groups of channels over all pixels. Sums of parts of an image for each
// channel, then numbers for each image and channel, which the last kernel applies. Backward, with
// h = (x - mean) * r, r = 1 / deviation and g = dy * gamma of a group's m elements:
//
//   dx = gamma * r * dy - r * sum of g / m - (x - mean) * r^2 * sum of g * (x - mean) / m
//   dgamma = sum of dy * h, dbeta = sum of dy, over all pixels and images
//
// Sums are in double: a variance is the difference of large numbers where the mean is large.
#ifndef VERNIER_CUDA_DEVICE_GROUP_NORM_CUH
#define VERNIER_CUDA_DEVICE_GROUP_NORM_CUH

#include "elementwise.cuh"
#include "pixel_sums.cuh"

#include <math.h>

namespace vn {

// Of x and of its squares and, with a gradient, of dy and of dy * x.
struct GroupSums {
  Map x, dy = {};
  bool gradient = false;

  VN_CONSTANT int vector() const { return gradient ? vector_of_all(x, dy) : vector_of(x); }
  VN_CONSTANT PixelSums plan() const { return {x.h * x.w, x.c, vector(), gradient ? 4 : 2, x.n}; }
  VN_CONSTANT int elements() const { return x.n * plan().all().elements(); }
};
VN_CONSTANT int parts_of(const GroupSums &p) { return p.plan().parts(); } // of an image

constexpr Launch launch_of(const GroupSums &p, Stream stream = {}) { return launch_of(p.plan(), stream); }

// Writes double [image][parts_of(p)][sum][channels]; dy is null without a gradient.
template <GroupSums p>
VN_DEVICE void group_sums(Global<const Number<p.x.element>> x, Global<const Number<p.dy.element>> dy,
                          Global<double> parts) {
  static_assert(p.x.elements() < (1ll << 31) && p.dy.elements() < (1ll << 31), "places are counted in int");
  static_assert(!p.gradient || same_shape(p.x, p.dy), "maps of one shape");
  constexpr int width = p.vector(), sums = p.plan().sums;
  const int image = int(blockIdx.z), first = image * p.x.h * p.x.w;
  struct Terms {
    Loaded<Number<p.x.element>, width> values;
    Loaded<Number<p.dy.element>, width> gradients;
  };
  sum_pixels<p.plan()>(
      parts + image * p.plan().all().elements(), [](int, int) {},
      [&](int pixel, int channel, int valid) {
        Terms terms;
        terms.values = load_channels<width, p.x.c>(x + ((first + pixel) * p.x.pixel + channel), valid);
        if constexpr (p.gradient)
          terms.gradients = load_channels<width, p.x.c>(dy + ((first + pixel) * p.dy.pixel + channel), valid);
        return terms;
      },
      [&](const Terms &at, double(&totals)[sums][width]) {
        VN_UNROLL
        for (int k = 0; k < width; ++k) {
          const double value = double(at.values[k]);
          totals[0][k] += value;
          totals[1][k] += value * value;
          if constexpr (p.gradient) {
            const double gradient = double(at.gradients[k]);
            totals[2][k] += gradient;
            totals[3][k] += gradient * value;
          }
        }
      });
}

constexpr int group_threads = 128;

// A block for each image and group. Coefficients are [image][mean, scale][channels] or, of a gradient,
// [image][mean, of dy, of x - mean, alone][channels].
struct GroupFinish {
  int images = 1, pixels = 1, channels = 1, groups = 1; // pixels of an image
  int parts = 1;                                        // of an image's sums
  bool gradient = false;
  double epsilon = 0;

  VN_CONSTANT int sums() const { return gradient ? 4 : 2; }
  VN_CONSTANT int each() const { return channels / groups; }
  VN_CONSTANT int coefficients() const { return images * sums() * channels; }
};

constexpr Launch launch_of(const GroupFinish &p, Stream stream = {}) {
  return {{unsigned(p.images * p.groups)}, {unsigned(group_threads)}, 0, stream};
}

// `channel_sums`, double [image][dbeta, dgamma][channels], is null without a gradient.
template <GroupFinish p>
VN_DEVICE void group_finish(Global<const double> sums, Global<const float> gamma, Global<float> coefficients,
                            Global<double> channel_sums) {
  static_assert(1ll * p.images * p.parts * p.sums() * p.channels < (1ll << 31), "places are counted in int");
  constexpr int each = p.each();
  const int image = int(blockIdx.x) / p.groups, begin = int(blockIdx.x) % p.groups * each;
  const int thread = int(threadIdx.x);
  const auto sum_at = [&](int part, int i, int channel) {
    return sums[((image * p.parts + part) * p.sums() + i) * p.channels + channel];
  };
  double totals[p.sums()] = {};
  for (int item = thread; item < p.parts * each; item += group_threads) {
    const int part = item / each, channel = begin + item % each;
    VN_UNROLL
    for (int i = 0; i < p.sums(); ++i)
      totals[i] += i < 2 ? sum_at(part, i, channel) : sum_at(part, i, channel) * double(gamma[channel]);
  }
  VN_UNROLL
  for (int i = 0; i < p.sums(); ++i)
    totals[i] = block_sum<group_threads>(totals[i]);
  constexpr double share = 1.0 / (double(each) * p.pixels);
  const double mean = totals[0] * share, raw = totals[1] * share - mean * mean;
  const double reciprocal = 1.0 / sqrt((raw < 0 ? 0 : raw) + p.epsilon);
  for (int channel = begin + thread; channel < begin + each; channel += group_threads) {
    const auto own = coefficients + (image * p.sums() * p.channels + channel);
    const float scale = gamma[channel] * float(reciprocal);
    own[0] = float(mean);
    own[p.channels] = scale;
    if constexpr (p.gradient) {
      const double products = reciprocal * (totals[3] - mean * totals[2]);
      own[2 * p.channels] = float(-share * reciprocal * reciprocal * products);
      own[3 * p.channels] = float(-share * reciprocal * totals[2]);
      double of_gradient = 0, of_product = 0;
      for (int part = 0; part < p.parts; ++part) {
        of_gradient += sum_at(part, 2, channel);
        of_product += sum_at(part, 3, channel);
      }
      channel_sums[2 * image * p.channels + channel] = of_gradient;
      channel_sums[(2 * image + 1) * p.channels + channel] = reciprocal * (of_product - mean * of_gradient);
    }
  }
}

// y = (x - mean) * scale + beta, or dx = of dy * dy + of x - mean * (x - mean) + alone.
struct GroupApply {
  Map x, dy = {}, y;
  int parameters = 1; // beta begins at a multiple of so many numbers
  bool gradient = false;

  VN_CONSTANT int vector() const { return gradient ? vector_of_all(x, dy, y) : vector_of_all(x, y); }
  VN_CONSTANT int sums() const { return gradient ? 4 : 2; }
};

constexpr Launch launch_of(const GroupApply &p, Stream stream = {}) {
  return elementwise_launch(p.y, p.vector(), 1, stream);
}

// dy is null without a gradient, beta with one.
template <GroupApply p>
VN_DEVICE void group_apply(Global<const Number<p.x.element>> x, Global<const Number<p.dy.element>> dy,
                           Global<const float> beta, Global<const float> coefficients,
                           Global<Number<p.y.element>> y) {
  static_assert(same_shape(p.x, p.y) && p.x.elements() < (1ll << 31), "places are counted in int");
  static_assert(!p.gradient || (same_shape(p.x, p.dy) && p.dy.elements() < (1ll << 31)), "maps of one shape");
  constexpr int width = p.vector(), align = p.x.c % 4 == 0 ? 4 : 1; // scratch begins at whole vectors
  for_vectors<p.y, width>([&](int pixel, int channel, int valid) {
    const auto own = coefficients + pixel / (p.y.h * p.y.w) * p.sums() * p.x.c;
    float values[width], means[width], scales[width];
    load_floats(values, x + (pixel * p.x.pixel + channel), valid);
    load_parameters<p.x.c, align>(means, own, channel, valid);
    load_parameters<p.x.c, align>(scales, own + p.x.c, channel, valid);
    if constexpr (p.gradient) {
      float gradients[width], slopes[width], shifts[width];
      load_floats(gradients, dy + (pixel * p.dy.pixel + channel), valid);
      load_parameters<p.x.c, align>(slopes, own + 2 * p.x.c, channel, valid);
      load_parameters<p.x.c, align>(shifts, own + 3 * p.x.c, channel, valid);
      VN_UNROLL
      for (int k = 0; k < width; ++k)
        values[k] = fmaf(gradients[k], scales[k], fmaf(values[k] - means[k], slopes[k], shifts[k]));
    } else {
      float betas[width];
      load_parameters<p.x.c, p.parameters>(betas, beta, channel, valid);
      VN_UNROLL
      for (int k = 0; k < width; ++k)
        values[k] = fmaf(values[k] - means[k], scales[k], betas[k]);
    }
    store_floats(y + (pixel * p.y.pixel + channel), values, valid);
  });
}

} // namespace vn

#endif
