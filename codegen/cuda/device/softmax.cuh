// Softmax over channels, over runs of them and over pixels, of differences from the largest, and its
// logarithm.
#ifndef VERNIER_CUDA_DEVICE_SOFTMAX_CUH
#define VERNIER_CUDA_DEVICE_SOFTMAX_CUH

#include "block_sum.cuh"
#include "pixel_lanes.cuh"

#include <math.h>

namespace vn {

// Of each pixel over all of its channels, which stay in registers.
struct ChannelSoftmax {
  Map x, y;
  bool log = false;

  VN_CONSTANT int vector() const { return vector_of_all(x, y); }
};

constexpr Launch launch_of(const ChannelSoftmax &p, Stream stream = {}) {
  return pixel_launch(p.x, p.vector(), stream);
}

template <ChannelSoftmax p>
VN_DEVICE void channel_softmax(Global<const Number<p.x.element>> x, Global<Number<p.y.element>> y) {
  static_assert(same_shape(p.x, p.y) && p.y.elements() < (1ll << 31), "maps of one shape");
  constexpr int width = p.vector();
  using Lane = PixelLane<p.x, width>;
  const Lane lane;
  float values[Lane::each][width];
  lane.template load<p.x>(values, x);
  float largest = -INFINITY;
  VN_UNROLL
  for (int i = 0; i < Lane::each; ++i) {
    const int valid = lane.valid(i);
    VN_UNROLL
    for (int k = 0; k < width; ++k)
      if (k < valid)
        largest = larger_of(values[i][k], largest);
  }
  largest = largest_of_lanes<Lane::lanes>(largest);
  double sum = 0;
  VN_UNROLL
  for (int i = 0; i < Lane::each; ++i) {
    const int valid = lane.valid(i);
    VN_UNROLL
    for (int k = 0; k < width; ++k) {
      values[i][k] -= largest;
      const float power = expf(values[i][k]);
      if constexpr (!p.log)
        values[i][k] = power;
      if (k < valid)
        sum += double(power);
    }
  }
  sum = sum_lanes<Lane::lanes>(sum);
  const float part = p.log ? logf(float(sum)) : float(1.0 / sum);
  VN_UNROLL
  for (int i = 0; i < Lane::each; ++i) {
    const int valid = lane.valid(i);
    if (valid <= 0)
      continue;
    VN_UNROLL
    for (int k = 0; k < width; ++k)
      values[i][k] = p.log ? values[i][k] - part : values[i][k] * part;
    store_floats(y + (lane.pixel * p.y.pixel + lane.channel(i)), values[i], valid);
  }
}

// Over `runs` equal runs of channels, place by place: a thread for each place of a pixel.
struct RunSoftmax {
  Map x, y;
  int runs = 1;
  bool log = false;

  VN_CONSTANT int length() const { return x.c / runs; }
};

constexpr Launch launch_of(const RunSoftmax &p, Stream stream = {}) {
  return {{unsigned(ceil_div(p.x.pixels() * p.length(), elementwise_threads))},
          {unsigned(elementwise_threads)},
          0,
          stream};
}

template <RunSoftmax p>
VN_DEVICE void run_softmax(Global<const Number<p.x.element>> x, Global<Number<p.y.element>> y) {
  static_assert(same_shape(p.x, p.y) && p.x.elements() < (1ll << 31) && p.y.elements() < (1ll << 31),
                "places are counted in int");
  constexpr int length = p.length();
  const int thread = int(blockIdx.x) * elementwise_threads + int(threadIdx.x), pixel = thread / length;
  if (pixel >= p.x.pixels())
    return;
  const int from = pixel * p.x.pixel + thread % length, to = pixel * p.y.pixel + thread % length;
  float largest = to_float(x[from]), sum = 0;
  for (int i = 1; i < p.runs; ++i)
    largest = larger_of(to_float(x[from + i * length]), largest);
  for (int i = 0; i < p.runs; ++i)
    sum += expf(to_float(x[from + i * length]) - largest);
  const float log_sum = logf(sum);
  for (int i = 0; i < p.runs; ++i) {
    const float difference = to_float(x[from + i * length]) - largest;
    y[to + i * length] =
        from_float<Number<p.y.element>>(p.log ? difference - log_sum : expf(difference) / sum);
  }
}

// Of each channel over the pixels of an image: a block has a few channels, in columns of threads, and all
// pixels, in rows.
struct SpatialSoftmax {
  Map x, y;

  static constexpr int threads = 256;
  VN_CONSTANT int columns() const {
    const int channels = power_from(x.c);
    return channels < 32 ? channels : 32;
  }
  VN_CONSTANT int rows() const { return threads / columns(); }
  VN_CONSTANT int tiles() const { return ceil_div(x.c, columns()); }
};

constexpr Launch launch_of(const SpatialSoftmax &p, Stream stream = {}) {
  return {{unsigned(p.tiles()), 1, unsigned(p.x.n)}, {unsigned(SpatialSoftmax::threads)}, 0, stream};
}

template <SpatialSoftmax p>
VN_DEVICE void spatial_softmax(Global<const Number<p.x.element>> x, Global<Number<p.y.element>> y) {
  static_assert(same_shape(p.x, p.y) && p.x.elements() < (1ll << 31) && p.y.elements() < (1ll << 31),
                "places are counted in int");
  constexpr int columns = p.columns(), rows = p.rows(), pixels = p.x.h * p.x.w;
  const int column = int(threadIdx.x) % columns, row = int(threadIdx.x) / columns;
  const int channel = int(blockIdx.x) * columns + column, first = int(blockIdx.z) * pixels;
  const bool own = channel < p.x.c;
  const auto value = [&](int pixel) { return to_float(x[(first + pixel) * p.x.pixel + channel]); };
  float largest = -INFINITY;
  if (own)
    for (int pixel = row; pixel < pixels; pixel += rows)
      largest = larger_of(value(pixel), largest);
  VN_SHARED(float, most, SpatialSoftmax::threads);
  most[row * columns + column] = largest;
  syncthreads();
  largest = most[column];
  for (int i = 1; i < rows; ++i)
    largest = larger_of(most[i * columns + column], largest);
  double sum = 0;
  if (own)
    for (int pixel = row; pixel < pixels; pixel += rows)
      sum += double(expf(value(pixel) - largest));
  VN_SHARED(double, sums, SpatialSoftmax::threads);
  sums[row * columns + column] = sum;
  add_rows<rows, columns>(sums, column, row, 1);
  syncthreads();
  const float share = float(1.0 / sums[column]);
  if (own)
    for (int pixel = row; pixel < pixels; pixel += rows)
      y[(first + pixel) * p.y.pixel + channel] =
          from_float<Number<p.y.element>>(expf(value(pixel) - largest) * share);
}

} // namespace vn

#endif
