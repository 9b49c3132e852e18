// Kernels with one fault each, and their right twins. nvcc compiles both: nothing but the emulation tells
// them apart.
#ifndef VERNIER_TESTS_CUDA_FAULTY_KERNELS_CUH
#define VERNIER_TESTS_CUDA_FAULTY_KERNELS_CUH

#include "codegen/cuda/device/vernier.cuh"

namespace faulty {

using namespace vn;

constexpr bool right = false, wrong = true;

// y = x reversed in each stage of 64 words, two copies on their way. Wrong: waits for one group too few.
template <bool fault> VN_KERNEL(64) missing_wait(Global<const float> x, Global<float> y, int stages) {
  VN_SHARED(float, ring, 3 * 64);
  const int t = int(threadIdx.x);
  const auto issue = [&](int stage) {
    if (stage < stages)
      cp_async<4>(ring + stage % 3 * 64 + t, x + stage * 64 + t);
    cp_async_commit_group();
  };
  issue(0);
  issue(1);
  for (int stage = 0; stage < stages; ++stage) {
    cp_async_wait_group<fault ? 2 : 1>();
    syncthreads();
    y[stage * 64 + t] = ring[stage % 3 * 64 + 63 - t];
    issue(stage + 2);
  }
  cp_async_wait_all();
}

// The same ring with places for two stages. Wrong: no barrier before a place is filled again, which others
// still read.
template <bool fault> VN_KERNEL(64) refilled_too_early(Global<const float> x, Global<float> y, int stages) {
  VN_SHARED(float, ring, 2 * 64);
  const int t = int(threadIdx.x);
  cp_async<4>(ring + t, x + t);
  cp_async_commit_group();
  for (int stage = 0; stage < stages; ++stage) {
    if (stage + 1 < stages)
      cp_async<4>(ring + (stage + 1) % 2 * 64 + t, x + (stage + 1) * 64 + t);
    cp_async_commit_group();
    cp_async_wait_group<1>();
    syncthreads();
    y[stage * 64 + t] = ring[stage % 2 * 64 + 63 - t];
    if (!fault)
      syncthreads();
  }
  cp_async_wait_all();
}

// y = x reversed in each block. Wrong: no barrier between writing and reading.
template <bool fault> VN_KERNEL(64) missing_barrier(Global<const float> x, Global<float> y) {
  VN_SHARED(float, values, 64);
  const int t = int(threadIdx.x), first = int(blockIdx.x) * 64;
  values[t] = 0;
  syncthreads();
  values[t] = x[first + t];
  if (!fault)
    syncthreads();
  y[first + t] = values[63 - t];
}

// y = x reversed in each warp. Wrong: lanes are taken to run in step.
template <bool fault> VN_KERNEL(64) missing_syncwarp(Global<const float> x, Global<float> y) {
  VN_SHARED(float, values, 64);
  const int t = int(threadIdx.x);
  values[t] = 0;
  syncwarp();
  values[t] = x[t];
  if (!fault)
    syncwarp();
  y[t] = values[t / 32 * 32 + 31 - t % 32];
}

// A tile of 16 rows of 8 chunks of 16 bytes, which lie permuted so that 8 rows of a column meet no bank
// twice; y gets what ldmatrix reads of it. Wrong: read with another permutation than it was written with, a
// quarter of the tile is not even written.
template <bool fault> VN_KERNEL(32) wrong_swizzle(Global<const uint32_t> x, Global<uint32_t> y) {
  const Shared<uint32_t> tile = dynamic_shared<uint32_t>(0, 16 * 32, "tile");
  const int lane = int(threadIdx.x);
  const auto written = [](int row, int chunk) { return row * 8 + (chunk ^ row % 8); };
  const auto read = [](int row, int chunk) { return row * 8 + (chunk ^ (fault ? row % 4 + 4 : row % 8)); };
  for (int i = lane; i < 16 * 6; i += 32)
    cp_async<16>(tile + written(i / 6, i % 6) * 4, x + i * 4);
  cp_async_commit_group();
  cp_async_wait_group<0>();
  syncwarp();
  for (int chunk = 0; chunk < 6; chunk += 2) {
    uint32_t registers[4];
    ldmatrix_x4(registers, tile + read(lane % 16, chunk + lane / 16) * 4);
    for (int i = 0; i < 4; ++i)
      y[(chunk / 2 * 4 + i) * 32 + lane] = registers[i];
  }
}

// The same, all of the tile written: the numbers are wrong, and nothing else is.
template <bool fault> VN_KERNEL(32) wrong_swizzle_of_full_tile(Global<const uint32_t> x, Global<uint32_t> y) {
  const Shared<uint32_t> tile = dynamic_shared<uint32_t>(0, 8 * 32, "tile");
  const int lane = int(threadIdx.x);
  for (int i = lane; i < 8 * 8; i += 32)
    cp_async<16>(tile + (i / 8 * 8 + (i % 8 ^ i / 8)) * 4, x + i * 4);
  cp_async_commit_group();
  cp_async_wait_group<0>();
  syncwarp();
  for (int chunk = 0; chunk < 8; ++chunk) {
    uint32_t registers[1];
    const int row = lane % 8;
    ldmatrix_x1(registers, tile + (row * 8 + (chunk ^ (fault ? 7 - row : row))) * 4);
    y[(lane / 4 * 8 + chunk) * 4 + lane % 4] = registers[0];
  }
}

// y = 2 x. Wrong: the last thread of the last block goes one too far.
template <bool fault> VN_KERNEL(64) index_out_of_range(Global<const float> x, Global<float> y, int count) {
  const int i = int(blockIdx.x * 64 + threadIdx.x);
  if (fault ? i <= count : i < count)
    y[i] = 2 * x[i];
}

// y = x, four at a time. Wrong: a tail of fewer than four is forgotten.
template <bool fault> VN_KERNEL(32) tail_left_unwritten(Global<const float> x, Global<float> y, int count) {
  const int i = int(blockIdx.x * 32 + threadIdx.x) * 4;
  if (i + 4 <= count)
    store_global(y + i, load_global<4>(x + i));
  else if (!fault)
    for (int j = i; j < count; ++j)
      y[j] = x[j];
}

// Each block writes the sum of its 32 numbers. Wrong: two blocks share a place.
template <bool fault> VN_KERNEL(32) blocks_share_a_word(Global<const float> x, Global<float> y) {
  float sum = x[blockIdx.x * 32 + threadIdx.x];
  for (int lanes = 16; lanes > 0; lanes /= 2)
    sum += shfl_xor_sync(all_lanes, sum, lanes);
  if (threadIdx.x == 0)
    y[fault ? blockIdx.x / 2 : blockIdx.x] = sum;
}

// The last block to come adds all parts. Wrong: no fence before it counts.
template <bool fault>
VN_KERNEL(32)
missing_fence(Global<const float> x, Global<float> parts, Global<unsigned> counter, Global<float> y) {
  VN_SHARED(unsigned, arrived, 1);
  parts[blockIdx.x * 32 + threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];
  syncthreads();
  if (threadIdx.x == 0) {
    if (!fault)
      threadfence();
    arrived[0] = atomic_add_global(counter, 1);
    threadfence();
  }
  syncthreads();
  if (arrived[0] + 1 != gridDim.x)
    return;
  float sum = 0;
  for (unsigned block = 0; block < gridDim.x; ++block)
    sum += parts[block * 32 + threadIdx.x];
  y[threadIdx.x] = sum;
}

// Block b + 1 reads what block b writes. Wrong in one launch, whatever the order.
template <bool fault> VN_KERNEL(32) reads_another_block(Global<float> x, Global<float> y) {
  const unsigned i = blockIdx.x * 32 + threadIdx.x;
  y[i] = fault && blockIdx.x > 0 ? y[i - 32] : x[i];
}

// y: sums over each warp of the positive numbers. Wrong: lanes without one do not come to the shuffle.
template <bool fault> VN_KERNEL(64) diverged_shuffle(Global<const float> x, Global<float> y) {
  const float value = x[threadIdx.x];
  float sum = value > 0 ? value : 0;
  if (!fault || value > 0)
    for (int lanes = 16; lanes > 0; lanes /= 2)
      sum += shfl_xor_sync(all_lanes, sum, lanes);
  if (threadIdx.x % 32 == 0)
    y[threadIdx.x / 32] = sum;
}

// Wrong: half of a warp multiplies in one branch, half in the other.
template <bool fault> VN_KERNEL(32) diverged_mma(Global<float> y) {
  float d[4] = {0, 0, 0, 0};
  const uint32_t one = 0x3F80'3F80, a[4] = {one, one, one, one}, b[2] = {one, one};
  if (!fault || threadIdx.x < 16)
    mma_m16n8k16_bf16(d, a, b);
  else
    mma_m16n8k16_bf16(d, a, b);
  y[threadIdx.x] = d[0];
}

// Wrong: threads without work leave before a barrier.
template <bool fault> VN_KERNEL(64) divergent_barrier(Global<const float> x, Global<float> y, int count) {
  VN_SHARED(float, values, 64);
  const int t = int(threadIdx.x);
  if (fault && t >= count)
    return;
  values[t] = t < count ? float(x[t]) : 0.0f;
  syncthreads();
  if (t < count)
    y[t] = values[count - 1 - t];
}

// Wrong: two halves of a block wait for each other in two named barriers.
template <bool fault> VN_KERNEL(64) deadlock(Global<float> y) {
  named_barrier_sync(fault && threadIdx.x < 32 ? 2 : 1, 64);
  y[threadIdx.x] = 1;
}

// Wrong: rows of 18 words, read 16 bytes at a time.
template <bool fault> VN_KERNEL(32) misaligned(Global<const float> x, Global<float> y) {
  const int row = fault ? 18 : 20;
  store_global(y + threadIdx.x * 4, load_global<4>(x + threadIdx.x * row));
}

// Wrong: reads the part of a buffer that the caller did not fill.
template <bool fault> VN_KERNEL(32) reads_unwritten(Global<float> scratch, Global<float> y) {
  if (!fault)
    scratch[32 + threadIdx.x] = 1;
  y[threadIdx.x] = scratch[32 + threadIdx.x];
}

// Wrong: reads through the path that sees no writes of this launch.
template <bool fault> VN_KERNEL(32) stale_read_only(Global<float> scratch, Global<float> y) {
  scratch[threadIdx.x] = float(threadIdx.x);
  y[threadIdx.x] = fault ? load_read_only<1>(scratch + threadIdx.x)[0] : float(scratch[threadIdx.x]);
}

// Wrong: ends with a copy on its way.
template <bool fault> VN_KERNEL(32) unwaited_copy(Global<const float> x, Global<float> y) {
  VN_SHARED(float, values, 32);
  cp_async<4>(values + threadIdx.x, x + threadIdx.x);
  if (!fault)
    cp_async_wait_all();
  y[threadIdx.x] = fault ? 0.0f : float(values[threadIdx.x]);
}

// Two arrays in dynamic shared memory. Wrong: the first overruns into the second.
template <bool fault> VN_KERNEL(32) overruns_its_array(Global<const float> x, Global<float> y) {
  const Shared<float> a = dynamic_shared<float>(0, 32, "a"), b = dynamic_shared<float>(128, 32, "b");
  const int i = int(threadIdx.x) + (fault ? 1 : 0);
  a[i] = x[threadIdx.x];
  b[threadIdx.x] = 1;
  y[threadIdx.x] = float(a[i]) + float(b[threadIdx.x]);
}

} // namespace faulty

#endif
