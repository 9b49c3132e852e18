// A kernel and its wrong twin, and the fault that the emulation must find.
#ifndef VERNIER_TESTS_CUDA_FAULTS_H
#define VERNIER_TESTS_CUDA_FAULTS_H

#include "Primitives.cuh"

#include <optional>

using vn::emulation::Fault;
using vn::emulation::FaultKind;
using vn::emulation::Report;

namespace vn::emulation {
inline std::ostream &boost_test_print_type(std::ostream &out, FaultKind kind) { return out << nameOf(kind); }
} // namespace vn::emulation

template <class F> std::optional<Report> faultOf(const F &run) {
  try {
    run();
  } catch (const Fault &fault) {
    BOOST_TEST_MESSAGE(fault.what());
    return fault.report;
  }
  return std::nullopt;
}

// Whatever the order, the right twin passes and the wrong one does not. `run` is told whether to run the
// wrong one.
template <class F> Report check(FaultKind kind, const std::string &kernel, const F &run) {
  std::optional<Report> last;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    vn::emulation::setSeed(seed);
    run(std::bool_constant<false>());
    last = faultOf([&] { run(std::bool_constant<true>()); });
    BOOST_REQUIRE_MESSAGE(last, kernel << ": nothing found with seed " << seed);
    BOOST_TEST(last->kind == kind, last->text());
    BOOST_TEST(last->kernel.find(kernel) == 0, last->text());
    BOOST_TEST(last->text().find("kernel `" + kernel) == 0);
  }
  // And nothing is left of it: launches go on.
  run(std::bool_constant<false>());
  return *last;
}

inline std::vector<float> counted(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = float(i + 1);
  return values;
}

#endif
