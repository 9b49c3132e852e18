// Products of maps as matrices, a row for each pixel and a column for each channel, in float32: tiles of
// 64x64 results, of which each of 256 threads has 4x4, and slices of 16 products of both operands in shared
// memory.
#ifndef VERNIER_CUDA_DEVICE_MATMUL_CUH
#define VERNIER_CUDA_DEVICE_MATMUL_CUH

#include "barrier.cuh"
#include "launch.cuh"
#include "map.cuh"

#include <math.h>

namespace vn {

struct Matmul {
  Map a, b, y;
  bool transpose_a = false, transpose_b = false;

  static constexpr int threads = 256, side = 64, slice = 16, each = 4;
  static constexpr int apart = side + 4;        // rows of a slice, so that columns lie in other banks
  static constexpr int products_in_float = 512; // that are one sum
  VN_CONSTANT int rows() const { return y.h * y.w; }
  VN_CONSTANT int inner() const { return transpose_a ? a.h * a.w : a.c; }
};

constexpr Launch launch_of(const Matmul &p, Stream stream = {}) {
  return {
      {unsigned(ceil_div(p.y.c, Matmul::side)), unsigned(ceil_div(p.rows(), Matmul::side)), unsigned(p.y.n)},
      {unsigned(Matmul::threads)},
      0,
      stream};
}

// A slice of a matrix, [product][position]: `positions` of the matrix's from `first` on, products from `k`
// on. Threads have neighbours of what lies side by side in memory: positions where `by_position`, else
// products.
template <bool by_position, int pixel, int positions, int products, class T>
VN_DEVICE void load_slice(Shared<float> slice, Global<const T> matrix, int first, int k) {
  constexpr int side = Matmul::side, depth = Matmul::slice;
  VN_UNROLL
  for (int item = int(threadIdx.x); item < side * depth; item += Matmul::threads) {
    const int position = by_position ? item % side : item / depth;
    const int product = by_position ? item / side : item % depth;
    float value = 0;
    if (first + position < positions && k + product < products)
      value = to_float(by_position ? matrix[(k + product) * pixel + first + position]
                                   : matrix[(first + position) * pixel + k + product]);
    slice[product * Matmul::apart + position] = value;
  }
}

template <Matmul p>
VN_DEVICE void matmul(Global<const Number<p.a.element>> a, Global<const Number<p.b.element>> b,
                      Global<Number<p.y.element>> y) {
  static_assert(p.a.elements() < (1ll << 31) && p.b.elements() < (1ll << 31) && p.y.elements() < (1ll << 31),
                "places are counted in int");
  constexpr int each = Matmul::each, depth = Matmul::slice, side = Matmul::side, apart = Matmul::apart;
  constexpr int rows = p.rows(), columns = p.y.c, inner = p.inner();
  VN_SHARED(float, slice_a, depth *apart);
  VN_SHARED(float, slice_b, depth *apart);
  const int image = int(blockIdx.z), first_row = int(blockIdx.y) * side,
            first_column = int(blockIdx.x) * side;
  const int row = int(threadIdx.x) / 16, column = int(threadIdx.x) % 16;
  const auto own_a = a + image * (p.a.h * p.a.w * p.a.pixel);
  const auto own_b = b + image * (p.b.h * p.b.w * p.b.pixel);
  float sums[each][each] = {}, totals[each][each] = {};
  for (int k = 0; k < inner; k += depth) {
    load_slice<p.transpose_a, p.a.pixel, rows, inner>(slice_a, own_a, first_row, k);
    load_slice<!p.transpose_b, p.b.pixel, columns, inner>(slice_b, own_b, first_column, k);
    syncthreads();
    VN_UNROLL
    for (int i = 0; i < depth; ++i) {
      float of_a[each], of_b[each];
      VN_UNROLL
      for (int e = 0; e < each; ++e) {
        of_a[e] = slice_a[i * apart + row + 16 * e];
        of_b[e] = slice_b[i * apart + column + 16 * e];
      }
      VN_UNROLL
      for (int r = 0; r < each; ++r)
        VN_UNROLL
      for (int c = 0; c < each; ++c)
        sums[r][c] = fmaf(of_a[r], of_b[c], sums[r][c]);
    }
    syncthreads();
    if constexpr (inner > Matmul::products_in_float)
      if ((k + depth) % Matmul::products_in_float == 0 || k + depth >= inner)
        VN_UNROLL
    for (int r = 0; r < each; ++r)
      VN_UNROLL
    for (int c = 0; c < each; ++c) {
      totals[r][c] += sums[r][c];
      sums[r][c] = 0;
    }
  }
  VN_UNROLL
  for (int r = 0; r < each; ++r) {
    const int at = first_row + row + 16 * r;
    VN_UNROLL
    for (int c = 0; c < each; ++c) {
      const int channel = first_column + column + 16 * c;
      if (at < rows && channel < columns)
        y[(image * rows + at) * p.y.pixel + channel] =
            from_float<Number<p.y.element>>(inner > Matmul::products_in_float ? totals[r][c] : sums[r][c]);
    }
  }
}

} // namespace vn

#endif
