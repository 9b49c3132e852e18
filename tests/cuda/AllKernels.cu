// Every kernel of these tests, so that nvcc compiles each: taking a template's address makes it.
#include "FaultyKernels.cuh"
#include "Primitives.cuh"

namespace {

template <bool fault> std::vector<const void *> addresses() {
  using namespace faulty;
  return {(const void *)missing_wait<fault>,
          (const void *)refilled_too_early<fault>,
          (const void *)missing_barrier<fault>,
          (const void *)missing_syncwarp<fault>,
          (const void *)wrong_swizzle<fault>,
          (const void *)wrong_swizzle_of_full_tile<fault>,
          (const void *)index_out_of_range<fault>,
          (const void *)tail_left_unwritten<fault>,
          (const void *)blocks_share_a_word<fault>,
          (const void *)missing_fence<fault>,
          (const void *)reads_another_block<fault>,
          (const void *)diverged_shuffle<fault>,
          (const void *)diverged_mma<fault>,
          (const void *)divergent_barrier<fault>,
          (const void *)deadlock<fault>,
          (const void *)misaligned<fault>,
          (const void *)reads_unwritten<fault>,
          (const void *)stale_read_only<fault>,
          (const void *)unwaited_copy<fault>,
          (const void *)overruns_its_array<fault>};
}

} // namespace

std::vector<const void *> all_kernels() {
  std::vector<const void *> all = addresses<true>();
  for (const void *kernel : addresses<false>())
    all.push_back(kernel);
  return all;
}
