// Kernels with one fault each in what only compute capability 9.0 has, and their right twins.
#ifndef VERNIER_TESTS_CUDA_HOPPER_FAULTY_KERNELS_CUH
#define VERNIER_TESTS_CUDA_HOPPER_FAULTY_KERNELS_CUH

#include "FaultyKernels.cuh"

namespace faulty {

// An mbarrier that all threads may use.
VN_DEVICE void start_mbarrier(MBarrier barrier, int arrivals) {
  if (threadIdx.x == 0) {
    mbarrier_init(barrier, arrivals);
    fence_proxy_async();
  }
  syncthreads();
}

// --- y = x reversed, by a bulk copy

template <int fault_of> VN_DEVICE void reverse_by_copy(Global<const float> x, Global<float> y) {
  VN_SHARED(float, values, 64);
  VN_SHARED(uint64_t, full, 1);
  constexpr int missing_wait = 1, wrong_parity = 2, no_bytes = 3, few_bytes = 4, many_bytes = 5, no_fence = 6,
                touched = 7, read_before = 8, two_arrivals = 9, no_barrier = 10;
  if (fault_of == read_before || fault_of == -read_before) {
    // The place was written and read by threads before.
    values[threadIdx.x] = 1;
    y[threadIdx.x] = values[threadIdx.x];
    if (fault_of < 0)
      fence_proxy_async();
  }
  if (fault_of == no_fence || fault_of == no_barrier) {
    if (threadIdx.x == 0) {
      mbarrier_init(full, 1);
      if (fault_of == no_barrier)
        fence_proxy_async();
    }
    if (fault_of != no_barrier)
      syncthreads();
  } else {
    start_mbarrier(full, fault_of == two_arrivals ? 2 : 1);
  }
  if (threadIdx.x == 0) {
    if (fault_of == no_bytes)
      mbarrier_arrive(full);
    else
      mbarrier_arrive_expect(full, fault_of == few_bytes ? 128 : fault_of == many_bytes ? 512 : 256);
    copy_bulk(values, x, 128, full);
    copy_bulk(values + 32, x + 32, 128, full);
  }
  if (fault_of != touched && fault_of != no_barrier)
    syncthreads(); // the copies are on their way
  if (fault_of == touched && threadIdx.x == 5)
    values[threadIdx.x] = 1;
  if (fault_of != missing_wait)
    mbarrier_wait(full, fault_of == wrong_parity ? 1 : 0);
  y[threadIdx.x] = values[63 - threadIdx.x];
}

template <bool fault> VN_KERNEL(64) missing_mbarrier_wait(Global<const float> x, Global<float> y) {
  reverse_by_copy<fault ? 1 : 0>(x, y);
}
template <bool fault> VN_KERNEL(64) wrong_parity(Global<const float> x, Global<float> y) {
  reverse_by_copy<fault ? 2 : 0>(x, y);
}
template <bool fault> VN_KERNEL(64) no_bytes_expected(Global<const float> x, Global<float> y) {
  reverse_by_copy<fault ? 3 : 0>(x, y);
}
template <bool fault> VN_KERNEL(64) few_bytes_expected(Global<const float> x, Global<float> y) {
  reverse_by_copy<fault ? 4 : 0>(x, y);
}
template <bool fault> VN_KERNEL(64) many_bytes_expected(Global<const float> x, Global<float> y) {
  reverse_by_copy<fault ? 5 : 0>(x, y);
}
template <bool fault> VN_KERNEL(64) unfenced_mbarrier(Global<const float> x, Global<float> y) {
  reverse_by_copy<fault ? 6 : 0>(x, y);
}
template <bool fault> VN_KERNEL(64) touched_in_flight(Global<const float> x, Global<float> y) {
  reverse_by_copy<fault ? 7 : 0>(x, y);
}
template <bool fault> VN_KERNEL(64) unfenced_before_copy(Global<const float> x, Global<float> y) {
  reverse_by_copy<fault ? 8 : -8>(x, y);
}
template <bool fault> VN_KERNEL(64) missing_arrival(Global<const float> x, Global<float> y) {
  reverse_by_copy<fault ? 9 : 0>(x, y);
}
template <bool fault> VN_KERNEL(64) unordered_mbarrier(Global<const float> x, Global<float> y) {
  reverse_by_copy<fault ? 10 : 0>(x, y);
}

// Wrong: the phase completes by the first of two copies, and who waits reads that one only.
template <bool fault> VN_KERNEL(32) late_copy(Global<const float> x, Global<float> y) {
  VN_SHARED(float, first, 32);
  VN_SHARED(float, second, 32);
  VN_SHARED(uint64_t, full, 1);
  start_mbarrier(full, 1);
  if (threadIdx.x == 0) {
    mbarrier_arrive_expect(full, fault ? 128 : 256);
    copy_bulk(first, x, 128, full);
    copy_bulk(second, x, 128, full);
  }
  mbarrier_wait(full, 0);
  if (!fault)
    y[threadIdx.x] = first[31 - threadIdx.x];
}

// Wrong: the first coordinate is not one of 16 bytes.
template <bool fault> VN_KERNEL(32) misplaced_box(VN_TENSOR_MAP map, Global<float> y) {
  const Shared<float> box = dynamic_shared<float>(0, 32, "box");
  VN_SHARED(uint64_t, full, 1);
  start_mbarrier(full, 1);
  if (threadIdx.x == 0) {
    mbarrier_arrive_expect(full, 128);
    copy_tensor(box, map, Coordinates<2>{{fault ? 2 : 4, 0}}, full);
  }
  mbarrier_wait(full, 0);
  y[threadIdx.x] = box[threadIdx.x];
}

// Wrong: the block ends before its copy has landed.
template <bool fault> VN_KERNEL(32) unwaited_bulk_copy(Global<const float> x, Global<float> y) {
  VN_SHARED(float, values, 32);
  VN_SHARED(uint64_t, full, 1);
  start_mbarrier(full, 1);
  if (threadIdx.x == 0) {
    mbarrier_arrive_expect(full, 128);
    copy_bulk(values, x, 128, full);
  }
  if (!fault)
    mbarrier_wait(full, 0);
  y[threadIdx.x] = 1;
}

// A ring of one place. Wrong: it is filled again before all have read it.
template <bool fault> VN_KERNEL(64) refilled_by_copy(Global<const float> x, Global<float> y, int stages) {
  VN_SHARED(float, place, 32);
  VN_SHARED(uint64_t, full, 1);
  VN_SHARED(uint64_t, empty, 1);
  if (threadIdx.x == 0)
    mbarrier_init(empty, fault ? 1 : 32);
  start_mbarrier(full, 1);
  if (threadIdx.x == 32)
    for (int s = 0; s < stages; ++s) {
      mbarrier_wait(empty, (s + 1) % 2);
      mbarrier_arrive_expect(full, 128);
      copy_bulk(place, x + s * 32, 128, full);
    }
  if (threadIdx.x < 32)
    for (int s = 0; s < stages; ++s) {
      mbarrier_wait(full, s % 2);
      y[s * 32 + threadIdx.x] = place[31 - threadIdx.x];
      fence_proxy_async();
      // One for all, of whom nobody has asked whether they have read.
      if (!fault || threadIdx.x == 7)
        mbarrier_arrive(empty);
    }
}

// --- d = a b of a warp group: a is 64 x 16, b 8 x 16, both without a swizzle; y is the sum of the rows

template <int fault_of> VN_DEVICE void multiply(Global<const float> x, Global<float> y) {
  constexpr int no_proxy_fence = 1, no_fence = 2, early_sums = 3, touched_sums = 4, early_write = 5,
                unwaited = 6, diverged = 7, other_operands = 8, bounds = 9, unwritten = 10,
                fragments_change = 11, no_fragment_fence = 12;
  VN_SHARED(bf16, a, 64 * 16);
  VN_SHARED(bf16, b, 8 * 16);
  const int t = int(threadIdx.x);
  for (int i = t; i < 64 * 16; i += 128)
    a[i] = to_bf16(x[i % 64]);
  if (fault_of != unwritten || t < 120)
    b[t] = to_bf16(1.0f);
  if (fault_of != no_proxy_fence)
    fence_proxy_async();
  syncthreads();
  uint64_t from_a = matrix_descriptor(a, 128, 256, Swizzle::None),
           from_b = matrix_descriptor(b, 128, fault_of == bounds ? 256 : 128, Swizzle::None);
  if (fault_of == bounds)
    from_b = matrix_descriptor(b + 64, 128, 256, Swizzle::None);
  if (fault_of == other_operands && t == 70)
    from_a += 8;
  float d[4] = {};
  uint32_t fragments[4] = {0x3F80'3F80, 0x3F80'3F80, 0x3F80'3F80, 0x3F80'3F80};
  if (fault_of != no_fence)
    wgmma_fence();
  if (fault_of != diverged || t < 96) {
    wgmma_bf16<8>(d, from_a, from_b, false);
    if (fault_of == fragments_change || fault_of == -fragments_change)
      wgmma_bf16<8>(d, fragments, from_b, true);
    wgmma_commit_group();
  }
  if (fault_of == fragments_change)
    fragments[1] = 0;
  if (fault_of == touched_sums)
    d[1] = 0;
  if (fault_of == early_write && t == 3)
    b[t] = to_bf16(2.0f);
  float early = 0;
  if (fault_of == early_sums)
    early = d[0];
  if (fault_of != unwaited)
    wgmma_wait_group<0>(d);
  y[t] = fault_of == early_sums ? early : d[0] + d[1] + d[2] + d[3];
  if (fault_of == no_fragment_fence || fault_of == -no_fragment_fence) {
    // The sums were read.
    if (fault_of < 0)
      wgmma_fence();
    wgmma_bf16<8>(d, from_a, from_b, true);
    wgmma_commit_group();
    wgmma_wait_group<0>(d);
  }
}

template <bool fault> VN_KERNEL(128) missing_proxy_fence(Global<const float> x, Global<float> y) {
  multiply<fault ? 1 : 0>(x, y);
}
template <bool fault> VN_KERNEL(128) missing_wgmma_fence(Global<const float> x, Global<float> y) {
  multiply<fault ? 2 : 0>(x, y);
}
template <bool fault> VN_KERNEL(128) sums_read_early(Global<const float> x, Global<float> y) {
  multiply<fault ? 3 : 0>(x, y);
}
template <bool fault> VN_KERNEL(128) sums_written_early(Global<const float> x, Global<float> y) {
  multiply<fault ? 4 : 0>(x, y);
}
template <bool fault> VN_KERNEL(128) operand_written_early(Global<const float> x, Global<float> y) {
  multiply<fault ? 5 : 0>(x, y);
}
template <bool fault> VN_KERNEL(128) unwaited_product(Global<const float> x, Global<float> y) {
  multiply<fault ? 6 : 0>(x, y);
}
template <bool fault> VN_KERNEL(128) diverged_group(Global<const float> x, Global<float> y) {
  multiply<fault ? 7 : 0>(x, y);
}
template <bool fault> VN_KERNEL(128) other_operands(Global<const float> x, Global<float> y) {
  multiply<fault ? 8 : 0>(x, y);
}
template <bool fault> VN_KERNEL(128) matrix_out_of_bounds(Global<const float> x, Global<float> y) {
  multiply<fault ? 9 : 0>(x, y);
}
template <bool fault> VN_KERNEL(128) matrix_unwritten(Global<const float> x, Global<float> y) {
  multiply<fault ? 10 : 0>(x, y);
}
template <bool fault> VN_KERNEL(128) fragments_written_early(Global<const float> x, Global<float> y) {
  multiply<fault ? 11 : -11>(x, y);
}
template <bool fault> VN_KERNEL(128) missing_second_fence(Global<const float> x, Global<float> y) {
  multiply<fault ? 12 : -12>(x, y);
}

// A ring of one place that a warp group multiplies from. Wrong: three of its warps say that it is free when
// they have waited for their products, the fourth when it has asked for them; or all of them have waited, and
// one of them does not say so.
template <bool fault, bool silent>
VN_DEVICE void multiply_from_ring(Global<const bf16> x, Global<float> y, int stages) {
  VN_SHARED(bf16, place, 64 * 16);
  VN_SHARED(uint64_t, full, 1);
  VN_SHARED(uint64_t, empty, 1);
  if (threadIdx.x == 0)
    mbarrier_init(empty, fault && silent ? 3 : 4);
  start_mbarrier(full, 1);
  if (threadIdx.x == 128)
    for (int s = 0; s < stages; ++s) {
      mbarrier_wait(empty, (s + 1) % 2);
      mbarrier_arrive_expect(full, 64 * 16 * 2);
      copy_bulk(place, x, 64 * 16 * 2, full);
    }
  if (threadIdx.x >= 128)
    return;
  const int warp = int(threadIdx.x) / 32;
  const bool says = threadIdx.x % 32 == 0 && !(fault && silent && warp == 2);
  float d[4];
  for (int s = 0; s < stages; ++s) {
    mbarrier_wait(full, s % 2);
    const uint64_t matrix = matrix_descriptor(place, 128, 256, Swizzle::None);
    wgmma_fence();
    wgmma_bf16<8>(d, matrix, matrix, s > 0);
    wgmma_commit_group();
    const bool early = fault && !silent && warp == 1;
    if (early && says)
      mbarrier_arrive(empty);
    wgmma_wait_group<0>(d);
    if (!early && says)
      mbarrier_arrive(empty);
  }
  y[threadIdx.x] = d[0];
}
template <bool fault> VN_KERNEL(160) released_early(Global<const bf16> x, Global<float> y, int stages) {
  multiply_from_ring<fault, false>(x, y, stages);
}
template <bool fault> VN_KERNEL(160) released_by_three(Global<const bf16> x, Global<float> y, int stages) {
  multiply_from_ring<fault, true>(x, y, stages);
}

// Wrong: both warp groups want more registers than there are.
template <bool fault> VN_KERNEL_ALONE(384) too_many_registers(Global<float> y) {
  if (threadIdx.x < 128)
    fewer_registers<fault ? 104 : 24>();
  else
    more_registers<240>();
  y[threadIdx.x] = 1;
}

// Wrong: a tile of 64 x 64 that a tensor copy brings is multiplied by another swizzle.
template <bool fault> VN_KERNEL(128) wrong_matrix_swizzle(VN_TENSOR_MAP map, Global<float> y) {
  const Shared<bf16> tile = dynamic_shared<bf16>(0, 64 * 64, "tile");
  VN_SHARED(uint64_t, full, 1);
  start_mbarrier(full, 1);
  if (threadIdx.x == 0) {
    mbarrier_arrive_expect(full, 64 * 128);
    copy_tensor(tile, map, Coordinates<2>{{0, 0}}, full);
  }
  mbarrier_wait(full, 0);
  float d[32];
  const uint64_t matrix =
      matrix_descriptor(tile, 16, fault ? 512 : 1024, fault ? Swizzle::B64 : Swizzle::B128);
  wgmma_fence();
  wgmma_bf16<64>(d, matrix, matrix, false);
  wgmma_commit_group();
  wgmma_wait_group<0>(d);
  for (int i = 0; i < 32; ++i)
    y[threadIdx.x * 32 + i] = d[i];
}

} // namespace faulty

#endif
