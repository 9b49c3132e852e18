// Every kernel of these tests, so that nvcc compiles each: taking a template's address makes it.
#include "FaultyKernels.cuh"
#include "HopperFaultyKernels.cuh"
#include "HopperPrimitives.cuh"

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
          (const void *)overruns_its_array<fault>,
          (const void *)missing_mbarrier_wait<fault>,
          (const void *)wrong_parity<fault>,
          (const void *)no_bytes_expected<fault>,
          (const void *)few_bytes_expected<fault>,
          (const void *)many_bytes_expected<fault>,
          (const void *)unfenced_mbarrier<fault>,
          (const void *)touched_in_flight<fault>,
          (const void *)unfenced_before_copy<fault>,
          (const void *)missing_arrival<fault>,
          (const void *)unordered_mbarrier<fault>,
          (const void *)late_copy<fault>,
          (const void *)unwaited_bulk_copy<fault>,
          (const void *)refilled_by_copy<fault>,
          (const void *)missing_proxy_fence<fault>,
          (const void *)missing_wgmma_fence<fault>,
          (const void *)missing_second_fence<fault>,
          (const void *)sums_read_early<fault>,
          (const void *)sums_written_early<fault>,
          (const void *)operand_written_early<fault>,
          (const void *)unwaited_product<fault>,
          (const void *)diverged_group<fault>,
          (const void *)other_operands<fault>,
          (const void *)matrix_out_of_bounds<fault>,
          (const void *)matrix_unwritten<fault>,
          (const void *)fragments_written_early<fault>,
          (const void *)released_early<fault>,
          (const void *)released_by_three<fault>,
          (const void *)too_many_registers<fault>,
          (const void *)wrong_matrix_swizzle<fault>};
}

} // namespace

std::vector<const void *> all_kernels() {
  std::vector<const void *> all = addresses<true>();
  for (const void *kernel : addresses<false>())
    all.push_back(kernel);
  return all;
}
