// Convolutions of row_taps.cuh by warp groups (sm_90a), of windows that begin 16 bytes apart.
//
// Windows overlap: of a row of pixels in shared memory those of 64 results are a matrix whose rows begin 16
// bytes after each other, which is how 8 rows of a matrix lie that is not swizzled. So a row of the image is
// copied once for all taps, where an im2col copy would bring each pixel as often as windows hold it.
//
//   warp group 0       a thread for each of the others asks for the rows that the windows of 64 results need
//   warp groups 1, 2   multiply them by the weights, which stay in shared memory, and store: each for itself,
//   so that one
//                      multiplies while the other stores
//
// 64 results of a row of the result are a segment; of the last one in a row fewer are stored.
#ifndef VERNIER_CUDA_DEVICE_HOPPER_ROWS_CUH
#define VERNIER_CUDA_DEVICE_HOPPER_ROWS_CUH

#include "hopper_convolution.cuh"
#include "row_taps.cuh"

namespace vn {

struct HopperRows {
  Convolution convolution; // by_rows of a convolution
  int columns = 64;
  int stages = 4;   // of each warp group
  int blocks = 132; // at most

  static constexpr int segment = 64, groups = 2, threads = 384, most_registers = 232;
  VN_CONSTANT int segments_of_row() const { return ceil_div(convolution.out.w, segment); }
  VN_CONSTANT int segments() const { return convolution.out.n * convolution.out.h * segments_of_row(); }
  // Of the pixels of a segment's windows in a row.
  VN_CONSTANT int row_bytes() const { return ((segment - 1) * convolution.in.pixel + convolution.in.c) * 2; }
  VN_CONSTANT int stage_bytes() const { return ceil_div(convolution.kernel.y * row_bytes(), 128) * 128; }
  VN_CONSTANT int weight_bytes() const { return convolution.kernel.y * convolution.in.c * columns * 2; }
  VN_CONSTANT int slab() const { return columns % 64 == 0 ? 64 : columns % 32 == 0 ? 32 : columns; }
  VN_CONSTANT int row_of_sums() const { return slab() + 8; }
  VN_CONSTANT int sums_bytes() const { return segment * row_of_sums() * 4; } // of a group
  VN_CONSTANT int zeros_byte() const { return groups * stages * stage_bytes() + weight_bytes(); }
  VN_CONSTANT int sums_byte() const { return zeros_byte() + row_bytes(); }
  VN_CONSTANT int barriers_byte() const { return sums_byte() + groups * sums_bytes(); }
  VN_CONSTANT int shared_bytes() const { return barriers_byte() + 2 * groups * stages * 8; }
  VN_CONSTANT bool legal() const {
    const Convolution &c = convolution;
    return c.row >= (segments_of_row() * segment - 1) * c.in.pixel + c.in.c &&
           c.arithmetic == Arithmetic::BF16 && c.groups == 1 && c.in.pixel == 8 && c.in.c % 16 == 0 &&
           c.row % 8 == 0 && c.dilation.y == 1 && columns >= c.out.c && columns <= 128 &&
           wgmma_has(columns) && (slab() & (slab() - 1)) == 0 && c.epilogue.sums == Sums::None &&
           shared_bytes() <= 227 * 1024;
  }
};

constexpr Launch launch_of(const HopperRows &h, Stream stream = {}) {
  const int pairs = ceil_div(h.segments(), h.groups), blocks = pairs < h.blocks ? pairs : h.blocks;
  return {{unsigned(blocks)}, {unsigned(h.threads)}, unsigned(h.shared_bytes()), stream};
}

namespace detail {

struct Segment {
  int first_result, results; // of the whole result, how many of this row
  int first_tap, last_tap;   // of the window's rows, that are inside
  int first_row;             // of all images' rows, the one of first_tap
  int x;                     // of the first window
};
template <HopperRows h> VN_DEVICE Segment segment_of(int index) {
  constexpr Convolution c = h.convolution;
  const int row = index / h.segments_of_row(), x = index % h.segments_of_row() * h.segment;
  const int image = row / c.out.h, y = row % c.out.h * c.stride.y - c.padding.y;
  const int first = y < 0 ? -y : 0, left = c.out.w - x;
  const int most = y + c.kernel.y > c.in.h ? c.in.h - y : c.kernel.y, last = most < first ? first : most;
  return {row * c.out.w + x, left < h.segment ? left : h.segment, first, last, image * c.in.h + y + first, x};
}

// The weights as a matrix of `columns` rows for each tap, k in chunks of 16 bytes.
template <HopperRows h> VN_DEVICE void load_weights(Global<const bf16> weight, Shared<bf16> to) {
  constexpr Convolution c = h.convolution;
  constexpr int chunks = c.in.c / 8, taps = c.kernel.y;
  for (int i = int(threadIdx.x); i < taps * chunks * h.columns; i += h.threads) {
    const int column = i % h.columns, chunk = i / h.columns % chunks, tap = i / h.columns / chunks;
    Vector<bf16, 8> values{};
    if (column < weight_rows_of(c))
      values = load_global<8>(weight + ((column * taps + tap) * weight_channels_of(c) + chunk * 8));
    store_shared(to + i * 8, values);
  }
}

// Asks for the rows of all of a group's segments.
template <HopperRows h>
VN_DEVICE void fetch_segments(Global<const bf16> in, Shared<bf16> stages, MBarrier full, MBarrier empty,
                              int group) {
  constexpr Convolution c = h.convolution;
  RingPlace<h.stages> place;
  for (int index = int(blockIdx.x) * h.groups + group; index < h.segments();
       index += int(gridDim.x) * h.groups) {
    const Segment segment = segment_of<h>(index);
    mbarrier_wait(empty + place.slot, place.parity ^ 1);
    mbarrier_arrive_expect(full + place.slot, (segment.last_tap - segment.first_tap) * h.row_bytes());
    for (int tap = segment.first_tap; tap < segment.last_tap; ++tap)
      copy_bulk(stages + (place.slot * h.stage_bytes() + tap * h.row_bytes()) / 2,
                in + ((segment.first_row + tap - segment.first_tap) * c.row + segment.x * c.in.pixel),
                h.row_bytes(), full + place.slot);
    place.next();
  }
}

} // namespace detail

// `in` is what padded_rows makes. Compiled for other GPUs it does nothing.
template <HopperRows h>
VN_DEVICE void hopper_rows(Global<const bf16> in, Global<const bf16> weight,
                           Global<Number<h.convolution.out.element>> out, const EpilogueOperands &operands) {
  static_assert(h.legal(), "see HopperRows");
  static_assert(h.convolution.in_elements() < (1ll << 30) && h.convolution.out.elements() < (1ll << 31),
                "places are counted in int");
#if defined(VN_EMULATED) || defined(VN_HOPPER)
  constexpr Convolution c = h.convolution;
  constexpr int group_stages = h.stages * h.stage_bytes();
  const int group = int(threadIdx.x) / 128 - 1, fetches = int(threadIdx.x) / 32;
  const Shared<bf16> weights = dynamic_shared<bf16>(h.groups * group_stages, h.weight_bytes() / 2, "weights");
  const MBarrier barriers = dynamic_shared<uint64_t>(h.barriers_byte(), 2 * h.groups * h.stages, "barriers");
  const auto full_of = [&](int of) { return barriers + of * 2 * h.stages; };
  const auto empty_of = [&](int of) { return barriers + (of * 2 + 1) * h.stages; };
  const auto stages_of = [&](int of) {
    return dynamic_shared<bf16>(of * group_stages, group_stages / 2,
                                of == 0 ? "rows of group 0" : "rows of group 1");
  };
  if (threadIdx.x == 0) {
    for (int of = 0; of < h.groups; ++of)
      for (int i = 0; i < h.stages; ++i) {
        mbarrier_init(full_of(of) + i, 1);
        mbarrier_init(empty_of(of) + i, 4); // the group's warps
      }
  }
  detail::load_weights<h>(weight, weights);
  const Shared<bf16> zeros = dynamic_shared<bf16>(h.zeros_byte(), h.row_bytes() / 2, "zeros");
  for (int i = int(threadIdx.x); i < h.row_bytes() / 16; i += h.threads)
    store_shared(zeros + i * 8, Vector<bf16, 8>{});
  fence_proxy_async();
  syncthreads();

  if (threadIdx.x < 128) {
    fewer_registers<40>();
    if (fetches < h.groups && threadIdx.x % 32 == 0)
      detail::fetch_segments<h>(in, stages_of(fetches), full_of(fetches), empty_of(fetches), fetches);
    return;
  }
  more_registers<h.most_registers>();
  const Shared<bf16> stages = stages_of(group);
  const Shared<float> matrix =
      dynamic_shared<float>(h.sums_byte() + group * h.sums_bytes(), h.sums_bytes() / 4,
                            group == 0 ? "sums of group 0" : "sums of group 1");
  detail::RingPlace<h.stages> place;
  TileResults<c, h.segment, h.slab(), h.row_of_sums(), 128> results{int(threadIdx.x) % 128, 0};
  for (int index = int(blockIdx.x) * h.groups + group; index < h.segments();
       index += int(gridDim.x) * h.groups) {
    const detail::Segment segment = detail::segment_of<h>(index);
    results.begin(segment.first_result, 0, operands, segment.first_result + segment.results);
    float sums[h.columns / 2];
    mbarrier_wait(full_of(group) + place.slot, place.parity);
    wgmma_fence();
    // Nothing branches: products would be done one by one. Of rows outside of the image those of zeros are
    // taken.
    VN_UNROLL
    for (int tap = 0; tap < c.kernel.y; ++tap) {
      const bool inside = tap >= segment.first_tap && tap < segment.last_tap;
      const Shared<bf16> row =
          inside ? stages + (place.slot * h.stage_bytes() + tap * h.row_bytes()) / 2 : zeros;
      VN_UNROLL
      for (int k = 0; k < c.in.c; k += 16)
        wgmma_bf16<h.columns>(
            sums, matrix_descriptor(row + k, 16, 128, Swizzle::None),
            matrix_descriptor(weights + (tap * c.in.c + k) * h.columns, 16 * h.columns, 128, Swizzle::None),
            tap > 0 || k > 0);
    }
    wgmma_commit_group();
    wgmma_wait_group<0>(sums);
    if (threadIdx.x % 32 == 0)
      mbarrier_arrive(empty_of(group) + place.slot);
    place.next();
    detail::store_sums_of_group<c, h.columns, h.slab()>(results, sums, matrix, group, 0, 0, out, operands);
  }
#endif
}

} // namespace vn

#endif
