// One number for each pixel of all its channels, and the gradients of that. Sums are in double.
#ifndef VERNIER_CUDA_DEVICE_CHANNEL_REDUCTION_CUH
#define VERNIER_CUDA_DEVICE_CHANNEL_REDUCTION_CUH

#include "pixel_lanes.cuh"

namespace vn {

enum class Reduction { Sum, Mean, Max };

// Of a, or sums of a times b.
struct ChannelReduction {
  Reduction reduction = Reduction::Sum;
  bool dot = false;
  Map a;
  Map b = {};
  Map out; // N x H x W x 1

  VN_CONSTANT int vector() const { return dot ? vector_of_all(a, b) : vector_of(a); }
};

constexpr Launch launch_of(const ChannelReduction &p, Stream stream = {}) {
  return pixel_launch(p.a, p.vector(), stream);
}

// `b` is null where there is none.
template <ChannelReduction p>
VN_DEVICE void channel_reduction(Global<const Number<p.a.element>> a, Global<const Number<p.b.element>> b,
                                 Global<Number<p.out.element>> out) {
  static_assert(!p.dot || same_shape(p.a, p.b), "maps of one shape");
  static_assert(p.out.c == 1 && p.out.pixels() == p.a.pixels() && p.b.elements() < (1ll << 31),
                "one number for each pixel");
  constexpr int width = p.vector();
  using Lane = PixelLane<p.a, width>;
  const Lane lane;
  float values[Lane::each][width];
  lane.template load<p.a>(values, a);
  if constexpr (p.dot) {
    float others[Lane::each][width];
    lane.template load<p.b>(others, b);
    VN_UNROLL
    for (int i = 0; i < Lane::each; ++i) {
      VN_UNROLL
      for (int k = 0; k < width; ++k)
        values[i][k] *= others[i][k];
    }
  }
  float result = 0;
  if constexpr (p.reduction == Reduction::Max) {
    float most = -INFINITY;
    VN_UNROLL
    for (int i = 0; i < Lane::each; ++i) {
      VN_UNROLL
      for (int k = 0; k < width; ++k)
        if (k < lane.valid(i))
          most = larger_of(most, values[i][k]);
    }
    result = largest_of_lanes<Lane::lanes>(most);
  } else {
    double sum = 0; // past the last channel there are zeros
    VN_UNROLL
    for (int i = 0; i < Lane::each; ++i) {
      VN_UNROLL
      for (int k = 0; k < width; ++k)
        sum += double(values[i][k]);
    }
    sum = sum_lanes<Lane::lanes>(sum);
    result = float(p.reduction == Reduction::Mean ? sum * (1.0 / p.a.c) : sum);
  }
  if (lane.lane == 0 && lane.pixel < p.a.pixels())
    out[lane.pixel * p.out.pixel] = from_float<Number<p.out.element>>(result);
}

// in is N x H x W x 1.
struct ChannelBroadcast {
  Map in, out;
  float factor = 1;
};

constexpr Launch launch_of(const ChannelBroadcast &p, Stream stream = {}) {
  return elementwise_launch(p.out, vector_of(p.out), 1, stream);
}

template <ChannelBroadcast p>
VN_DEVICE void channel_broadcast(Global<const Number<p.in.element>> in, Global<Number<p.out.element>> out) {
  static_assert(p.in.c == 1 && p.in.pixels() == p.out.pixels(), "one number for each pixel");
  constexpr int width = vector_of(p.out);
  for_vectors<p.out, width>([&](int pixel, int channel, int valid) {
    const float value = to_float(in[pixel * p.in.pixel]) * p.factor;
    float values[width];
    VN_UNROLL
    for (int i = 0; i < width; ++i)
      values[i] = value;
    store_floats(out + (pixel * p.out.pixel + channel), values, valid);
  });
}

// y and dy are N x H x W x 1.
struct ChannelMaxGradient {
  Map x, y, dy, dx;

  VN_CONSTANT int vector() const { return vector_of_all(x, dx); }
};

constexpr Launch launch_of(const ChannelMaxGradient &p, Stream stream = {}) {
  return pixel_launch(p.x, p.vector(), stream);
}

// To the first channel that is no less than the maximum, and no more.
template <ChannelMaxGradient p>
VN_DEVICE void channel_max_gradient(Global<const Number<p.x.element>> x, Global<const Number<p.y.element>> y,
                                    Global<const Number<p.dy.element>> dy, Global<Number<p.dx.element>> dx) {
  static_assert(same_shape(p.x, p.dx) && p.dx.elements() < (1ll << 31), "maps of one shape");
  static_assert(p.y.c == 1 && same_shape(p.y, p.dy) && p.y.pixels() == p.x.pixels(),
                "one number for each pixel");
  constexpr int width = p.vector();
  using Lane = PixelLane<p.x, width>;
  const Lane lane;
  float values[Lane::each][width];
  lane.template load<p.x>(values, x);
  const bool there = lane.pixel < p.x.pixels();
  const float most = there ? to_float(y[lane.pixel * p.y.pixel]) : 0.0f,
              gradient = there ? to_float(dy[lane.pixel * p.dy.pixel]) : 0.0f;
  int first = p.x.c;
  VN_UNROLL
  for (int i = 0; i < Lane::each; ++i) {
    VN_UNROLL
    for (int k = 0; k < width; ++k)
      if (k < lane.valid(i) && !(values[i][k] < most) && !(values[i][k] > most) &&
          lane.channel(i) + k < first)
        first = lane.channel(i) + k;
  }
  first = least_of_lanes<Lane::lanes>(first);
  VN_UNROLL
  for (int i = 0; i < Lane::each; ++i) {
    if (lane.valid(i) <= 0)
      continue;
    VN_UNROLL
    for (int k = 0; k < width; ++k)
      values[i][k] = lane.channel(i) + k == first ? gradient : 0.0f;
    store_floats(dx + (lane.pixel * p.dx.pixel + lane.channel(i)), values[i], lane.valid(i));
  }
}

} // namespace vn

#endif
