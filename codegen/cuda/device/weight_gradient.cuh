// Gradients of weights, as implicit matrix products over the pixels of all images.
//
//   rows of the product (m)    the convolution's outputs of a group
//   columns (n)                for each tap of the window the group's inputs, padded to whole chunks of 16
//   bytes summed over (k)            pixels of dy; x is read at the tap that the column has
//
// Pixels are divided among `splits` blocks. Each writes its part, and a launch of its own adds the parts,
// always in the same order (WeightGradientSum). A stage holds pixels as rows: dy's channels in A, x's in B;
// ldmatrix transposes bfloat16 on the way to the fragments, float32 is read number by number.
#ifndef VERNIER_CUDA_DEVICE_WEIGHT_GRADIENT_CUH
#define VERNIER_CUDA_DEVICE_WEIGHT_GRADIENT_CUH

#include "block_sum.cuh"
#include "convolution.cuh"

namespace vn {

// Of what WeightGradient leaves in parts. A block has so many vectors of numbers that they are whole sectors;
// its lanes share the parts of each.
struct WeightGradientSum {
  int outputs = 1, inputs = 1, taps = 1; // inputs of a weight
  int parts = 1;

  static constexpr int threads = 256, loads = 8; // of a lane at a time
  VN_CONSTANT int numbers() const { return outputs * inputs * taps; }
  VN_CONSTANT long long elements() const { return 1ll * parts * numbers(); }
  VN_CONSTANT int width() const { return numbers() % 4 == 0 ? 4 : 1; }
  VN_CONSTANT int lanes() const {
    const int wanted = power_from(ceil_div(parts, loads));
    return wanted < 32 ? wanted : 32;
  }
  VN_CONSTANT int columns() const { return threads / lanes(); }
};

constexpr Launch launch_of(const WeightGradientSum &s, Stream stream = {}) {
  return {{unsigned(ceil_div(s.numbers(), s.columns() * s.width()))}, {unsigned(s.threads)}, 0, stream};
}

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
  // Parts are float [split][outputs][taps][inputs of a weight]. The longest vectors of them.
  VN_CONSTANT WeightGradientSum sum() const { return {dy.c, weight_inputs(), kernel.y * kernel.x, splits}; }
  VN_CONSTANT int part_vector() const { return splits > 1 && weight_inputs() % 4 == 0 ? 4 : 1; }
  // Whether pixel i of dy is made of pixel i of x alone.
  VN_CONSTANT bool pointwise() const {
    return kernel.y * kernel.x * stride.y * stride.x == 1 && padding.y == 0 && padding.x == 0 &&
           x.h == dy.h && x.w == dy.w;
  }
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
      for (int j = 0; j + 1 < columns; j += 2)
        ldmatrix_x4_trans(
            *reinterpret_cast<uint32_t(*)[4]>(&right[j][0]),
            b + pixel_place<g.arithmetic>(k + lane % 16, (n0 + 8 * j) / elements + lane / 16, chunks_b) *
                    elements);
      if constexpr (columns % 2 == 1)
        ldmatrix_x2_trans(
            right[columns - 1],
            b + pixel_place<g.arithmetic>(k + lane % 16, (n0 + 8 * (columns - 1)) / elements, chunks_b) *
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

// Calls copy(row) for those of a stage's rows of which this thread has a chunk, always the same one.
template <int rows, int chunks, int threads, class Copy> VN_DEVICE void for_rows(const Copy &copy) {
  static_assert(threads % chunks == 0, "a thread has one chunk of its rows");
  constexpr int apart = threads / chunks;
  VN_UNROLL
  for (int i = 0; i < ceil_div(rows, apart); ++i) {
    const int row = int(threadIdx.x) / chunks + i * apart;
    if (rows % apart == 0 || row < rows)
      copy(row);
  }
}

// Writes O x I/groups x R x S, or its parts where there are several splits; the other is null.
template <WeightGradient g>
VN_DEVICE void weight_gradient(Global<const Number<g.x.element>> x, Global<const Number<g.dy.element>> dy,
                               Global<float> result, Global<float> parts) {
  using T = Factor<g.arithmetic>;
  constexpr Tile tile = g.tile;
  constexpr int elements = chunk_elements(g.arithmetic), threads = tile.threads();
  constexpr int chunks_a = tile.m / elements, chunks_b = tile.n / elements, taps = g.kernel.y * g.kernel.x;
  constexpr int pixels = g.dy.pixels(), stages = g.stages();
  static_assert(tile.legal() && tile.slices == 1, "see Tile");
  static_assert(std::is_same_v<Number<g.x.element>, T> && std::is_same_v<Number<g.dy.element>, T>,
                "products are of what is in memory");
  static_assert(g.inputs() % g.merged == 0 && g.outputs() % g.merged == 0, "whole groups");
  static_assert(g.x.elements() < (1ll << 31) && g.dy.elements() < (1ll << 31) &&
                    g.sum().elements() < (1ll << 31),
                "places are counted in int");
  static_assert(g.x.c % g.groups == 0 && g.dy.c % g.groups == 0 && g.splits >= 1, "whole groups");

  const Shared<T> a = dynamic_shared<T>(0, tile.stages * g.stage_pixels() * tile.m, "a");
  const Shared<T> b =
      dynamic_shared<T>(tile.stages * tile.m * tile.k_bytes, tile.stages * g.stage_pixels() * tile.n, "b");
  const int thread = int(threadIdx.x), group = int(blockIdx.x) / g.splits, split = int(blockIdx.x) % g.splits;
  const int first_output = int(blockIdx.z) * tile.m, first_chunk = int(blockIdx.y) * chunks_b;
  const int first_stage = int(1ll * stages * split / g.splits),
            last_stage = int(1ll * stages * (split + 1) / g.splits);

  // What is the same in all stages of the chunks that this thread copies.
  const int chunk_a = thread % chunks_a, output_a = first_output + chunk_a * elements;
  const int valid_a = output_a < g.outputs() ? g.outputs() - output_a : 0;
  const int chunk_b = thread % chunks_b, tap_b = (first_chunk + chunk_b) / g.tap_chunks();
  const int input_b = (first_chunk + chunk_b) % g.tap_chunks() * elements;
  const int valid_b = tap_b < taps ? g.inputs() - input_b : 0;
  const int tap_y = tap_b / g.kernel.x * g.dilation.y - g.padding.y,
            tap_x = tap_b % g.kernel.x * g.dilation.x - g.padding.x;
  const auto copy_stage = [&](int stage, int slot) {
    for_rows<g.stage_pixels(), chunks_a, threads>([&](int row) {
      const int pixel = stage * g.stage_pixels() + row;
      const bool inside = valid_a > 0 && pixel < pixels;
      copy_chunk<vector_of(g.dy, g.groups == 1 ? 0 : g.outputs())>(
          a + (slot * g.stage_pixels() * chunks_a + pixel_place<g.arithmetic>(row, chunk_a, chunks_a)) *
                  elements,
          dy + (inside ? pixel * g.dy.pixel + group * g.outputs() + output_a : 0), inside ? valid_a : 0);
    });
    for_rows<g.stage_pixels(), chunks_b, threads>([&](int row) {
      const int pixel = stage * g.stage_pixels() + row;
      int at = pixel;
      bool inside = valid_b > 0 && pixel < pixels;
      if constexpr (!g.pointwise()) {
        constexpr unsigned width = unsigned(g.dy.w), height = unsigned(g.dy.h);
        const unsigned line = unsigned(pixel) / width; // of all images
        const int in_y = int(line % height) * g.stride.y + tap_y,
                  in_x = int(unsigned(pixel) % width) * g.stride.x + tap_x;
        inside = inside && in_y >= 0 && in_y < g.x.h && in_x >= 0 && in_x < g.x.w;
        at = (int(line / height) * g.x.h + in_y) * g.x.w + in_x;
      }
      copy_chunk<vector_of(g.x, g.groups == 1 ? 0 : g.inputs())>(
          b + (slot * g.stage_pixels() * chunks_b + pixel_place<g.arithmetic>(row, chunk_b, chunks_b)) *
                  elements,
          x + (inside ? at * g.x.pixel + group * g.inputs() + input_b : 0), inside ? valid_b : 0);
    });
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
  constexpr int vector = g.part_vector();
  for (int i = thread; i < tile.m * tile.n / vector; i += threads) {
    const int row = i / (tile.n / vector), column = i % (tile.n / vector) * vector;
    const int output = first_output + row, chunk = first_chunk + column / elements;
    const int tap = chunk / g.tap_chunks(), input = chunk % g.tap_chunks() * elements + column % elements;
    if (output >= g.outputs() || tap >= taps || input >= g.inputs() ||
        output / g.weight_outputs() != input / g.weight_inputs())
      continue;
    const int weight = group * g.outputs() + output, of_weight = input % g.weight_inputs();
    const Vector<float, vector> sum = load_shared<vector>(matrix + (row * tile.row_of_sums() + column));
    if constexpr (g.splits > 1)
      store_global(
          parts + (split * g.sum().numbers() + (weight * taps + tap) * g.weight_inputs() + of_weight), sum);
    else
      result[(weight * g.weight_inputs() + of_weight) * taps + tap] = sum[0];
  }
}

// Adds the parts of each number in double: those of a lane in their order, then the lanes' sums in pairs.
template <WeightGradientSum s>
VN_DEVICE void weight_gradient_sum(Global<const float> parts, Global<float> result) {
  static_assert(s.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = s.width(), lanes = s.lanes(), columns = s.columns(), numbers = s.numbers();
  const int lane = int(threadIdx.x) / columns, column = int(threadIdx.x) % columns;
  const int first = (int(blockIdx.x) * columns + column) * width;
  double sums[width] = {};
  if (first < numbers)
    for (int part = lane; part < s.parts; part += s.loads * lanes) {
      Vector<float, width> loaded[s.loads] = {}; // all on their way before the first is needed
      VN_UNROLL
      for (int i = 0; i < s.loads; ++i)
        if (part + i * lanes < s.parts)
          loaded[i] = load_global<width>(parts + ((part + i * lanes) * numbers + first));
      VN_UNROLL
      for (int i = 0; i < s.loads; ++i)
        VN_UNROLL
      for (int k = 0; k < width; ++k)
        sums[k] += double(loaded[i][k]);
    }
  if constexpr (lanes > 1) {
    VN_SHARED(double, values, s.threads *width);
    VN_UNROLL
    for (int k = 0; k < width; ++k)
      values[(lane * width + k) * columns + column] = sums[k];
    add_rows<lanes, columns * width, columns>(values, column, lane, width);
    if (lane == 0) {
      VN_UNROLL
      for (int k = 0; k < width; ++k)
        sums[k] = values[k * columns + column];
    }
  }
  if (lane == 0 && first < numbers) {
    VN_UNROLL
    for (int k = 0; k < width; ++k) {
      const int number = first + k, input = number % s.inputs, tap = number / s.inputs % s.taps;
      result[(number / (s.inputs * s.taps) * s.inputs + input) * s.taps + tap] = float(sums[k]);
    }
  }
}

} // namespace vn

#endif
