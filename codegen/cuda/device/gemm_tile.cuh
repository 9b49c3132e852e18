// A block's tile of a matrix product: m x n sums in registers, from stages of k in shared memory.
//
// A stage holds m rows of A and n rows of B, k_bytes of the dimension that is summed over in each, as chunks
// of 16 bytes. Chunk c of row r lies at place c ^ (r / (8 / chunks)) % chunks of its row, so that the 8 rows
// that ldmatrix reads together meet every bank once. Each warp has an m / warps_m x n / warps_n part of the
// sums:
//
//   BF16, TF32    tiles of 16 x 8 by mma.sync, fragments by ldmatrix; one instruction takes two chunks of k
//   F32           lane: rows lane / 4 + 8 i, columns lane % 4 + 4 j, by fused multiply-adds, k in its order
#ifndef VERNIER_CUDA_DEVICE_GEMM_TILE_CUH
#define VERNIER_CUDA_DEVICE_GEMM_TILE_CUH

#include "mma.cuh"

namespace vn {

enum class Arithmetic { F32, TF32, BF16 };

struct Tile {
  int m = 64, n = 64, k_bytes = 64;
  int warps_m = 2, warps_n = 2;
  int stages = 3;
  int slices = 1; // of k, each by warps of its own: where tiles are few and k is long

  VN_CONSTANT int slice_threads() const { return 32 * warps_m * warps_n; }
  VN_CONSTANT int threads() const { return slices * slice_threads(); }
  VN_CONSTANT int chunks() const { return k_bytes / 16; }
  VN_CONSTANT int stage_bytes() const { return (m + n) * k_bytes; }
  VN_CONSTANT int warp_m() const { return m / warps_m; }
  VN_CONSTANT int warp_n() const { return n / warps_n; }
  VN_CONSTANT int sums() const { return warp_m() * warp_n() / 32; } // of a lane
  VN_CONSTANT int row_of_sums() const { return n + 4; }             // floats, when they are in shared memory
  VN_CONSTANT int shared_bytes() const {
    const int all_stages = slices * stages * stage_bytes(), all_sums = slices * m * row_of_sums() * 4;
    return all_stages > all_sums ? all_stages : all_sums;
  }
  VN_CONSTANT bool legal() const {
    return m % (16 * warps_m) == 0 && n % (8 * warps_n) == 0 && (n & (n - 1)) == 0 && n <= threads() &&
           (k_bytes == 32 || k_bytes == 64 || k_bytes == 128) && threads() <= 1024 && stages >= 2 &&
           m * chunks() % slice_threads() == 0 && slices >= 1;
  }
};

// Where a chunk lies in a stage's A or B, in chunks.
template <Tile tile> VN_DEVICE int place_of(int row, int chunk) {
  return row * tile.chunks() + (chunk ^ (row / (8 / tile.chunks()) % tile.chunks()));
}

// Of a warp among those of its slice.
template <Tile tile> VN_DEVICE int warp_of_slice() {
  return int(threadIdx.x) / 32 % (tile.slice_threads() / 32);
}

// sums += A B^T of one stage. A's and B's elements are float or bf16.
template <Tile tile, Arithmetic arithmetic, class T>
VN_DEVICE void multiply_stage(float (&sums)[tile.sums()], Shared<const T> a, Shared<const T> b) {
  constexpr int elements = 16 / int(sizeof(T)); // of a chunk
  const int lane = int(threadIdx.x) % 32, warp = warp_of_slice<tile>();
  const int m0 = warp / tile.warps_n * tile.warp_m(), n0 = warp % tile.warps_n * tile.warp_n();
  if constexpr (arithmetic == Arithmetic::F32) {
    constexpr int rows = tile.warp_m() / 8, columns = tile.warp_n() / 4;
    VN_UNROLL
    for (int chunk = 0; chunk < tile.chunks(); ++chunk) {
      Vector<float, 4> column[columns];
      VN_UNROLL
      for (int j = 0; j < columns; ++j)
        column[j] = load_shared<4>(b + place_of<tile>(n0 + lane % 4 + 4 * j, chunk) * elements);
      VN_UNROLL
      for (int i = 0; i < rows; ++i) {
        const Vector<float, 4> row =
            load_shared<4>(a + place_of<tile>(m0 + lane / 4 + 8 * i, chunk) * elements);
        VN_UNROLL
        for (int j = 0; j < columns; ++j)
          VN_UNROLL
        for (int k = 0; k < 4; ++k)
          sums[i * columns + j] += row[k] * column[j][k];
      }
    }
  } else {
    constexpr int rows = tile.warp_m() / 16, columns = tile.warp_n() / 8;
    VN_UNROLL
    for (int chunk = 0; chunk < tile.chunks(); chunk += 2) {
      uint32_t right[columns][2];
      VN_UNROLL
      for (int j = 0; j < columns; ++j)
        ldmatrix_x2(right[j], b + place_of<tile>(n0 + 8 * j + lane % 8, chunk + lane / 8 % 2) * elements);
      VN_UNROLL
      for (int i = 0; i < rows; ++i) {
        uint32_t left[4];
        ldmatrix_x4(left, a + place_of<tile>(m0 + 16 * i + lane % 16, chunk + lane / 16) * elements);
        if constexpr (arithmetic == Arithmetic::TF32) {
          VN_UNROLL
          for (int k = 0; k < 4; ++k)
            left[k] = to_tf32(detail::bits<float>(left[k]));
        }
        VN_UNROLL
        for (int j = 0; j < columns; ++j) {
          float(&d)[4] = *reinterpret_cast<float(*)[4]>(&sums[(i * columns + j) * 4]);
          if constexpr (arithmetic == Arithmetic::TF32)
            mma_m16n8k8_tf32(d, left, right[j]);
          else
            mma_m16n8k16_bf16(d, left, right[j]);
        }
      }
    }
  }
}

// The sums of all warps as a matrix in shared memory, rows tile.row_of_sums() apart.
template <Tile tile, Arithmetic arithmetic>
VN_DEVICE void store_sums(Shared<float> matrix, const float (&sums)[tile.sums()]) {
  const int lane = int(threadIdx.x) % 32, warp = warp_of_slice<tile>();
  const int m0 = warp / tile.warps_n * tile.warp_m(), n0 = warp % tile.warps_n * tile.warp_n();
  if constexpr (arithmetic == Arithmetic::F32) {
    constexpr int rows = tile.warp_m() / 8, columns = tile.warp_n() / 4;
    VN_UNROLL
    for (int i = 0; i < rows; ++i)
      VN_UNROLL
    for (int j = 0; j < columns; ++j)
      matrix[(m0 + lane / 4 + 8 * i) * tile.row_of_sums() + n0 + lane % 4 + 4 * j] = sums[i * columns + j];
  } else {
    constexpr int rows = tile.warp_m() / 16, columns = tile.warp_n() / 8;
    VN_UNROLL
    for (int i = 0; i < rows; ++i)
      VN_UNROLL
    for (int j = 0; j < columns; ++j)
      VN_UNROLL
    for (int half = 0; half < 2; ++half) {
      const float *d = &sums[(i * columns + j) * 4 + 2 * half];
      store_shared(matrix +
                       ((m0 + 16 * i + lane / 4 + 8 * half) * tile.row_of_sums() + n0 + 8 * j + lane % 4 * 2),
                   Vector<float, 2>{{d[0], d[1]}});
    }
  }
}

} // namespace vn

#endif
