// Convolutions, linear layers and the gradients of their inputs, as implicit matrix products: nothing is
// unfolded in memory.
//
//   rows of the product (m)    pixels of the result, those of all images in one row
//   columns (n)                channels of the result in a group; blockIdx.z is the group
//   summed over (k)            for each tap of the window the input's channels, padded to whole chunks of 16
//   bytes
//
// An input gradient is the same with the taps in reverse, and of a convolution with a stride one launch for
// each residue of the result's position (Convolution::residue): each has its own taps, perhaps none.
//
// Stages of k come by cp.async, `stages` - 1 of them on their way; taps outside of the input and channels
// past the last are filled with zeros by the copy. One barrier a stage: who has passed it knows that the
// copies of this stage are there, and that all have read the place that is filled next. The sums then go
// through shared memory, so that pixels are stored, and what the epilogue reads is read, in vectors of
// channels.
#ifndef VERNIER_CUDA_DEVICE_CONVOLUTION_CUH
#define VERNIER_CUDA_DEVICE_CONVOLUTION_CUH

#include "async_copy.cuh"
#include "barrier.cuh"
#include "epilogue.cuh"
#include "gemm_tile.cuh"
#include "launch.cuh"

namespace vn {

enum class Direction { Forward, InputGradient };

// As codegen/program/Problems.h has it: of an input gradient `in` is the gradient of the convolution's
// result, `out` that of its input; kernel, stride, padding and dilation are the convolution's.
struct Convolution {
  Map in, out;
  Pair kernel = {1, 1}, stride = {1, 1};
  Pair padding = {0, 0}; // before the first row and column
  Pair dilation = {1, 1};
  int groups = 1;
  Direction direction = Direction::Forward;
  Pair residue = {0, 0}; // of the result's position by the stride, of an input gradient
  Arithmetic arithmetic = Arithmetic::F32;
  Epilogue epilogue = {};
  Tile tile = {};

  VN_CONSTANT int in_channels() const { return in.c / groups; }
  VN_CONSTANT int out_channels() const { return out.c / groups; }
};

// The taps that reach one row (or column) of results. Result q is at q out_step + out_start; its tap i, which
// is first + i step of the window, reads q in_step + in_start + i in_delta.
struct Taps {
  int count = 0, first = 0, step = 1;
  int in_step = 1, in_start = 0, in_delta = 1;
  int out_step = 1, out_start = 0;
  int results = 0;
};

VN_CONSTANT Taps taps_along(Direction direction, int kernel, int stride, int padding, int dilation,
                            int residue, int size) {
  if (direction == Direction::Forward)
    return {kernel, 0, 1, stride, -padding, dilation, 1, 0, size};
  Taps taps;
  taps.out_step = stride;
  taps.out_start = residue;
  taps.results = ceil_div(size - residue, stride);
  for (int r = 0; r < kernel; ++r)
    if ((residue + padding - r * dilation) % stride == 0) {
      const int position = (residue + padding - r * dilation) / stride;
      if (taps.count == 0) {
        taps.first = r;
        taps.in_start = position;
      } else if (taps.count == 1) {
        taps.step = r - taps.first;
        taps.in_delta = position - taps.in_start;
      }
      ++taps.count;
    }
  return taps;
}
VN_CONSTANT Taps rows_of(const Convolution &c) {
  return taps_along(c.direction, c.kernel.y, c.stride.y, c.padding.y, c.dilation.y, c.residue.y, c.out.h);
}
VN_CONSTANT Taps columns_of(const Convolution &c) {
  return taps_along(c.direction, c.kernel.x, c.stride.x, c.padding.x, c.dilation.x, c.residue.x, c.out.w);
}

// What the products are of, in memory and in shared memory.
template <Arithmetic arithmetic>
using Factor = std::conditional_t<arithmetic == Arithmetic::BF16, bf16, float>;
VN_CONSTANT int chunk_elements(Arithmetic arithmetic) { return arithmetic == Arithmetic::BF16 ? 8 : 4; }

// Packed weights: [groups][channels of the result][kernel.y][kernel.x][channels of the input], the last in
// whole chunks, zeros behind; those of TF32 are rounded. See weights.cuh.
VN_CONSTANT int packed_channels(Arithmetic arithmetic, int channels) {
  return ceil_div(channels, chunk_elements(arithmetic)) * chunk_elements(arithmetic);
}

// In float32 a sum of more products than this is one of sums of so many: the rounding errors of equal terms
// add up. Tensor cores, whose factors are rounded more coarsely, add theirs in one.
constexpr int most_products_of_sum = 512;

VN_CONSTANT int results_of(const Convolution &c) {
  return c.out.n * rows_of(c).results * columns_of(c).results;
}
constexpr Launch launch_of(const Convolution &c, Stream stream = {}) {
  const unsigned rows = unsigned(ceil_div(results_of(c), c.tile.m)),
                 columns = unsigned(ceil_div(c.out_channels(), c.tile.n));
  return {{rows, columns, unsigned(c.groups)},
          {unsigned(c.tile.threads())},
          unsigned(c.tile.shared_bytes()),
          stream};
}
// Of the sums of its epilogue.
VN_CONSTANT int parts_of(const Convolution &c) { return ceil_div(results_of(c), c.tile.m); }

// A chunk into shared memory, of which the first `valid` elements are read and the others are 0, `vector`
// elements a copy.
template <int vector, class T> VN_DEVICE void copy_chunk(Shared<T> to, Global<const T> from, int valid) {
  constexpr int elements = 16 / int(sizeof(T)), bytes = vector * int(sizeof(T));
  VN_UNROLL
  for (int i = 0; i < elements; i += vector) {
    const int left = valid - i < 0 ? 0 : valid - i > vector ? vector : valid - i;
    if constexpr (bytes >= 4)
      cp_async<bytes>(to + i, from + i, left * int(sizeof(T)));
    else // no asynchronous copy is so narrow
      to[i] = left > 0 ? T(from[i]) : T{};
  }
}

// A pixel of the result.
struct ResultPixel {
  int n, y, x; // y and x count results, not rows and columns
};
template <Convolution c> VN_DEVICE ResultPixel pixel_of(int result) {
  constexpr int height = rows_of(c).results, width = columns_of(c).results;
  return {result / (height * width), result / width % height, result % width};
}

namespace detail {

// A matrix of sums in shared memory, `row` floats from one of its rows to the next: `m` results of the
// product from `first_result` on, `n` channels of a group from `first_channel` on. `threads` threads share
// the work, of which this is number `thread`.

// Stores what the epilogue makes of the sums, and leaves it in the matrix where it is to be summed up.
template <Convolution c, int m, int n, int row, int threads>
VN_DEVICE void store_results(Shared<float> matrix, int thread, int first_result, int group, int first_channel,
                             Global<Number<c.out.element>> out, const EpilogueOperands &operands) {
  constexpr Taps rows = rows_of(c), columns = columns_of(c);
  constexpr int vector = vector_of(c.out, c.epilogue, c.groups == 1 ? 0 : c.out_channels());
  constexpr int vectors = n / vector; // of a row
  for (int i = thread; i < m * vectors; i += threads) {
    const int result = i / vectors, column = i % vectors * vector;
    const int valid = c.out_channels() - first_channel - column;
    if (first_result + result >= results_of(c) || valid <= 0)
      continue;
    const ResultPixel pixel = pixel_of<c>(first_result + result);
    const int out_y = pixel.y * rows.out_step + rows.out_start,
              out_x = pixel.x * columns.out_step + columns.out_start;
    const int channel = group * c.out_channels() + first_channel + column;
    float values[vector];
    constexpr int at_once = vector < 4 ? vector : 4;
    VN_UNROLL
    for (int k = 0; k < vector; k += at_once) {
      const Vector<float, at_once> loaded = load_shared<at_once>(matrix + (result * row + column + k));
      VN_UNROLL
      for (int j = 0; j < at_once; ++j)
        values[k + j] = loaded[j];
    }
    apply<c.epilogue>(values, operands, pixel.n, out_y, out_x, channel, valid);
    store_floats(out + (((pixel.n * c.out.h + out_y) * c.out.w + out_x) * c.out.pixel + channel), values,
                 valid);
    if constexpr (c.epilogue.sums != Sums::None) {
      VN_UNROLL
      for (int k = 0; k < vector; ++k)
        matrix[result * row + column + k] = values[k];
    }
  }
}

// A part of the epilogue's sums, of what store_results left.
template <Convolution c, int m, int n, int row, int threads>
VN_DEVICE void sum_results(Shared<const float> matrix, int thread, int first_result, int group,
                           int first_channel, int part, const EpilogueOperands &operands) {
  constexpr Taps rows = rows_of(c), columns = columns_of(c);
  for (int column = thread; column < n && first_channel + column < c.out_channels(); column += threads) {
    const int channel = group * c.out_channels() + first_channel + column;
    double first = 0, second = 0;
    float mean = 0;
    if constexpr (c.epilogue.sums == Sums::Gradient)
      mean = operands.mean[channel];
    for (int result = 0; result < m && first_result + result < results_of(c); ++result) {
      const float value = matrix[result * row + column];
      first += value;
      if constexpr (c.epilogue.sums == Sums::Gradient) {
        const ResultPixel pixel = pixel_of<c>(first_result + result);
        const float there =
            to_float(at<c.epilogue.x>(operands.x, pixel.n, pixel.y * rows.out_step + rows.out_start,
                                      pixel.x * columns.out_step + columns.out_start, channel)[0]);
        second += double(value) * (there - mean);
      } else {
        second += double(value) * value;
      }
    }
    const int whole = 2 * (c.epilogue.first_part + part) * c.out.c;
    operands.sums[whole + channel] = first;
    operands.sums[whole + c.out.c + channel] = second;
  }
}

} // namespace detail

template <Convolution c>
VN_DEVICE void convolution(Global<const Number<c.in.element>> in, Global<const Factor<c.arithmetic>> weight,
                           Global<Number<c.out.element>> out, const EpilogueOperands &operands) {
  using T = Factor<c.arithmetic>;
  constexpr Tile tile = c.tile;
  constexpr Taps rows = rows_of(c), columns = columns_of(c);
  constexpr int elements = chunk_elements(c.arithmetic), chunks = tile.chunks(), threads = tile.threads();
  constexpr int tap_chunks = ceil_div(c.in_channels(), elements); // of one tap
  constexpr int all_chunks = rows.count * columns.count * tap_chunks;
  constexpr int stages = ceil_div(all_chunks, chunks);
  constexpr int results = results_of(c);
  static_assert(tile.legal(), "see Tile");
  static_assert(std::is_same_v<Number<c.in.element>, T>, "products are of what is in memory");
  static_assert(c.in.elements() < (1ll << 31) && c.out.elements() < (1ll << 31), "places are counted in int");
  static_assert(c.in.c % c.groups == 0 && c.out.c % c.groups == 0, "whole groups");

  const Shared<T> a = dynamic_shared<T>(0, tile.stages * tile.m * chunks * elements, "a");
  const Shared<T> b =
      dynamic_shared<T>(tile.stages * tile.m * tile.k_bytes, tile.stages * tile.n * chunks * elements, "b");
  const int thread = int(threadIdx.x), group = int(blockIdx.z);
  const int first_result = int(blockIdx.x) * tile.m, first_channel = int(blockIdx.y) * tile.n;

  // A thread copies the same chunk of some rows of A in each stage; where these rows begin does not change.
  constexpr int copies = tile.m * chunks / threads, rows_apart = threads / chunks;
  int image[copies], y[copies], x[copies]; // image -1: past the last result
  VN_UNROLL
  for (int i = 0; i < copies; ++i) {
    const int result = first_result + thread / chunks + i * rows_apart;
    const ResultPixel pixel = pixel_of<c>(result);
    image[i] = result < results ? pixel.n : -1;
    y[i] = pixel.y * rows.in_step + rows.in_start;
    x[i] = pixel.x * columns.in_step + columns.in_start;
  }

  const auto copy_stage = [&](int stage, int slot) {
    const int chunk = stage * chunks + thread % chunks;
    const int tap = chunk / tap_chunks, channel = chunk % tap_chunks * elements;
    const int tap_y = columns.count > 0 ? tap / columns.count : 0, tap_x = tap - tap_y * columns.count;
    const int valid = c.in_channels() - channel;
    VN_UNROLL
    for (int i = 0; i < copies; ++i) {
      const int row = thread / chunks + i * rows_apart;
      const int in_y = y[i] + tap_y * rows.in_delta, in_x = x[i] + tap_x * columns.in_delta;
      const bool inside =
          image[i] >= 0 && chunk < all_chunks && in_y >= 0 && in_y < c.in.h && in_x >= 0 && in_x < c.in.w;
      const Global<const T> from = in + (inside ? ((image[i] * c.in.h + in_y) * c.in.w + in_x) * c.in.pixel +
                                                      group * c.in_channels() + channel
                                                : 0);
      copy_chunk<vector_of(c.in, c.groups == 1 ? 0 : c.in_channels())>(
          a + (slot * tile.m * chunks + place_of<tile>(row, thread % chunks)) * elements, from,
          inside ? valid : 0);
    }
    constexpr int packed = tap_chunks * elements;
    const int weight_tap =
        (rows.first + tap_y * rows.step) * c.kernel.x + columns.first + tap_x * columns.step;
    for (int row = thread / chunks; row < tile.n; row += rows_apart) {
      const int out_channel = first_channel + row;
      const bool inside = out_channel < c.out_channels() && chunk < all_chunks;
      const int at =
          ((group * c.out_channels() + out_channel) * c.kernel.y * c.kernel.x + weight_tap) * packed +
          channel;
      copy_chunk<elements>(b + (slot * tile.n * chunks + place_of<tile>(row, thread % chunks)) * elements,
                           weight + (inside ? at : 0), inside ? elements : 0);
    }
  };

  constexpr int stages_of_sum = most_products_of_sum / (chunks * elements);
  constexpr bool sums_of_sums = c.arithmetic == Arithmetic::F32 && stages > stages_of_sum;
  float sums[tile.sums()] = {}, totals[sums_of_sums ? tile.sums() : 1] = {};
  VN_UNROLL
  for (int stage = 0; stage < tile.stages - 1; ++stage) {
    if (stage < stages)
      copy_stage(stage, stage);
    cp_async_commit_group();
  }
  for (int stage = 0; stage < stages; ++stage) {
    cp_async_wait_group<tile.stages - 2>();
    syncthreads();
    if (stage + tile.stages - 1 < stages)
      copy_stage(stage + tile.stages - 1, (stage + tile.stages - 1) % tile.stages);
    cp_async_commit_group();
    const int slot = stage % tile.stages;
    multiply_stage<tile, c.arithmetic, T>(sums, a + slot * tile.m * chunks * elements,
                                          b + slot * tile.n * chunks * elements);
    if constexpr (sums_of_sums)
      if ((stage + 1) % stages_of_sum == 0) {
        VN_UNROLL
        for (int i = 0; i < tile.sums(); ++i) {
          totals[i] += sums[i];
          sums[i] = 0;
        }
      }
  }
  if constexpr (sums_of_sums) {
    VN_UNROLL
    for (int i = 0; i < tile.sums(); ++i)
      sums[i] += totals[i];
  }
  syncthreads();

  // The sums take the place of the stages.
  const Shared<float> matrix = dynamic_shared<float>(0, tile.m * tile.row_of_sums(), "sums");
  store_sums<tile, c.arithmetic>(matrix, sums);
  syncthreads();
  detail::store_results<c, tile.m, tile.n, tile.row_of_sums(), threads>(matrix, thread, first_result, group,
                                                                        first_channel, out, operands);
  if constexpr (c.epilogue.sums != Sums::None) {
    syncthreads();
    detail::sum_results<c, tile.m, tile.n, tile.row_of_sums(), threads>(
        matrix, thread, first_result, group, first_channel, int(blockIdx.x), operands);
  }
}

} // namespace vn

#endif
