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
// copies of this stage are there, and that all have read the place that is filled next. Of a tile with slices
// each slice's warps have every so many-th stage, and the slices' sums are added in their order. The sums
// then go through shared memory, so that pixels are stored, and what the epilogue reads is read, in vectors
// of channels.
#ifndef VERNIER_CUDA_DEVICE_CONVOLUTION_CUH
#define VERNIER_CUDA_DEVICE_CONVOLUTION_CUH

#include "async_copy.cuh"
#include "barrier.cuh"
#include "convolution_problem.cuh"
#include "convolution_results.cuh"

namespace vn {

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

template <Convolution c>
VN_DEVICE void convolution(Global<const Number<c.in.element>> in, Global<const Factor<c.arithmetic>> weight,
                           Global<Number<c.out.element>> out, const EpilogueOperands &operands) {
  using T = Factor<c.arithmetic>;
  constexpr Tile tile = c.tile;
  constexpr Taps rows = rows_of(c), columns = columns_of(c);
  constexpr int elements = chunk_elements(c.arithmetic), chunks = tile.chunks(), threads = tile.threads(),
                slices = tile.slices;
  constexpr int tap_chunks = ceil_div(c.in_channels(), elements); // of one tap
  constexpr int all_chunks = rows.count * columns.count * tap_chunks;
  constexpr int stages = ceil_div(all_chunks, chunks);
  constexpr int results = results_of(c);
  static_assert(tile.legal(), "see Tile");
  static_assert(std::is_same_v<Number<c.in.element>, T>, "products are of what is in memory");
  static_assert(c.in_elements() < (1ll << 31) && c.out.elements() < (1ll << 31), "places are counted in int");
  static_assert(c.in.c % c.groups == 0 && c.out.c % c.groups == 0, "whole groups");

  const int group = int(blockIdx.z), slice = int(threadIdx.x) / tile.slice_threads(),
            thread = int(threadIdx.x) % tile.slice_threads();
  constexpr int slots = slices * tile.stages;
  const Shared<T> a = dynamic_shared<T>(0, slots * tile.m * chunks * elements, "a") +
                      slice * tile.stages * tile.m * chunks * elements;
  const Shared<T> b =
      dynamic_shared<T>(slots * tile.m * tile.k_bytes, slots * tile.n * chunks * elements, "b") +
      slice * tile.stages * tile.n * chunks * elements;
  const int first_result = int(blockIdx.x) * tile.m, first_channel = int(blockIdx.y) * tile.n;

  // A thread copies the same chunk of some rows of A in each stage; where these rows begin does not change.
  constexpr int copies = tile.m * chunks / tile.slice_threads(), rows_apart = tile.slice_threads() / chunks;
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
    const int tap_y = tap / (columns.count > 0 ? columns.count : 1), tap_x = tap - tap_y * columns.count;
    const int valid = c.in_channels() - channel;
    VN_UNROLL
    for (int i = 0; i < copies; ++i) {
      const int row = thread / chunks + i * rows_apart;
      const int in_y = y[i] + tap_y * rows.in_delta, in_x = x[i] + tap_x * columns.in_delta;
      const bool inside =
          image[i] >= 0 && chunk < all_chunks && in_y >= 0 && in_y < c.in.h && in_x >= 0 && in_x < c.in.w;
      const Global<const T> from = in + (inside ? (image[i] * c.in.h + in_y) * c.in_row() +
                                                      in_x * c.in.pixel + group * c.in_channels() + channel
                                                : 0);
      copy_chunk<vector_of(c.in, c.groups == 1 ? 0 : c.in_channels())>(
          a + (slot * tile.m * chunks + place_of<tile>(row, thread % chunks)) * elements, from,
          inside ? valid : 0);
    }
    constexpr int packed = weight_channels_of(c);
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

  constexpr int steps = ceil_div(stages, slices); // of each slice
  constexpr int stages_of_sum = most_products_of_sum / (chunks * elements);
  constexpr bool sums_of_sums = c.arithmetic == Arithmetic::F32 && steps > stages_of_sum;
  float sums[tile.sums()] = {}, totals[sums_of_sums ? tile.sums() : 1] = {};
  VN_UNROLL
  for (int step = 0; step < tile.stages - 1; ++step) {
    if (step < steps)
      copy_stage(step * slices + slice, step);
    cp_async_commit_group();
  }
  for (int step = 0; step < steps; ++step) {
    cp_async_wait_group<tile.stages - 2>();
    syncthreads();
    if (step + tile.stages - 1 < steps)
      copy_stage((step + tile.stages - 1) * slices + slice, (step + tile.stages - 1) % tile.stages);
    cp_async_commit_group();
    const int slot = step % tile.stages;
    multiply_stage<tile, c.arithmetic, T>(sums, a + slot * tile.m * chunks * elements,
                                          b + slot * tile.n * chunks * elements);
    if constexpr (sums_of_sums)
      if ((step + 1) % stages_of_sum == 0) {
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
  TileResults<c, tile.m, tile.n, tile.row_of_sums(), threads> stored{int(threadIdx.x), group};
  stored.begin(first_result, first_channel, operands);
  syncthreads();

  // The sums take the place of the stages.
  constexpr int numbers = tile.m * tile.row_of_sums();
  const Shared<float> matrix = dynamic_shared<float>(0, slices * numbers, "sums");
  store_sums<tile, c.arithmetic>(matrix + slice * numbers, sums);
  syncthreads();
  if constexpr (slices > 1) {
    for (int i = int(threadIdx.x); i < tile.m * tile.n; i += threads) {
      const int at = i / tile.n * tile.row_of_sums() + i % tile.n;
      float sum = matrix[at];
      VN_UNROLL
      for (int other = 1; other < slices; ++other)
        sum += matrix[at + other * numbers];
      matrix[at] = sum;
    }
    syncthreads();
  }
  stored.template store<false>(matrix, first_channel, 0, out, operands);
  if constexpr (c.epilogue.sums != Sums::None) {
    syncthreads();
    stored.add_up(matrix, first_channel, int(blockIdx.x), operands, [] { syncthreads(); });
  }
}

} // namespace vn

#endif
