// Sums over the pixels of each image, and the way back.
#ifndef VERNIER_CUDA_DEVICE_SPATIAL_CUH
#define VERNIER_CUDA_DEVICE_SPATIAL_CUH

#include "block_sum.cuh"
#include "long_sum.cuh"
#include "map_threads.cuh"

namespace vn {

// As codegen/program/Problems.h has it. A block adds up some channels of some pixels of an image: of its
// threads `lanes()` have neighbouring vectors of channels, the others other pixels. Where images, channels
// and so few pixels are not enough for a GPU, an image's pixels are divided into parts, each a block's; the
// last of them to arrive adds the parts in their order, so that the sum does not depend on timing.
struct SpatialSum {
  Map a, b = {}, out;
  bool dot = false; // of a times b
  bool mean = false;

  VN_CONSTANT int pixels() const { return a.h * a.w; }
  VN_CONSTANT int vector() const { return dot ? vector_of_all(a, b, out) : vector_of_all(a, out); }
  VN_CONSTANT int lanes() const {
    const int vectors = power_from(ceil_div(a.c, vector()));
    return vectors < 32 ? vectors : 32;
  }
  VN_CONSTANT int rows() const { return map_threads / lanes(); }
  VN_CONSTANT int channel_blocks() const { return ceil_div(a.c, lanes() * vector()); }
  VN_CONSTANT int part_pixels() const {
    constexpr int wanted_blocks = 264, fewest = 8; // pixels of a thread
    const int wanted = ceil_div(wanted_blocks, a.n * channel_blocks()),
              most = ceil_div(pixels(), rows() * fewest);
    return ceil_div(pixels(), wanted < most ? wanted : most);
  }
  VN_CONSTANT int parts() const { return ceil_div(pixels(), part_pixels()); }
  // Of scratch memory: doubles, and counters, which are 0 before the first launch and after each.
  VN_CONSTANT int sums() const { return parts() == 1 ? 0 : a.n * parts() * a.c; }
  VN_CONSTANT int counters() const { return parts() == 1 ? 0 : a.n * channel_blocks(); }
};

constexpr Launch launch_of(const SpatialSum &s, Stream stream = {}) {
  return {{unsigned(s.channel_blocks()), unsigned(s.parts()), unsigned(s.a.n)}, {map_threads}, 0, stream};
}

// b is null where there is no dot; sums and counters (see SpatialSum) are null where there is one part.
template <SpatialSum s>
VN_DEVICE void spatial_sum(Global<const Number<s.a.element>> a, Global<const Number<s.b.element>> b,
                           Global<Number<s.out.element>> out, Global<double> sums,
                           Global<unsigned> counters) {
  static_assert(s.a.elements() < (1ll << 31) && s.b.elements() < (1ll << 31) && s.sums() < (1ll << 31),
                "places are counted in int");
  static_assert(s.out.pixels() == s.a.n && s.out.c == s.a.c, "a number for each image and channel");
  static_assert(!s.dot || (s.b.n == s.a.n && s.b.h == s.a.h && s.b.w == s.a.w && s.b.c == s.a.c),
                "maps of one shape");
  constexpr int vector = s.vector(), lanes = s.lanes(), rows = s.rows(), parts = s.parts();
  const int row = int(threadIdx.x) / lanes, image = int(blockIdx.z), part = int(blockIdx.y);
  const int channel = (int(blockIdx.x) * lanes + int(threadIdx.x) % lanes) * vector;
  // Where it is known, no load depends on it.
  const int valid = s.a.c % (lanes * vector) == 0 ? vector : s.a.c - channel;
  const int first = part * s.part_pixels(),
            last = first + s.part_pixels() < s.pixels() ? first + s.part_pixels() : s.pixels();

  LongSum<vector, (ceil_div(s.part_pixels(), rows) > most_terms_in_float)> sum;
  constexpr int pixels_each = ceil_div(s.part_pixels(), rows), most = s.dot ? 4 : 8,
                together = pixels_each < most ? pixels_each : most; // loads that are on their way
  if (valid > 0)
    for (int begin = first + row; begin < last; begin += rows * together) {
      Loaded<Number<s.a.element>, vector> loaded[together];
      Loaded<Number<s.b.element>, vector> factors[s.dot ? together : 1];
      VN_UNROLL
      for (int k = 0; k < together; ++k)
        if (begin + k * rows < last) {
          const int pixel = image * s.pixels() + begin + k * rows;
          loaded[k] = load_channels<vector, s.a.c>(a + (pixel * s.a.pixel + channel), valid);
          if constexpr (s.dot)
            factors[k] = load_channels<vector, s.a.c>(b + (pixel * s.b.pixel + channel), valid);
        }
      VN_UNROLL
      for (int k = 0; k < together; ++k)
        if (begin + k * rows < last) {
          float values[vector];
          VN_UNROLL
          for (int i = 0; i < vector; ++i)
            values[i] = s.dot ? loaded[k][i] * factors[s.dot ? k : 0][i] : loaded[k][i];
          sum.add(values);
        }
    }
  double total[vector];
  sum.finish(total);
  VN_SHARED(double, values, map_threads *vector);
  const auto add_total = [&] {              // row 0 gets all rows'
    constexpr int columns = lanes * vector; // neighbours' are next to each other
    const int lane = int(threadIdx.x) % lanes;
    VN_UNROLL
    for (int i = 0; i < vector; ++i)
      values[row * columns + lane + i * lanes] = total[i];
    add_rows<rows, columns, lanes>(values, lane, row, vector);
    if (row == 0) {
      VN_UNROLL
      for (int i = 0; i < vector; ++i)
        total[i] = values[lane + i * lanes];
    }
  };
  add_total();

  if constexpr (parts > 1) {
    if (row == 0) {
      VN_UNROLL
      for (int i = 0; i < vector; ++i)
        if (i < valid)
          sums[(image * parts + part) * s.a.c + channel + i] = total[i];
    }
    if (!last_block_arrives(counters + (image * s.channel_blocks() + int(blockIdx.x)), parts))
      return;
    VN_UNROLL
    for (int i = 0; i < vector; ++i) {
      total[i] = 0;
      if (i < valid)
        for (int other = row; other < parts; other += rows)
          total[i] += sums[(image * parts + other) * s.a.c + channel + i];
    }
    add_total();
  }
  if (row == 0 && valid > 0) {
    float result[vector];
    VN_UNROLL
    for (int i = 0; i < vector; ++i)
      result[i] = float(s.mean ? total[i] / s.pixels() : total[i]);
    store_floats(out + (image * s.out.pixel + channel), result, valid);
  }
}

// Each pixel of out is `factor` times in, N x 1 x 1 x C.
struct SpatialBroadcast {
  Map in, out;
  float factor = 1;

  VN_CONSTANT int vector() const { return vector_of_all(in, out); }
};

constexpr Launch launch_of(const SpatialBroadcast &s, Stream stream = {}) {
  return launch_over(s.out, s.vector(), 1, stream);
}

template <SpatialBroadcast s>
VN_DEVICE void spatial_broadcast(Global<const Number<s.in.element>> in, Global<Number<s.out.element>> out) {
  static_assert(s.in.pixels() == s.out.n && s.in.c == s.out.c, "a number for each image and channel");
  constexpr int vector = s.vector();
  const VectorPlace place = vector_place<s.out, vector>();
  if (place.valid <= 0)
    return;
  float values[vector];
  load_floats(values, in + (place.n * s.in.pixel + place.channel), place.valid);
  VN_UNROLL
  for (int i = 0; i < vector; ++i)
    values[i] *= s.factor;
  store_floats(out + place.in<s.out>(), values, place.valid);
}

} // namespace vn

#endif
