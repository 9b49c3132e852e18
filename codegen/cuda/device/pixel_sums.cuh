// Sums over all pixels of maps, for each channel: gradients of biases, the sums that batch norms need.
//
//   block (x, y)     a tile of vectors of channels, a part of the pixels; 256 threads, columns are vectors of
//                    channels and rows every so-many-th pixel of the part
//   result           double [part][sum][channels], which a second kernel adds (block_sum.cuh)
//
// All is added in double: gradients through a batch norm over few pixels magnify what float loses, and a
// variance is the difference of large numbers where the mean is large.
#ifndef VERNIER_CUDA_DEVICE_PIXEL_SUMS_CUH
#define VERNIER_CUDA_DEVICE_PIXEL_SUMS_CUH

#include "block_sum.cuh"

namespace vn {

struct PixelSums {
  int pixels = 1, channels = 1, width = 1; // of a vector
  int sums = 1;
  int images = 1; // that are added apart, by blocks (x, y, image): `pixels` are one's

  static constexpr int threads = 256, wanted_blocks = 512, most_parts = 512, least_terms = 8; // of a thread
  VN_CONSTANT int columns() const {
    const int vectors = power_from(ceil_div(channels, width));
    return vectors < 32 ? vectors : 32;
  }
  VN_CONSTANT int rows() const { return threads / columns(); }
  VN_CONSTANT int tiles() const { return ceil_div(channels, columns() * width); }
  VN_CONSTANT int parts() const {
    const int by_blocks = ceil_div(wanted_blocks, tiles() * images),
              by_terms = pixels / (rows() * least_terms);
    const int parts = by_blocks < by_terms ? by_blocks : by_terms;
    return parts < 1 ? 1 : parts < most_parts ? parts : most_parts;
  }
  VN_CONSTANT Parts all() const { return {parts(), sums, channels}; }
};

constexpr Launch launch_of(const PixelSums &s, Stream stream = {}) {
  return {{unsigned(s.tiles()), unsigned(s.parts()), unsigned(s.images)}, {unsigned(s.threads)}, 0, stream};
}

// `prepare(channel, valid)` comes first, then for each pixel of this thread add(load(pixel, channel, valid),
// sums); sums[sum][k] are of channel + k. Several pixels are loaded before the first is added. All threads of
// the block call it.
template <PixelSums s, class Prepare, class Load, class Add>
VN_DEVICE void sum_pixels(Global<double> parts, const Prepare &prepare, const Load &load, const Add &add) {
  constexpr int columns = s.columns(), rows = s.rows(), each = s.sums * s.width, ahead = 4;
  const int row = int(threadIdx.x) / columns, column = int(threadIdx.x) % columns, part = int(blockIdx.y);
  const int channel = (int(blockIdx.x) * columns + column) * s.width, valid = s.channels - channel;
  double sums[s.sums][s.width] = {};
  if (valid > 0) {
    prepare(channel, valid);
    const int first = int(1ll * s.pixels * part / s.parts()),
              last = int(1ll * s.pixels * (part + 1) / s.parts());
    for (int pixel = first + row; pixel < last; pixel += ahead * rows) {
      decltype(load(0, 0, 0)) loaded[ahead];
      VN_UNROLL
      for (int i = 0; i < ahead; ++i) // past the last the first once more: a branch would wait for loads
        loaded[i] = load(pixel + i * rows < last ? pixel + i * rows : pixel, channel, valid);
      VN_UNROLL
      for (int i = 0; i < ahead; ++i)
        if (pixel + i * rows < last)
          add(loaded[i], sums);
    }
  }

  // Value i of all threads is one array, so that neighbours meet other banks. Several threads share the rows
  // of a column's value, where there are enough.
  constexpr int apart = s.threads + columns, items = columns * each;
  constexpr int shares = items >= s.threads ? 1 : s.threads / items < 8 ? s.threads / items : 8;
  VN_SHARED(double, values, each *apart);
  for (int i = 0; i < each; ++i)
    values[i * apart + int(threadIdx.x)] = sums[i / s.width][i % s.width];
  syncthreads();
  const auto add_rows_of = [&](int item, int share) {
    constexpr int of_share = rows / shares;
    double total = 0;
    for (int i = 0; i < of_share; ++i)
      total += values[item / columns * apart + (share * of_share + i) * columns + item % columns];
    return total;
  };
  const auto store = [&](int item, double sum) {
    const int i = item / columns, at = (int(blockIdx.x) * columns + item % columns) * s.width + i % s.width;
    if (at < s.channels)
      parts[(part * s.sums + i / s.width) * s.channels + at] = sum;
  };
  if constexpr (shares == 1) {
    for (int item = int(threadIdx.x); item < items; item += s.threads)
      store(item, add_rows_of(item, 0));
  } else {
    VN_SHARED(double, totals, shares *items);
    const int item = int(threadIdx.x) % items, share = int(threadIdx.x) / items;
    if (share < shares)
      totals[share * items + item] = add_rows_of(item, share);
    syncthreads();
    if (share == 0) {
      double total = 0;
      for (int i = 0; i < shares; ++i)
        total += totals[i * items + item];
      store(item, total);
    }
  }
}

// --- the gradient of a bias

struct ChannelSums {
  Map dy;

  VN_CONSTANT PixelSums plan() const { return {dy.pixels(), dy.c, vector_of(dy), 1}; }
};
VN_CONSTANT int parts_of(const ChannelSums &p) { return p.plan().parts(); }

constexpr Launch launch_of(const ChannelSums &p, Stream stream = {}) { return launch_of(p.plan(), stream); }

// Writes double [parts_of(p)][channels].
template <ChannelSums p>
VN_DEVICE void channel_sums(Global<const Number<p.dy.element>> dy, Global<double> parts) {
  static_assert(p.dy.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = vector_of(p.dy);
  sum_pixels<p.plan()>(
      parts, [](int, int) {},
      [&](int pixel, int channel, int valid) {
        return load_channels<width, p.dy.c>(dy + (pixel * p.dy.pixel + channel), valid);
      },
      [&](const Loaded<Number<p.dy.element>, width> &values, double(&sums)[1][width]) {
        VN_UNROLL
        for (int k = 0; k < width; ++k)
          sums[0][k] += double(values[k]);
      });
}

// Of the parts that ChannelSums wrote.
struct ChannelSumsFinish {
  int channels = 1, parts = 1;

  VN_CONSTANT Parts all() const { return {parts, 1, channels}; }
};

constexpr Launch launch_of(const ChannelSumsFinish &p, Stream stream = {}) {
  return launch_of(p.all(), stream);
}

template <ChannelSumsFinish p>
VN_DEVICE void channel_sums_finish(Global<const double> parts, Global<float> result) {
  struct None {};
  add_parts<p.all()>(
      parts, [](int) { return None{}; },
      [&](int channel, None, const double(&sums)[1]) { result[channel] = float(sums[0]); });
}

} // namespace vn

#endif
