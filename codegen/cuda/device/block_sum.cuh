// Sums over the threads of a block and over parts that other blocks wrote, always in the same order, in
// double.
#ifndef VERNIER_CUDA_DEVICE_BLOCK_SUM_CUH
#define VERNIER_CUDA_DEVICE_BLOCK_SUM_CUH

#include "barrier.cuh"
#include "launch.cuh"
#include "map.cuh"

namespace vn {

// values[rows][columns] by one row for each group of `columns` threads: row 0 becomes the sum of all rows. A
// power of two of rows. A thread's columns are `apart`. All threads of the block call it; those of row 0 may
// read the sums of their columns.
template <int rows, int columns, int apart = 1>
VN_DEVICE void add_rows(Shared<double> values, int first_of_row, int row, int columns_each) {
  VN_UNROLL
  for (int half = rows / 2; half > 0; half /= 2) {
    syncthreads();
    if (row < half)
      for (int i = 0; i < columns_each; ++i) {
        const int at = row * columns + first_of_row + i * apart;
        const double other = values[at + half * columns];
        values[at] += other;
      }
  }
}

// Of each thread's value, for all threads. A power of two of threads.
template <int threads> VN_DEVICE double block_sum(double value) {
  VN_SHARED(double, values, threads);
  const int thread = int(threadIdx.x);
  syncthreads(); // an earlier sum may be read yet
  values[thread] = value;
  add_rows<threads, 1>(values, 0, thread, 1);
  syncthreads();
  return values[0];
}
// The largest; threads that have none give -infinity. NaN does not count.
template <int threads> VN_DEVICE float block_maximum(float value) {
  VN_SHARED(float, values, threads);
  const int thread = int(threadIdx.x);
  syncthreads();
  values[thread] = value;
  VN_UNROLL
  for (int half = threads / 2; half > 0; half /= 2) {
    syncthreads();
    if (thread < half) {
      const float other = values[thread + half];
      if (other > values[thread])
        values[thread] = other;
    }
  }
  syncthreads();
  return values[0];
}

// --- parts

// Parts of `sums` sums for each channel, double [part][sum][channels]. A block finishes a few channels, whose
// doubles are a sector of memory: the more parts, the more threads share them.
struct Parts {
  int parts = 1, sums = 1, channels = 1;

  static constexpr int block_channels = 4;
  VN_CONSTANT int lanes() const { // of a channel
    const int wanted = power_from(ceil_div(parts, 8));
    return wanted < 8 ? 8 : wanted > 256 ? 256 : wanted;
  }
  VN_CONSTANT int threads() const { return block_channels * lanes(); }
  VN_CONSTANT int elements() const { return parts * sums * channels; }
};

constexpr Launch launch_of(const Parts &parts, Stream stream = {}) {
  return {
      {unsigned(ceil_div(parts.channels, Parts::block_channels))}, {unsigned(parts.threads())}, 0, stream};
}

// Calls finish(channel, known, sums) by one thread for each channel. `know(channel)` reads what else it
// needs, before the parts.
template <Parts p, class Know, class Finish>
VN_DEVICE void add_parts(Global<const double> parts, const Know &know, const Finish &finish) {
  static_assert(1ll * p.parts * p.sums * p.channels < (1ll << 31), "places are counted in int");
  constexpr int columns = Parts::block_channels * p.sums;
  VN_SHARED(double, values, p.lanes() * columns);
  const int lane = int(threadIdx.x) / Parts::block_channels,
            column = int(threadIdx.x) % Parts::block_channels;
  const int channel = int(blockIdx.x) * Parts::block_channels + column;
  double sums[p.sums] = {};
  decltype(know(0)) known = {};
  if (channel < p.channels) {
    if (lane == 0)
      known = know(channel);
    constexpr int rounds = ceil_div(p.parts, p.lanes()), ahead = rounds < 8 ? rounds : 8;
    for (int part = lane; part < p.parts; part += ahead * p.lanes()) {
      double loaded[ahead][p.sums];
      VN_UNROLL
      for (int k = 0; k < ahead; ++k) { // past the last the first once more: a branch would wait for loads
        const int other = part + k * p.lanes(), from = other < p.parts ? other : part;
        VN_UNROLL
        for (int i = 0; i < p.sums; ++i)
          loaded[k][i] = parts[(from * p.sums + i) * p.channels + channel];
      }
      VN_UNROLL
      for (int k = 0; k < ahead; ++k)
        VN_UNROLL
      for (int i = 0; i < p.sums; ++i)
        if (part + k * p.lanes() < p.parts)
          sums[i] += loaded[k][i];
    }
  }
  VN_UNROLL
  for (int i = 0; i < p.sums; ++i)
    values[lane * columns + column * p.sums + i] = sums[i];
  add_rows<p.lanes(), columns>(values, column * p.sums, lane, p.sums);
  if (lane == 0 && channel < p.channels) {
    VN_UNROLL
    for (int i = 0; i < p.sums; ++i)
      sums[i] = values[column * p.sums + i];
    finish(channel, known, sums);
  }
}

} // namespace vn

#endif
