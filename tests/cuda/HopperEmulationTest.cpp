// The emulation finds each fault that is planted in what only compute capability 9.0 has: mbarriers, bulk
// copies, products of warp groups. The kernel's right twin passes.
#define BOOST_TEST_MODULE cuda_hopper_emulation
#include <boost/test/included/unit_test.hpp>

#include "Faults.h"
#include "HopperFaultyKernels.cuh"

namespace {

using namespace faulty;
using primitives::Array;

#define CHECK_REVERSE(kind, kernel)                                                                          \
  check(kind, #kernel, [](auto fault) {                                                                      \
    Array<float> x(counted(64), "x"), y(64, "y");                                                            \
    VN_LAUNCH((kernel<fault.value>), {.grid = 1, .block = 64}, x, y);                                        \
  })
#define CHECK_PRODUCT(kind, kernel)                                                                          \
  check(kind, #kernel, [](auto fault) {                                                                      \
    Array<float> x(counted(64), "x"), y(128, "y");                                                           \
    VN_LAUNCH((kernel<fault.value>), {.grid = 1, .block = 128}, x, y);                                       \
  })

} // namespace

BOOST_AUTO_TEST_SUITE(bulk_copies)

BOOST_AUTO_TEST_CASE(a_missing_wait) {
  const Report report = check(FaultKind::CopyInFlight, "missing_mbarrier_wait", [](auto fault) {
    Array<float> x(counted(64), "x"), y(64, "y");
    VN_LAUNCH((missing_mbarrier_wait<fault.value>), {.grid = 1, .block = 64}, x, y);
    BOOST_TEST(y.values()[0] == 64);
  });
  BOOST_TEST(report.buffer == "values");
  BOOST_TEST(report.what.find("a bulk copy of line") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_wrong_parity) { CHECK_REVERSE(FaultKind::CopyInFlight, wrong_parity); }

BOOST_AUTO_TEST_CASE(no_bytes) { CHECK_REVERSE(FaultKind::CopyInFlight, no_bytes_expected); }

BOOST_AUTO_TEST_CASE(too_few_bytes) {
  CHECK_REVERSE(FaultKind::CopyInFlight, few_bytes_expected);
  check(FaultKind::UnwaitedCopy, "late_copy", [](auto fault) {
    Array<float> x(counted(32), "x"), y(32, "y");
    VN_LAUNCH((late_copy<fault.value>), {.grid = 1, .block = 32}, x, y);
  });
}

BOOST_AUTO_TEST_CASE(too_many_bytes) {
  const Report report = CHECK_REVERSE(FaultKind::Deadlock, many_bytes_expected);
  BOOST_TEST(report.what ==
             "waits for mbarrier `full` to complete phase 0, for which 0 of 1 arrivals and 256 "
             "bytes are missing");
}

BOOST_AUTO_TEST_CASE(a_missing_arrival) { CHECK_REVERSE(FaultKind::Deadlock, missing_arrival); }

BOOST_AUTO_TEST_CASE(an_mbarrier_without_a_fence_of_proxies) {
  CHECK_REVERSE(FaultKind::Proxy, unfenced_mbarrier);
}

// Where the thread that waits comes first, there is no mbarrier yet.
BOOST_AUTO_TEST_CASE(an_mbarrier_without_a_barrier) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    vn::emulation::setSeed(seed);
    const auto report = faultOf([] {
      Array<float> x(counted(64), "x"), y(64, "y");
      VN_LAUNCH(unordered_mbarrier<wrong>, {.grid = 1, .block = 64}, x, y);
    });
    BOOST_REQUIRE(report);
    BOOST_TEST((report->kind == FaultKind::Race || report->kind == FaultKind::MBarrier), report->text());
  }
}

BOOST_AUTO_TEST_CASE(a_write_on_the_way) {
  // Whoever comes first: the copy finds an unordered write, or the thread a copy.
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    vn::emulation::setSeed(seed);
    const auto report = faultOf([] {
      Array<float> x(counted(64), "x"), y(64, "y");
      VN_LAUNCH(touched_in_flight<wrong>, {.grid = 1, .block = 64}, x, y);
    });
    BOOST_REQUIRE(report);
    BOOST_TEST((report->kind == FaultKind::Race || report->kind == FaultKind::CopyInFlight), report->text());
  }
}

BOOST_AUTO_TEST_CASE(a_place_that_threads_used) { CHECK_REVERSE(FaultKind::Proxy, unfenced_before_copy); }

BOOST_AUTO_TEST_CASE(a_copy_that_nothing_waits_for) {
  check(FaultKind::UnwaitedCopy, "unwaited_bulk_copy", [](auto fault) {
    Array<float> x(counted(32), "x"), y(32, "y");
    VN_LAUNCH((unwaited_bulk_copy<fault.value>), {.grid = 1, .block = 32}, x, y);
  });
}

BOOST_AUTO_TEST_CASE(a_box_that_begins_within_16_bytes) {
  const Report report = check(FaultKind::Misaligned, "misplaced_box", [](auto fault) {
    Array<float> x(counted(512), "x"), y(32, "y");
    const vn::TiledTensor tensor{
        2, {32, 16}, {0, 128}, {32, 1}, {1, 1, 1, 1, 1}, vn::Element::F32, vn::Swizzle::None};
    VN_LAUNCH((misplaced_box<fault.value>), {.grid = 1, .block = 32, .shared_bytes = 128},
              vn::tensor_map(tensor, vn::Global<const float>(x)), y);
    BOOST_TEST(y.values()[0] == 5);
  });
  BOOST_TEST(report.what == "copies from element 2 of dimension 0, not a multiple of 16 bytes");
}

BOOST_AUTO_TEST_CASE(a_place_filled_too_early) {
  const Report report = check(FaultKind::Race, "refilled_by_copy", [](auto fault) {
    Array<float> x(counted(7 * 32), "x"), y(7 * 32, "y");
    VN_LAUNCH((refilled_by_copy<fault.value>), {.grid = 1, .block = 64}, x, y, 7);
    BOOST_TEST(y.values()[6 * 32] == 7 * 32);
  });
  BOOST_TEST(report.buffer == "place");
}

BOOST_AUTO_TEST_CASE(tensor_maps_that_the_driver_refuses) {
  using vn::Element;
  using vn::Swizzle;
  Array<float> x(counted(4096), "x");
  const auto refused = [&](const auto &tensor, int first = 0) -> std::string {
    const auto report = faultOf([&] { vn::tensor_map(tensor, vn::Global<const float>(x) + first); });
    return report ? report->what : "";
  };
  const vn::TiledTensor good{2, {32, 16}, {0, 128}, {32, 16}, {1, 1, 1, 1, 1}, Element::F32, Swizzle::B128};
  BOOST_TEST(refused(good) == "");
  BOOST_TEST(refused(good, 2).find("multiple of 16") != std::string::npos);
  auto tensor = good;
  tensor.stride[1] = 136;
  BOOST_TEST(refused(tensor).find("stride of 136") != std::string::npos);
  tensor = good;
  tensor.box[1] = 257;
  BOOST_TEST(refused(tensor).find("box of 257") != std::string::npos);
  tensor = good;
  tensor.box[0] = 34;
  BOOST_TEST(refused(tensor).find("rows of 136") != std::string::npos);
  tensor = good;
  tensor.box[0] = 64; // more than the swizzle's length
  BOOST_TEST(refused(tensor).find("rows of 256") != std::string::npos);
  tensor = good;
  tensor.step[1] = 9;
  BOOST_TEST(refused(tensor).find("step of 9") != std::string::npos);
  tensor = good;
  tensor.size[1] = 0;
  BOOST_TEST(refused(tensor).find("size of 0") != std::string::npos);
  const vn::Im2colTensor map{32,       4,        4,      2,  128, 512,          2048,
                             {-1, -1}, {-1, -1}, {1, 1}, 32, 16,  Element::F32, Swizzle::B128};
  BOOST_TEST(refused(map) == "");
  auto other = map;
  other.pixels = 1025;
  BOOST_TEST(refused(other).find("1025 pixels") != std::string::npos);
  other = map;
  other.lower.x = -129;
  BOOST_TEST(refused(other).find("corner of -129") != std::string::npos);
  other = map;
  other.upper.y = -5;
  BOOST_TEST(refused(other).find("empty box") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(products_of_warp_groups)

BOOST_AUTO_TEST_CASE(a_missing_fence_of_proxies) {
  BOOST_TEST(CHECK_PRODUCT(FaultKind::Proxy, missing_proxy_fence).what.find("fence_proxy_async") !=
             std::string::npos);
}
BOOST_AUTO_TEST_CASE(a_missing_fence) {
  CHECK_PRODUCT(FaultKind::Registers, missing_wgmma_fence);
  CHECK_PRODUCT(FaultKind::Registers, missing_second_fence);
}
BOOST_AUTO_TEST_CASE(sums_that_are_touched) {
  CHECK_PRODUCT(FaultKind::Registers, sums_written_early);
  // Who reads them has NaN: nothing else can see that.
  Array<float> x(counted(64), "x"), y(128, "y");
  VN_LAUNCH(sums_read_early<right>, {.grid = 1, .block = 128}, x, y);
  for (const float value : y.values())
    BOOST_TEST(!std::isnan(value));
  VN_LAUNCH(sums_read_early<wrong>, {.grid = 1, .block = 128}, x, y);
  for (const float value : y.values())
    BOOST_TEST(std::isnan(value));
}
BOOST_AUTO_TEST_CASE(fragments_that_are_touched) {
  CHECK_PRODUCT(FaultKind::Registers, fragments_written_early);
}
BOOST_AUTO_TEST_CASE(an_operand_that_is_written) {
  BOOST_TEST(CHECK_PRODUCT(FaultKind::Race, operand_written_early).buffer == "b");
}
BOOST_AUTO_TEST_CASE(a_product_that_nothing_waits_for) {
  CHECK_PRODUCT(FaultKind::UnwaitedCopy, unwaited_product);
}
BOOST_AUTO_TEST_CASE(a_diverged_group) {
  CHECK_PRODUCT(FaultKind::DivergedWarp, diverged_group);
  CHECK_PRODUCT(FaultKind::DivergedWarp, other_operands);
}
BOOST_AUTO_TEST_CASE(a_matrix_out_of_bounds) {
  BOOST_TEST(CHECK_PRODUCT(FaultKind::OutOfBounds, matrix_out_of_bounds).buffer == "b");
}
BOOST_AUTO_TEST_CASE(a_matrix_that_is_not_written) {
  BOOST_TEST(CHECK_PRODUCT(FaultKind::Uninitialised, matrix_unwritten).buffer == "b");
}

BOOST_AUTO_TEST_CASE(a_place_released_too_early) {
  const std::vector<uint32_t> ones(64 * 8, 0x3F803F80);
  const auto run = [&](auto kernel) {
    Array<uint32_t> x(ones, "x");
    Array<float> y(128, "y");
    VN_LAUNCH(kernel, {.grid = 1, .block = 160}, vn::global_as<const vn::bf16>(vn::Global<const uint32_t>(x)),
              y, 48);
    BOOST_TEST(y.values()[77] == 48 * 16);
  };
  // Of the four warps that read, the emulation keeps one.
  const auto expectRace = [&](auto right, auto wrong) {
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      vn::emulation::setSeed(seed);
      run(right);
      const auto report = faultOf([&] { run(wrong); });
      BOOST_REQUIRE_MESSAGE(report, "nothing found with seed " << seed);
      BOOST_TEST(report->kind == FaultKind::Race, report->text());
      BOOST_TEST(report->buffer == "place");
    }
  };
  expectRace(released_early<right>, released_early<wrong>);
  expectRace(released_by_three<right>, released_by_three<wrong>);
}

BOOST_AUTO_TEST_CASE(more_registers_than_there_are) {
  check(FaultKind::Deadlock, "too_many_registers", [](auto fault) {
    Array<float> y(384, "y");
    VN_LAUNCH((too_many_registers<fault.value>), {.grid = 1, .block = 384}, y);
  });
}

// Of a tile that is all written only the numbers tell.
BOOST_AUTO_TEST_CASE(a_wrong_swizzle) {
  const std::vector<uint32_t> values = primitives::wholePairs(64 * 32, 2);
  Array<uint32_t> x(values, "x");
  Array<float> y(64 * 64, "y");
  const vn::TensorMap map = vn::tensor_map(
      vn::TiledTensor{2, {64, 64}, {0, 128}, {64, 64}, {1, 1, 1, 1, 1}, vn::Element::BF16, vn::Swizzle::B128},
      vn::Global<const uint32_t>(x));
  VN_LAUNCH(wrong_matrix_swizzle<right>, {.grid = 1, .block = 128, .shared_bytes = 64 * 128}, map, y);
  const std::vector<float> expected = y.values();
  VN_LAUNCH(wrong_matrix_swizzle<wrong>, {.grid = 1, .block = 128, .shared_bytes = 64 * 128}, map, y);
  BOOST_TEST(y.values() != expected);
}

BOOST_AUTO_TEST_SUITE_END()
