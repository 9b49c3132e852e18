// Gradients of weights, as implicit matrix products over the pixels of all images.
//
//   rows of the product (m)    the convolution's outputs of a group
//   columns (n)                for each tap of the window the group's inputs, padded to whole chunks of 16
//   bytes summed over (k)            pixels of dy; x is read at the tap that the column has
//
// Pixels are divided among `splits` blocks. Each writes its part; the last of a tile's blocks to arrive adds
// the parts in their order, so that the result does not depend on timing. A stage holds pixels as rows: dy's
// channels in A, x's in B; ldmatrix transposes bfloat16 on the way to the fragments, float32 is read number
// by number.
#ifndef VERNIER_CUDA_DEVICE_WEIGHT_GRADIENT_CUH
#define VERNIER_CUDA_DEVICE_WEIGHT_GRADIENT_CUH

#include "convolution.cuh"

namespace vn {

// As codegen/program/Problems.h has it.
struct WeightGradient {
  Map x, dy;
  int groups = 1; // of the product
  int merged = 1; // groups of the convolution that are one of the product: what is between two is not stored
  Pair kernel = {1, 1}, stride = {1, 1}, dilation = {1, 1};
  Pair padding = {0, 0}; // before the first row and column
  Arithmetic arithmetic = Arithmetic::F32;
  int splits = 1;
  Tile tile = {}; // a stage has k_bytes of pixels

  VN_CONSTANT int inputs() const { return x.c / groups; }
  VN_CONSTANT int outputs() const { return dy.c / groups; }
  VN_CONSTANT int weight_inputs() const { return inputs() / merged; }
  VN_CONSTANT int weight_outputs() const { return outputs() / merged; }
  VN_CONSTANT int tap_chunks() const { return ceil_div(inputs(), chunk_elements(arithmetic)); }
  VN_CONSTANT int columns() const { return kernel.y * kernel.x * tap_chunks() * chunk_elements(arithmetic); }
  VN_CONSTANT int tiles_m() const { return ceil_div(outputs(), tile.m); }
  VN_CONSTANT int tiles_n() const { return ceil_div(columns(), tile.n); }
  VN_CONSTANT int tiles() const { return tiles_m() * tiles_n() * groups; }
  VN_CONSTANT int stage_pixels() const { return tile.k_bytes / 16 * chunk_elements(arithmetic); }
  VN_CONSTANT int stages() const { return ceil_div(dy.pixels(), stage_pixels()); }
  // A sum over more pixels than this is one of sums over so many: the rounding errors of equal terms add up.
  static constexpr int most_pixels_of_sum = 512;
  VN_CONSTANT int stages_of_sum() const { return most_pixels_of_sum / stage_pixels(); }
  VN_CONSTANT bool sums_of_sums() const { return ceil_div(stages(), splits) > stages_of_sum(); }
  // Of scratch memory: the parts, and a counter for each tile, which are 0 before the first launch and after
  // each.
  VN_CONSTANT int parts() const { return splits == 1 ? 0 : tiles() * splits * tile.m * tile.n; }
  VN_CONSTANT int counters() const { return splits == 1 ? 0 : tiles(); }
};

constexpr Launch launch_of(const WeightGradient &g, Stream stream = {}) {
  // Groups and splits may be more than the second and third dimension of a grid hold.
  return {{unsigned(g.groups * g.splits), unsigned(g.tiles_n()), unsigned(g.tiles_m())},
          {unsigned(g.tile.threads())},
          unsigned(g.tile.shared_bytes()),
          stream};
}

// Where a chunk of a row of `chunks` lies, in chunks. What is read together meets each bank once: 8 rows of a
// chunk by ldmatrix, 4 rows of two chunks number by number.
template <Arithmetic arithmetic> VN_DEVICE int pixel_place(int row, int chunk, int chunks) {
  const int turn = arithmetic == Arithmetic::BF16 ? (chunks >= 8 ? row : row * chunks / 8) : 2 * row;
  return row * chunks + (chunk ^ (turn % (chunks < 8 ? chunks : 8)));
}

// sums += A^T B of one stage.
template <WeightGradient g, class T>
VN_DEVICE void multiply_pixels(float (&sums)[g.tile.sums()], Shared<const T> a, Shared<const T> b) {
  constexpr Tile tile = g.tile;
  constexpr int elements = chunk_elements(g.arithmetic), chunks_a = tile.m / elements,
                chunks_b = tile.n / elements;
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
  const int m0 = warp / tile.warps_n * tile.warp_m(), n0 = warp % tile.warps_n * tile.warp_n();
  if constexpr (g.arithmetic == Arithmetic::BF16) {
    constexpr int rows = tile.warp_m() / 16, columns = tile.warp_n() / 8;
    VN_UNROLL
    for (int k = 0; k < g.stage_pixels(); k += 16) {
      uint32_t right[columns][2];
      VN_UNROLL
      for (int j = 0; j < columns; ++j)
        ldmatrix_x2_trans(right[j],
                          b + pixel_place<g.arithmetic>(k + lane % 16, (n0 + 8 * j) / elements, chunks_b) *
                                  elements);
      VN_UNROLL
      for (int i = 0; i < rows; ++i) {
        uint32_t left[4];
        ldmatrix_x4_trans(left,
                          a + pixel_place<g.arithmetic>(k + lane % 8 + lane / 16 * 8,
                                                        (m0 + 16 * i) / elements + lane / 8 % 2, chunks_a) *
                                  elements);
        VN_UNROLL
        for (int j = 0; j < columns; ++j)
          mma_m16n8k16_bf16(*reinterpret_cast<float(*)[4]>(&sums[(i * columns + j) * 4]), left, right[j]);
      }
    }
  } else {
    const auto value = [&](Shared<const T> from, int chunks, int pixel, int channel) -> float {
      return from[pixel_place<g.arithmetic>(pixel, channel / elements, chunks) * elements +
                  channel % elements];
    };
    if constexpr (g.arithmetic == Arithmetic::TF32) {
      constexpr int rows = tile.warp_m() / 16, columns = tile.warp_n() / 8;
      const int group = lane / 4, member = lane % 4;
      VN_UNROLL
      for (int k = 0; k < g.stage_pixels(); k += 8) {
        uint32_t right[columns][2];
        VN_UNROLL
        for (int j = 0; j < columns; ++j)
          VN_UNROLL
        for (int half = 0; half < 2; ++half)
          right[j][half] = to_tf32(value(b, chunks_b, k + member + 4 * half, n0 + 8 * j + group));
        VN_UNROLL
        for (int i = 0; i < rows; ++i) {
          uint32_t left[4];
          VN_UNROLL
          for (int part = 0; part < 4; ++part)
            left[part] =
                to_tf32(value(a, chunks_a, k + member + part / 2 * 4, m0 + 16 * i + group + part % 2 * 8));
          VN_UNROLL
          for (int j = 0; j < columns; ++j)
            mma_m16n8k8_tf32(*reinterpret_cast<float(*)[4]>(&sums[(i * columns + j) * 4]), left, right[j]);
        }
      }
    } else {
      constexpr int rows = tile.warp_m() / 8, columns = tile.warp_n() / 4;
      VN_UNROLL
      for (int k = 0; k < g.stage_pixels(); ++k) {
        float right[columns];
        VN_UNROLL
        for (int j = 0; j < columns; ++j)
          right[j] = value(b, chunks_b, k, n0 + lane % 4 + 4 * j);
        VN_UNROLL
        for (int i = 0; i < rows; ++i) {
          const float left = value(a, chunks_a, k, m0 + lane / 4 + 8 * i);
          VN_UNROLL
          for (int j = 0; j < columns; ++j)
            sums[i * columns + j] += left * right[j];
        }
      }
    }
  }
}

// Writes O x I/groups x R x S. Parts and counters: see WeightGradient; null where there is one split.
template <WeightGradient g>
VN_DEVICE void weight_gradient(Global<const Number<g.x.element>> x, Global<const Number<g.dy.element>> dy,
                               Global<float> result, Global<float> parts, Global<unsigned> counters) {
  using T = Factor<g.arithmetic>;
  constexpr Tile tile = g.tile;
  constexpr int elements = chunk_elements(g.arithmetic), threads = tile.threads();
  constexpr int chunks_a = tile.m / elements, chunks_b = tile.n / elements, taps = g.kernel.y * g.kernel.x;
  constexpr int pixels = g.dy.pixels(), stages = g.stages();
  static_assert(tile.legal(), "see Tile");
  static_assert(std::is_same_v<Number<g.x.element>, T> && std::is_same_v<Number<g.dy.element>, T>,
                "products are of what is in memory");
  static_assert(g.inputs() % g.merged == 0 && g.outputs() % g.merged == 0, "whole groups");
  static_assert(g.x.elements() < (1ll << 31) && g.dy.elements() < (1ll << 31), "places are counted in int");
  static_assert(g.x.c % g.groups == 0 && g.dy.c % g.groups == 0 && g.splits >= 1, "whole groups");

  const Shared<T> a = dynamic_shared<T>(0, tile.stages * g.stage_pixels() * tile.m, "a");
  const Shared<T> b =
      dynamic_shared<T>(tile.stages * tile.m * tile.k_bytes, tile.stages * g.stage_pixels() * tile.n, "b");
  const int thread = int(threadIdx.x), group = int(blockIdx.x) / g.splits, split = int(blockIdx.x) % g.splits;
  const int first_output = int(blockIdx.z) * tile.m, first_chunk = int(blockIdx.y) * chunks_b;
  const int first_stage = int(1ll * stages * split / g.splits),
            last_stage = int(1ll * stages * (split + 1) / g.splits);

  const auto copy_stage = [&](int stage, int slot) {
    for (int i = thread; i < g.stage_pixels() * chunks_a; i += threads) {
      const int row = i / chunks_a, chunk = i % chunks_a, pixel = stage * g.stage_pixels() + row;
      const int channel = first_output + chunk * elements;
      const bool inside = pixel < pixels && channel < g.outputs();
      copy_chunk<vector_of(g.dy, g.groups == 1 ? 0 : g.outputs())>(
          a + (slot * g.stage_pixels() * chunks_a + pixel_place<g.arithmetic>(row, chunk, chunks_a)) *
                  elements,
          dy + (inside ? pixel * g.dy.pixel + group * g.outputs() + channel : 0),
          inside ? g.outputs() - channel : 0);
    }
    for (int i = thread; i < g.stage_pixels() * chunks_b; i += threads) {
      const int row = i / chunks_b, chunk = i % chunks_b, pixel = stage * g.stage_pixels() + row;
      const int tap = (first_chunk + chunk) / g.tap_chunks(),
                channel = (first_chunk + chunk) % g.tap_chunks() * elements;
      const int n = pixel / (g.dy.h * g.dy.w), out_y = pixel / g.dy.w % g.dy.h, out_x = pixel % g.dy.w;
      const int in_y = out_y * g.stride.y - g.padding.y + tap / g.kernel.x * g.dilation.y;
      const int in_x = out_x * g.stride.x - g.padding.x + tap % g.kernel.x * g.dilation.x;
      const bool inside =
          pixel < pixels && tap < taps && in_y >= 0 && in_y < g.x.h && in_x >= 0 && in_x < g.x.w;
      copy_chunk<vector_of(g.x, g.groups == 1 ? 0 : g.inputs())>(
          b + (slot * g.stage_pixels() * chunks_b + pixel_place<g.arithmetic>(row, chunk, chunks_b)) *
                  elements,
          x + (inside ? ((n * g.x.h + in_y) * g.x.w + in_x) * g.x.pixel + group * g.inputs() + channel : 0),
          inside ? g.inputs() - channel : 0);
    }
  };

  float sums[tile.sums()] = {}, totals[g.sums_of_sums() ? tile.sums() : 1] = {};
  VN_UNROLL
  for (int ahead = 0; ahead < tile.stages - 1; ++ahead) {
    if (first_stage + ahead < last_stage)
      copy_stage(first_stage + ahead, ahead);
    cp_async_commit_group();
  }
  for (int stage = first_stage; stage < last_stage; ++stage) {
    cp_async_wait_group<tile.stages - 2>();
    syncthreads();
    const int next = stage + tile.stages - 1;
    if (next < last_stage)
      copy_stage(next, (next - first_stage) % tile.stages);
    cp_async_commit_group();
    const int slot = (stage - first_stage) % tile.stages;
    multiply_pixels<g, T>(sums, a + slot * g.stage_pixels() * tile.m, b + slot * g.stage_pixels() * tile.n);
    if constexpr (g.sums_of_sums())
      if ((stage - first_stage + 1) % g.stages_of_sum() == 0) {
        VN_UNROLL
        for (int i = 0; i < tile.sums(); ++i) {
          totals[i] += sums[i];
          sums[i] = 0;
        }
      }
  }
  if constexpr (g.sums_of_sums()) {
    VN_UNROLL
    for (int i = 0; i < tile.sums(); ++i)
      sums[i] += totals[i];
  }
  syncthreads();

  // The sums take the place of the stages.
  const Shared<float> matrix = dynamic_shared<float>(0, tile.m * tile.row_of_sums(), "sums");
  store_sums<tile, g.arithmetic>(matrix, sums);
  syncthreads();
  const int tile_index = (group * g.tiles_m() + int(blockIdx.z)) * g.tiles_n() + int(blockIdx.y);
  constexpr int tile_numbers = tile.m * tile.n;
  if constexpr (g.splits > 1) {
    for (int i = thread; i < tile_numbers; i += threads)
      parts[(tile_index * g.splits + split) * tile_numbers + i] =
          matrix[i / tile.n * tile.row_of_sums() + i % tile.n];
    if (!last_block_arrives(counters + tile_index, g.splits))
      return;
  }
  for (int i = thread; i < tile_numbers; i += threads) {
    const int output = first_output + i / tile.n, chunk = first_chunk + i % tile.n / elements;
    const int tap = chunk / g.tap_chunks(), input = chunk % g.tap_chunks() * elements + i % elements;
    if (output >= g.outputs() || tap >= taps || input >= g.inputs() ||
        output / g.weight_outputs() != input / g.weight_inputs())
      continue;
    float sum = 0;
    if constexpr (g.splits > 1) {
      double total = 0;
      for (int part = 0; part < g.splits; ++part)
        total += parts[(tile_index * g.splits + part) * tile_numbers + i];
      sum = float(total);
    } else {
      sum = matrix[i / tile.n * tile.row_of_sums() + i % tile.n];
    }
    result[((group * g.outputs() + output) * g.weight_inputs() + input % g.weight_inputs()) * taps + tap] =
        sum;
  }
}

} // namespace vn

#endif
