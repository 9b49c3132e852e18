// The convolutions of convolution.cuh by warp groups (sm_90a): of bfloat16, not in groups, from maps whose
// pixels begin at multiples of 16 bytes.
//
//   warp group 0       one thread asks for each stage of k: 128 pixels of the input by an im2col copy, the
//                      weights by a tiled one; it goes on while the others multiply and store
//   warp groups 1, 2   multiply 64 of the pixels each, and store them
//
// A stage is one tap's channels, as many as a swizzle is long; those past the last, and pixels outside of the
// input, are the copies' zeros. A block has one tile of results after the other, those of all channels of
// some pixels next to each other: there are no more blocks than multiprocessors. Copies are for im2col
// because 128 pixels of the result, in the order of memory, are one copy for any size of map, stride and
// dilation; boxes of rows and columns would fit few sizes. A sum goes through shared memory to be stored in
// vectors of channels, some columns of it at a time, each warp group's apart.
#ifndef VERNIER_CUDA_DEVICE_HOPPER_CONVOLUTION_CUH
#define VERNIER_CUDA_DEVICE_HOPPER_CONVOLUTION_CUH

#include "bulk_copy.cuh"
#include "convolution.cuh"
#include "warp.cuh"
#include "wgmma.cuh"

namespace vn {

struct HopperConvolution {
  Convolution convolution; // its tile is not used
  int columns = 64;        // of a tile
  int stages = 4;
  int blocks = 132; // at most

  static constexpr int rows = 128, group_rows = 64, threads = 384, most_registers = 232;
  // The longest of which the channels fill more than half: a stage costs as much time for short rows as for
  // long ones.
  VN_CONSTANT Swizzle swizzle() const {
    return convolution.in.c > 32 ? Swizzle::B128 : convolution.in.c > 16 ? Swizzle::B64 : Swizzle::B32;
  }
  VN_CONSTANT int span() const { return bytes_of(swizzle()); }
  VN_CONSTANT int depth() const { return span() / 2; } // channels of a stage
  VN_CONSTANT int tap_stages() const { return ceil_div(convolution.in.c, depth()); }
  // Of a tap's last stage the channels that are there, in whole steps of a product.
  VN_CONSTANT int last_depth() const {
    return ceil_div(convolution.in.c - (tap_stages() - 1) * depth(), 16) * 16;
  }
  VN_CONSTANT int tiles_m() const { return ceil_div(results_of(convolution), rows); }
  VN_CONSTANT int tiles_n() const { return ceil_div(convolution.out.c, columns); }
  VN_CONSTANT int tiles() const { return tiles_m() * tiles_n(); }
  VN_CONSTANT int a_bytes() const { return rows * span(); }
  VN_CONSTANT int b_bytes() const { return columns * span(); }
  // The columns that go through shared memory together.
  VN_CONSTANT int slab() const { return columns % 64 == 0 ? 64 : columns % 32 == 0 ? 32 : columns; }
  // Floats: 16 lanes that store pairs meet 32 banks.
  VN_CONSTANT int row_of_sums() const { return slab() + 8; }
  VN_CONSTANT int sums_bytes() const { return rows * row_of_sums() * 4; }
  VN_CONSTANT int barriers_byte() const { return stages * (a_bytes() + b_bytes()) + sums_bytes(); }
  VN_CONSTANT int shared_bytes() const { return barriers_byte() + 2 * stages * 8; }
  // About what a thread that multiplies has use for: the sums, what is fetched for the epilogue, its sums in
  // double, the rest.
  VN_CONSTANT int registers() const {
    const Epilogue &epilogue = convolution.epilogue;
    const int reads = reads_of(epilogue) < 3 ? reads_of(epilogue) : 3;
    const int fetched = group_rows * slab() * (convolution.out.element == Element::F32 ? 4 : 2) / 4 / 128;
    return columns / 2 + reads * (2 * fetched + 4) + (epilogue.sums != Sums::None ? 40 : 0) + 24;
  }
  // Of the taps along rows or columns: the first pixel of the first result's first tap, and how far from it
  // tap i is.
  static VN_CONSTANT int lower(const Taps &taps) {
    const int last = (taps.count - 1) * taps.in_delta;
    return taps.in_start + (last < 0 ? last : 0);
  }
  static VN_CONSTANT int offset(const Taps &taps, int tap) {
    return taps.in_start + tap * taps.in_delta - lower(taps);
  }
  static VN_CONSTANT int upper(const Taps &taps, int size) {
    return lower(taps) + (taps.results - 1) * taps.in_step - (size - 1);
  }
  static VN_CONSTANT bool can_copy(const Taps &taps, int size) {
    const auto corner = [](int value) { return value >= -128 && value <= 127; };
    return taps.count > 0 && taps.in_step <= 8 && corner(lower(taps)) && corner(upper(taps, size)) &&
           offset(taps, 0) <= 255 && offset(taps, taps.count - 1) <= 255;
  }
  VN_CONSTANT bool legal() const {
    const Convolution &c = convolution;
    return c.arithmetic == Arithmetic::BF16 && c.groups == 1 && c.in.element == Element::BF16 &&
           c.in.align % 8 == 0 && c.in.pixel % 8 == 0 && c.row % 8 == 0 && results_of(c) > 0 &&
           can_copy(rows_of(c), c.in.h) && can_copy(columns_of(c), c.in.w) && wgmma_has(columns) &&
           stages >= 2 && shared_bytes() <= 227 * 1024;
  }
};

constexpr Launch launch_of(const HopperConvolution &h, Stream stream = {}) {
  const int blocks = h.tiles() < h.blocks ? h.tiles() : h.blocks;
  return {{unsigned(blocks)}, {unsigned(h.threads)}, unsigned(h.shared_bytes()), stream};
}
// Of the sums of its epilogue: a part for each warp group of a tile that has results.
VN_CONSTANT int parts_of(const HopperConvolution &h) {
  return ceil_div(results_of(h.convolution), h.group_rows);
}

// What the tensor maps of its operands are made of.
constexpr Im2colTensor input_of(const HopperConvolution &h) {
  const Map &in = h.convolution.in;
  const Taps rows = rows_of(h.convolution), columns = columns_of(h.convolution);
  Im2colTensor tensor;
  tensor.c = in.c, tensor.w = in.w, tensor.h = in.h, tensor.n = in.n;
  tensor.pixel = 2ll * in.pixel, tensor.row = 2ll * h.convolution.in_row(), tensor.image = tensor.row * in.h;
  tensor.lower = {h.lower(rows), h.lower(columns)};
  tensor.upper = {h.upper(rows, in.h), h.upper(columns, in.w)};
  tensor.step = {rows.in_step, columns.in_step};
  tensor.channels = h.depth(), tensor.pixels = h.rows;
  tensor.element = Element::BF16;
  tensor.swizzle = h.swizzle();
  return tensor;
}
// Packed weights: channels of the input, taps of the window, channels of the result.
constexpr TiledTensor weight_of(const HopperConvolution &h) {
  const Convolution &c = h.convolution;
  const int channels = weight_channels_of(c), taps = c.kernel.y * c.kernel.x;
  TiledTensor tensor;
  tensor.rank = 3;
  tensor.size[0] = channels, tensor.size[1] = taps, tensor.size[2] = weight_rows_of(c);
  tensor.stride[1] = 2ll * channels, tensor.stride[2] = 2ll * channels * taps;
  tensor.box[0] = h.depth(), tensor.box[2] = h.columns;
  tensor.element = Element::BF16;
  tensor.swizzle = h.swizzle();
  return tensor;
}

namespace detail {

// Where a thread is in a ring of stages.
template <int stages> struct RingPlace {
  int slot = 0, parity = 0;
  VN_DEVICE void next() {
    slot = slot + 1 == stages ? 0 : slot + 1;
    parity ^= slot == 0;
  }
};

// Asks for all stages of this block's tiles.
template <HopperConvolution h>
VN_DEVICE void fetch_tiles(const TensorMap &in, const TensorMap &weight, Shared<bf16> a, Shared<bf16> b,
                           MBarrier full, MBarrier empty) {
  constexpr Convolution c = h.convolution;
  constexpr Taps rows = rows_of(c), columns = columns_of(c);
  constexpr int depth = h.depth();
  RingPlace<h.stages> place;
  for (int tile = int(blockIdx.x); tile < h.tiles(); tile += int(gridDim.x)) {
    const ResultPixel first = pixel_of<c>(tile / h.tiles_n() * h.rows);
    const int first_channel = tile % h.tiles_n() * h.columns;
    const int y = first.y * rows.in_step + h.lower(rows), x = first.x * columns.in_step + h.lower(columns);
    for (int tap_y = 0; tap_y < rows.count; ++tap_y)
      for (int tap_x = 0; tap_x < columns.count; ++tap_x) {
        const Pair tap{h.offset(rows, tap_y), h.offset(columns, tap_x)};
        const int weight_tap =
            (rows.first + tap_y * rows.step) * c.kernel.x + columns.first + tap_x * columns.step;
        for (int channel = 0; channel < c.in.c; channel += depth) {
          const MBarrier arrived = full + place.slot;
          mbarrier_wait(empty + place.slot, place.parity ^ 1);
          mbarrier_arrive_expect(arrived, h.a_bytes() + h.b_bytes());
          copy_im2col(a + place.slot * h.rows * depth, in, Coordinates<4>{{channel, x, y, first.n}}, tap,
                      arrived);
          copy_tensor(b + place.slot * h.columns * depth, weight,
                      Coordinates<3>{{channel, weight_tap, first_channel}}, arrived);
          place.next();
        }
      }
  }
}

// Waits for a stage's tiles and adds their products to the sums; they are on their way when it returns.
template <HopperConvolution h, int depth>
VN_DEVICE void multiply_stage(float (&sums)[h.columns / 2], Shared<bf16> a, Shared<bf16> b, bool accumulate) {
  wgmma_fence();
  VN_UNROLL
  for (int k = 0; k < depth; k += 16)
    wgmma_bf16<h.columns>(sums, matrix_descriptor(a + k, 16, 8 * h.span(), h.swizzle()),
                          matrix_descriptor(b + k, 16, 8 * h.span(), h.swizzle()), accumulate || k > 0);
  wgmma_commit_group();
}

template <HopperConvolution h>
using GroupResults = TileResults<h.convolution, h.group_rows, h.slab(), h.row_of_sums(), 128>;

// What the epilogue makes of a warp group's sums, 64 results by some channels from the first on, `slab` of
// them at a time.
template <Convolution c, int columns, int slab, class Results>
VN_DEVICE void store_sums_of_group(Results &results, const float (&sums)[columns / 2], Shared<float> matrix,
                                   int group, int tile_channel, int part, Global<Number<c.out.element>> out,
                                   const EpilogueOperands &operands) {
  constexpr int row_of_sums = slab + 8;
  const int lane = results.thread % 32;
  const auto barrier = [group] { named_barrier_sync(1 + group, 128); };
  const auto store_slab = [&]<int begin>(std::integral_constant<int, begin>) {
    const int first_channel = tile_channel + begin;
    VN_UNROLL
    for (int i = 0; i < slab / 2; i += 2)
      store_shared(matrix + ((results.thread / 32 * 16 + lane / 4 + i / 2 % 2 * 8) * row_of_sums +
                             results.place_of(lane % 4 * 2) + results.place_of(i / 4 * 8)),
                   Vector<float, 2>{{sums[begin / 2 + i], sums[begin / 2 + i + 1]}});
    barrier();
    results.template store<(begin + slab < columns)>(matrix, first_channel, first_channel + slab, out,
                                                     operands);
    barrier();
    if constexpr (Results::epilogue.sums != Sums::None) {
      if (results.first_result < results_of(Results::convolution))
        results.add_up(matrix, first_channel, part, operands, barrier);
      barrier();
    }
  };
  [&]<int... i>(std::integer_sequence<int, i...>) {
    (store_slab(std::integral_constant<int, i * slab>()), ...);
  }
  (std::make_integer_sequence<int, columns / slab>());
}

} // namespace detail

// `in` and `weight` are the maps of input_of and weight_of. Compiled for other GPUs it does nothing.
template <HopperConvolution h>
VN_DEVICE void hopper_convolution(const TensorMap &in, const TensorMap &weight,
                                  Global<Number<h.convolution.out.element>> out,
                                  const EpilogueOperands &operands) {
  static_assert(h.legal(), "see HopperConvolution");
  static_assert(h.convolution.in_elements() < (1ll << 31) && h.convolution.out.elements() < (1ll << 31),
                "places are counted in int");
#if defined(VN_EMULATED) || defined(VN_HOPPER)
  constexpr Taps rows = rows_of(h.convolution), columns = columns_of(h.convolution);
  constexpr int depth = h.depth(), tile_stages = rows.count * columns.count * h.tap_stages();
  const Shared<bf16> a = dynamic_shared<bf16>(0, h.stages * h.rows * depth, "a"),
                     b = dynamic_shared<bf16>(h.stages * h.a_bytes(), h.stages * h.columns * depth, "b");
  const MBarrier full = dynamic_shared<uint64_t>(h.barriers_byte(), h.stages, "full"),
                 empty = dynamic_shared<uint64_t>(h.barriers_byte() + h.stages * 8, h.stages, "empty");
  constexpr int readers = 8; // warps that multiply
  if (threadIdx.x == 0) {
    for (int i = 0; i < h.stages; ++i) {
      mbarrier_init(full + i, 1);
      mbarrier_init(empty + i, readers);
    }
    fence_proxy_async();
  }
  syncthreads();

  if (threadIdx.x < 128) {
    fewer_registers<40>();
    if (threadIdx.x == 0)
      detail::fetch_tiles<h>(in, weight, a, b, full, empty);
    return;
  }
  more_registers<h.most_registers>();
  const int group = int(threadIdx.x) / 128 - 1;
  const bool releases = threadIdx.x % 32 == 0;
  const Shared<float> matrix =
      dynamic_shared<float>(h.stages * (h.a_bytes() + h.b_bytes()) + group * h.sums_bytes() / 2,
                            h.sums_bytes() / 8, group == 0 ? "sums of group 0" : "sums of group 1");
  detail::RingPlace<h.stages> place;
  detail::GroupResults<h> results{int(threadIdx.x) % 128, 0};
  for (int tile = int(blockIdx.x); tile < h.tiles(); tile += int(gridDim.x)) {
    const int part = tile / h.tiles_n() * 2 + group, first_channel = tile % h.tiles_n() * h.columns;
    results.begin(part * h.group_rows, first_channel, operands);
    float sums[h.columns / 2];
    int before = 0; // the place of the stage before
    for (int stage = 0; stage < tile_stages; ++stage) {
      mbarrier_wait(full + place.slot, place.parity);
      const Shared<bf16> left = a + (place.slot * h.rows + group * h.group_rows) * depth,
                         right = b + place.slot * h.columns * depth;
      if (h.last_depth() == depth || (stage + 1) % h.tap_stages() != 0)
        detail::multiply_stage<h, depth>(sums, left, right, stage > 0);
      else
        detail::multiply_stage<h, h.last_depth()>(sums, left, right, stage > 0);
      // All but this stage's products are done: what they read may be filled again.
      wgmma_wait_group<1>();
      if (stage > 0 && releases)
        mbarrier_arrive(empty + before);
      before = place.slot;
      place.next();
    }
    wgmma_wait_group<0>(sums);
    if (releases)
      mbarrier_arrive(empty + before);
    detail::store_sums_of_group<h.convolution, h.columns, h.slab()>(results, sums, matrix, group,
                                                                    first_channel, part, out, operands);
  }
#endif
}

} // namespace vn

#endif
