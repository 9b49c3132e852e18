// What a convolution, a linear layer or the gradient of its input is, for whichever kernel computes it.
#ifndef VERNIER_CUDA_DEVICE_CONVOLUTION_PROBLEM_CUH
#define VERNIER_CUDA_DEVICE_CONVOLUTION_PROBLEM_CUH

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
  int row = 0;           // elements from a row of `in` to the next; 0: the row's pixels follow each other
  int weight_rows = 0, weight_channels = 0; // see WeightLayout
  Arithmetic arithmetic = Arithmetic::F32;
  Epilogue epilogue = {};
  Tile tile = {};

  VN_CONSTANT int in_row() const { return row ? row : in.w * in.pixel; }
  VN_CONSTANT long long in_elements() const { return 1ll * in.n * in.h * in_row(); }

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

VN_CONSTANT int weight_rows_of(const Convolution &c) { return c.weight_rows > 0 ? c.weight_rows : c.out.c; }
// Of a tap.
VN_CONSTANT int weight_channels_of(const Convolution &c) {
  return c.weight_channels > 0 ? c.weight_channels : packed_channels(c.arithmetic, c.in_channels());
}

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

// A pixel of the result.
struct ResultPixel {
  int n, y, x; // y and x count results, not rows and columns
};
template <Convolution c> VN_DEVICE ResultPixel pixel_of(int result) {
  constexpr int height = rows_of(c).results, width = columns_of(c).results;
  return {result / (height * width), result / width % height, result % width};
}

} // namespace vn

#endif
