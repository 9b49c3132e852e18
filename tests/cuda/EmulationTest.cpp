// The emulation finds each planted fault, names the kernel and says where; the kernel's right twin passes.
#define BOOST_TEST_MODULE cuda_emulation
#include <boost/test/included/unit_test.hpp>

#include "Faults.h"
#include "FaultyKernels.cuh"

using namespace faulty;
using primitives::Array;

BOOST_AUTO_TEST_SUITE(planted_faults)

BOOST_AUTO_TEST_CASE(a_missing_wait) {
  const Report report = check(FaultKind::CopyInFlight, "missing_wait", [](auto fault) {
    Array<float> x(counted(5 * 64), "x"), y(5 * 64, "y");
    VN_LAUNCH((missing_wait<fault.value>), {.grid = 1, .block = 64}, x, y, 5);
    BOOST_TEST(y.values()[70] == 64 + 64 - 6);
  });
  BOOST_TEST(report.buffer == "ring");
}

BOOST_AUTO_TEST_CASE(a_place_filled_too_early) {
  const Report report = check(FaultKind::CopyInFlight, "refilled_too_early", [](auto fault) {
    Array<float> x(counted(5 * 64), "x"), y(5 * 64, "y");
    VN_LAUNCH((refilled_too_early<fault.value>), {.grid = 1, .block = 64}, x, y, 5);
  });
  BOOST_TEST(report.buffer == "ring");
  BOOST_TEST(std::string(report.place.file).find("FaultyKernels.cuh") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_missing_barrier) {
  const Report report = check(FaultKind::Race, "missing_barrier", [](auto fault) {
    Array<float> x(counted(128), "x"), y(128, "y");
    VN_LAUNCH((missing_barrier<fault.value>), {.grid = 2, .block = 64}, x, y);
  });
  BOOST_TEST(report.buffer == "values");
}

BOOST_AUTO_TEST_CASE(a_missing_syncwarp) {
  check(FaultKind::Race, "missing_syncwarp", [](auto fault) {
    Array<float> x(counted(64), "x"), y(64, "y");
    VN_LAUNCH((missing_syncwarp<fault.value>), {.grid = 1, .block = 64}, x, y);
  });
}

BOOST_AUTO_TEST_CASE(a_wrong_swizzle) {
  const Report report = check(FaultKind::Uninitialised, "wrong_swizzle", [](auto fault) {
    Array<uint32_t> x(primitives::numbers(16 * 24, 1), "x"), y(12 * 32, "y");
    VN_LAUNCH((wrong_swizzle<fault.value>), {.grid = 1, .block = 32, .shared_bytes = 16 * 128}, x, y);
  });
  BOOST_TEST(report.buffer == "tile");
}

// Of a tile that is all written only the numbers tell: whoever launches compares them, as `vernier verify`
// does.
BOOST_AUTO_TEST_CASE(a_wrong_swizzle_of_a_full_tile) {
  const std::vector<uint32_t> values = primitives::numbers(8 * 32, 2);
  Array<uint32_t> x(values, "x"), y(8 * 32, "y");
  VN_LAUNCH(wrong_swizzle_of_full_tile<right>, {.grid = 1, .block = 32, .shared_bytes = 1024}, x, y);
  BOOST_TEST(y.values() == values);
  VN_LAUNCH(wrong_swizzle_of_full_tile<wrong>, {.grid = 1, .block = 32, .shared_bytes = 1024}, x, y);
  BOOST_TEST(y.values() != values);
}

BOOST_AUTO_TEST_CASE(an_index_out_of_range) {
  const Report report = check(FaultKind::OutOfBounds, "index_out_of_range", [](auto fault) {
    Array<float> x(counted(100), "x"), y(100, "y");
    VN_LAUNCH((index_out_of_range<fault.value>), {.grid = 2, .block = 64}, x, y, 100);
  });
  BOOST_TEST(report.buffer == "x");
  BOOST_TEST(report.offset == 400);
  BOOST_TEST(report.block.x == 1u);
  BOOST_TEST(report.thread.x == 36u);
}

// One buffer of an arena: what lies behind it belongs to others.
BOOST_AUTO_TEST_CASE(a_part_of_an_arena) {
  check(FaultKind::OutOfBounds, "index_out_of_range", [](auto fault) {
    Array<float> x(counted(100), "x"), arena(1000, "arena");
    void *const memory = static_cast<void *>(vn::Global<float>(arena).raw());
    VN_LAUNCH((index_out_of_range<fault.value>), {.grid = 2, .block = 64},
              vn::device_part<const float>(vn::Global<float>(x).raw(), 0, 100, "x"),
              vn::device_part<float>(memory, 1024, 100, "map"), 100);
  });
}

BOOST_AUTO_TEST_CASE(a_tail_left_unwritten) {
  const Report report = check(FaultKind::Unwritten, "tail_left_unwritten", [](auto fault) {
    Array<float> x(counted(98), "x"), y(98, "y");
    void *const map = vn::Global<float>(y).raw();
    for (int launch = 0; launch < 2; ++launch) { // the second one finds numbers there
      vn::emulation::poison({map, 98 * 4});
      VN_LAUNCH((tail_left_unwritten<fault.value>), {.grid = 1, .block = 32}, x, y, 98);
      vn::emulation::requireWritten({map, 98 * 4});
    }
  });
  BOOST_TEST(report.buffer == "y");
  BOOST_TEST(report.offset == 96 * 4);
}

BOOST_AUTO_TEST_CASE(a_race_of_two_blocks) {
  const Report report = check(FaultKind::BlockRace, "blocks_share_a_word", [](auto fault) {
    Array<float> x(counted(128), "x"), y(4, "y");
    VN_LAUNCH((blocks_share_a_word<fault.value>), {.grid = 4, .block = 32}, x, y);
  });
  BOOST_TEST(report.buffer == "y");
}

BOOST_AUTO_TEST_CASE(a_missing_fence) {
  check(FaultKind::BlockRace, "missing_fence", [](auto fault) {
    Array<float> x(counted(128), "x"), parts(128, "parts"), y(32, "y");
    Array<unsigned> counter(std::vector<unsigned>{0}, "counter");
    VN_LAUNCH((missing_fence<fault.value>), {.grid = 4, .block = 32}, x, parts, counter, y);
    BOOST_TEST(y.values()[0] == 1 + 33 + 65 + 97);
  });
}

// Found in either order of the blocks: where the reader comes first, it has not been written yet or holds an
// earlier launch's number, which the writer then finds read.
BOOST_AUTO_TEST_CASE(a_read_of_what_another_block_writes) {
  check(FaultKind::BlockRace, "reads_another_block", [](auto fault) {
    Array<float> x(counted(128), "x"), y(counted(128), "y");
    VN_LAUNCH((reads_another_block<fault.value>), {.grid = 4, .block = 32}, x, y);
  });
}

BOOST_AUTO_TEST_CASE(a_shuffle_of_a_diverged_warp) {
  check(FaultKind::DivergedWarp, "diverged_shuffle", [](auto fault) {
    std::vector<float> values = counted(64);
    values[40] = -1;
    Array<float> x(values, "x"), y(2, "y");
    VN_LAUNCH((diverged_shuffle<fault.value>), {.grid = 1, .block = 64}, x, y);
    BOOST_TEST(y.values()[0] == 16 * 33);
  });
}

BOOST_AUTO_TEST_CASE(a_product_of_a_diverged_warp) {
  check(FaultKind::DivergedWarp, "diverged_mma", [](auto fault) {
    Array<float> y(32, "y");
    VN_LAUNCH((diverged_mma<fault.value>), {.grid = 1, .block = 32}, y);
    BOOST_TEST(y.values()[31] == 16);
  });
}

BOOST_AUTO_TEST_CASE(a_divergent_barrier) {
  check(FaultKind::DivergentBarrier, "divergent_barrier", [](auto fault) {
    Array<float> x(counted(50), "x"), y(50, "y");
    VN_LAUNCH((divergent_barrier<fault.value>), {.grid = 1, .block = 64}, x, y, 50);
  });
}

BOOST_AUTO_TEST_CASE(a_deadlock) {
  check(FaultKind::Deadlock, "deadlock", [](auto fault) {
    Array<float> y(64, "y");
    VN_LAUNCH((deadlock<fault.value>), {.grid = 1, .block = 64}, y);
  });
}

BOOST_AUTO_TEST_CASE(a_misaligned_access) {
  const Report report = check(FaultKind::Misaligned, "misaligned", [](auto fault) {
    Array<float> x(counted(32 * 20), "x"), y(128, "y");
    VN_LAUNCH((misaligned<fault.value>), {.grid = 1, .block = 32}, x, y);
  });
  BOOST_TEST(report.buffer == "x");
}

BOOST_AUTO_TEST_CASE(a_read_of_unwritten_memory) {
  check(FaultKind::Uninitialised, "reads_unwritten", [](auto fault) {
    Array<float> scratch(64, "scratch"), y(32, "y");
    VN_LAUNCH((reads_unwritten<fault.value>), {.grid = 1, .block = 32}, scratch, y);
  });
}

BOOST_AUTO_TEST_CASE(a_stale_read) {
  check(FaultKind::ReadOnly, "stale_read_only", [](auto fault) {
    Array<float> scratch(32, "scratch"), y(32, "y");
    VN_LAUNCH((stale_read_only<fault.value>), {.grid = 1, .block = 32}, scratch, y);
  });
}

BOOST_AUTO_TEST_CASE(a_copy_that_nothing_waits_for) {
  check(FaultKind::UnwaitedCopy, "unwaited_copy", [](auto fault) {
    Array<float> x(counted(32), "x"), y(32, "y");
    VN_LAUNCH((unwaited_copy<fault.value>), {.grid = 1, .block = 32}, x, y);
  });
}

BOOST_AUTO_TEST_CASE(an_array_that_is_overrun) {
  const Report report = check(FaultKind::OutOfBounds, "overruns_its_array", [](auto fault) {
    Array<float> x(counted(32), "x"), y(32, "y");
    VN_LAUNCH((overruns_its_array<fault.value>), {.grid = 1, .block = 32, .shared_bytes = 256}, x, y);
  });
  BOOST_TEST(report.buffer == "a");
  BOOST_TEST(report.offset == 128);
}

BOOST_AUTO_TEST_CASE(a_launch_that_no_gpu_can_do) {
  Array<float> y(64, "y");
  const auto kindOf = [&](const vn::Launch &shape) {
    const auto report = faultOf([&] { VN_LAUNCH(deadlock<right>, shape, y); });
    return report ? report->kind : FaultKind::Race;
  };
  BOOST_TEST(kindOf({.grid = 1, .block = 1056}) == FaultKind::Launch);
  BOOST_TEST(kindOf({.grid = 0, .block = 64}) == FaultKind::Launch);
  BOOST_TEST(kindOf({.grid = 1, .block = 64, .shared_bytes = 228 * 1024}) == FaultKind::Launch);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(device_memory)

BOOST_AUTO_TEST_CASE(holds_nan_until_something_is_written) {
  Array<float> y(5, "y");
  for (float value : y.values())
    BOOST_TEST(std::isnan(value));
  float *const memory = vn::Global<float>(y).raw();
  vn::fill_device(memory, 0, 20);
  BOOST_TEST(y.values() == std::vector<float>(5));
  // Two rows of a word each.
  vn::emulation::poison({memory, 4, 8, 2});
  BOOST_TEST(std::isnan(y.values()[0]));
  BOOST_TEST(y.values()[1] == 0);
  BOOST_TEST(std::isnan(y.values()[2]));
}

BOOST_AUTO_TEST_CASE(is_counted_and_given_back) {
  const size_t before = vn::emulation::allocatedBytes();
  void *const memory = vn::allocate_device(1000, "a");
  BOOST_TEST(vn::emulation::allocatedBytes() == before + 1000);
  BOOST_TEST(reinterpret_cast<uintptr_t>(memory) % 256 == 0u);
  BOOST_CHECK_THROW(vn::free_device(static_cast<char *>(memory) + 4), Fault);
  vn::free_device(memory);
  BOOST_TEST(vn::emulation::allocatedBytes() == before);
  BOOST_CHECK_THROW(vn::free_device(memory), Fault);
}

BOOST_AUTO_TEST_CASE(is_not_copied_past_its_end) {
  Array<float> y(5, "y");
  const std::vector<float> values(6);
  const auto report = faultOf([&] { vn::copy_to_device(vn::Global<float>(y).raw(), values.data(), 24); });
  BOOST_REQUIRE(report);
  BOOST_TEST(report->text() == "out of bounds: copies to 24 bytes at byte 0 of `y`, which has 20");
}

BOOST_AUTO_TEST_CASE(is_device_memory) {
  std::vector<float> host(64), more(64);
  const auto report = faultOf(
      [&] { VN_LAUNCH(missing_syncwarp<right>, {.grid = 1, .block = 64}, host.data(), more.data()); });
  BOOST_REQUIRE(report);
  BOOST_TEST(report->what.find("an address that is no device memory") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

// A kernel may throw what it likes: under emulation it is C++.
namespace {
struct Stopped {};
VN_KERNEL(64) stops(vn::Global<float> y) {
  if (vn::threadIdx.x == 5)
    throw Stopped();
  vn::syncthreads();
  y[vn::threadIdx.x] = 1;
}
} // namespace

BOOST_AUTO_TEST_CASE(exceptions_leave_the_launch) {
  Array<float> y(64, "y");
  BOOST_CHECK_THROW(VN_LAUNCH(stops, {.grid = 1, .block = 64}, y), Stopped);
  VN_LAUNCH(deadlock<right>, {.grid = 1, .block = 64}, y);
}
