// A rectifier with learned slopes, one for each channel or one for all.
#ifndef VERNIER_CUDA_DEVICE_PRELU_CUH
#define VERNIER_CUDA_DEVICE_PRELU_CUH

#include "elementwise.cuh"
#include "pixel_sums.cuh"

namespace vn {

struct Prelu {
  Map x, y;
  bool per_channel = false;

  VN_CONSTANT int vector() const { return vector_of_all(x, y); }
};

constexpr Launch launch_of(const Prelu &p, Stream stream = {}) {
  return elementwise_launch(p.y, p.vector(), 1, stream);
}

template <Prelu p>
VN_DEVICE void prelu(Global<const Number<p.x.element>> x, Global<const float> slope,
                     Global<Number<p.y.element>> y) {
  static_assert(same_shape(p.x, p.y) && p.x.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = p.vector();
  for_vectors<p.y, width>([&](int pixel, int channel, int valid) {
    float values[width];
    load_floats(values, x + (pixel * p.x.pixel + channel), valid);
    VN_UNROLL
    for (int k = 0; k < width; ++k)
      if (!(values[k] > 0) && k < valid)
        values[k] *= slope[p.per_channel ? channel + k : 0];
    store_floats(y + (pixel * p.y.pixel + channel), values, valid);
  });
}

struct PreluGradient {
  Map x, dy, dx;
  bool per_channel = false;

  VN_CONSTANT int vector() const { return vector_of_all(x, dy, dx); }
};

constexpr Launch launch_of(const PreluGradient &p, Stream stream = {}) {
  return elementwise_launch(p.dx, p.vector(), 1, stream);
}

template <PreluGradient p>
VN_DEVICE void prelu_gradient(Global<const Number<p.x.element>> x, Global<const Number<p.dy.element>> dy,
                              Global<const float> slope, Global<Number<p.dx.element>> dx) {
  static_assert(same_shape(p.x, p.dx) && same_shape(p.dy, p.dx), "maps of one shape");
  static_assert(p.x.elements() < (1ll << 31) && p.dy.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = p.vector();
  for_vectors<p.dx, width>([&](int pixel, int channel, int valid) {
    float values[width], gradients[width];
    load_floats(values, x + (pixel * p.x.pixel + channel), valid);
    load_floats(gradients, dy + (pixel * p.dy.pixel + channel), valid);
    VN_UNROLL
    for (int k = 0; k < width; ++k)
      if (!(values[k] > 0) && k < valid)
        gradients[k] *= slope[p.per_channel ? channel + k : 0];
    store_floats(dx + (pixel * p.dx.pixel + channel), gradients, valid);
  });
}

struct PreluSums {
  Map x, dy;

  VN_CONSTANT int vector() const { return vector_of_all(x, dy); }
  VN_CONSTANT PixelSums plan() const { return {x.pixels(), x.c, vector(), 1}; }
};
VN_CONSTANT int parts_of(const PreluSums &p) { return p.plan().parts(); }

constexpr Launch launch_of(const PreluSums &p, Stream stream = {}) { return launch_of(p.plan(), stream); }

// Writes double [parts_of(p)][channels]: sums of dy * x where x is not above 0.
template <PreluSums p>
VN_DEVICE void prelu_sums(Global<const Number<p.x.element>> x, Global<const Number<p.dy.element>> dy,
                          Global<double> parts) {
  static_assert(same_shape(p.x, p.dy), "maps of one shape");
  static_assert(p.x.elements() < (1ll << 31) && p.dy.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = p.vector();
  struct Terms {
    Loaded<Number<p.x.element>, width> values;
    Loaded<Number<p.dy.element>, width> gradients;
  };
  sum_pixels<p.plan()>(
      parts, [](int, int) {},
      [&](int pixel, int channel, int valid) {
        return Terms{load_channels<width, p.x.c>(x + (pixel * p.x.pixel + channel), valid),
                     load_channels<width, p.x.c>(dy + (pixel * p.dy.pixel + channel), valid)};
      },
      [&](const Terms &at, double(&sums)[1][width]) {
        VN_UNROLL
        for (int k = 0; k < width; ++k)
          if (!(at.values[k] > 0))
            sums[0][k] += double(at.gradients[k]) * double(at.values[k]);
      });
}

// Of all channels' parts, where there is one slope; for one of each channel see channel_sums_finish.
struct PreluFinish {
  int elements = 1;

  static constexpr int threads = 256;
};

constexpr Launch launch_of(const PreluFinish &, Stream stream = {}) {
  return {{1}, {unsigned(PreluFinish::threads)}, 0, stream};
}

template <PreluFinish p> VN_DEVICE void prelu_finish(Global<const double> parts, Global<float> dslope) {
  double sum = 0;
  for (int i = int(threadIdx.x); i < p.elements; i += PreluFinish::threads)
    sum += parts[i];
  sum = block_sum<PreluFinish::threads>(sum);
  if (threadIdx.x == 0)
    dslope[0] = float(sum);
}

} // namespace vn

#endif
