// Verdicts on comparisons, and random choices that are the same everywhere.
#ifndef VERNIER_TESTS_CODEGEN_CHECK_H
#define VERNIER_TESTS_CODEGEN_CHECK_H

#include "codegen/cpu/Target.h"
#include "runtime/device/cpu/CpuFeatures.h"
#include "tests/codegen/Compare.h"
#include "tests/codegen/Network.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <vector>

namespace vernier::tests {

constexpr double kOneOp = 2e-6, kWholeNetwork = 1e-5; // relative L2 in float32

// Of one op whose operands were rounded to bfloat16, and of a network of them.
constexpr double kOneOpBFloat16 = 4e-3, kWholeNetworkBFloat16 = 2e-2;

// Every output, gradient and statistic is within `tolerance`.
inline void checkNetwork(const Network &net, const CompareOptions &options, double tolerance) {
  const Comparison found = compareWithInterpreter(net.text(), options);
  BOOST_TEST(found.error == "");
  BOOST_TEST(!found.differences.empty());
  bool good = found.error.empty();
  for (const auto &[name, difference] : found.differences) {
    BOOST_TEST(difference <= tolerance, name << " differs by " << difference);
    good &= difference <= tolerance;
  }
  if (!good)
    BOOST_TEST_MESSAGE("target " << options.target << ", seed " << options.seed << ", threads "
                                 << options.threads << "\n"
                                 << net.text());
}

// Of `names` those that this machine runs.
inline std::vector<std::string> runningTargets(const std::vector<std::string> &names) {
  std::vector<std::string> found;
  for (const std::string &name : names)
    if (runtime::missingCpuFeatures(codegen::makeTarget(name)->required).empty())
      found.push_back(name);
    else
      BOOST_TEST_MESSAGE("this CPU does not run " << name);
  return found;
}

// In bfloat16, on every target that this machine runs, with numbers that make it exact; then at random.
inline void checkBFloat16(const Network &net, int64_t wholeNumbers, double tolerance = kOneOpBFloat16) {
  for (const std::string &target : runningTargets({"avx512bf16", "avx512", "avx2", "sse"}))
    checkNetwork(net, {.target = target, .maps = codegen::Element::BF16, .wholeNumbers = wholeNumbers},
                 kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, tolerance);
}

// Unlike the standard distributions the same with every library.
class Choice {
public:
  explicit Choice(unsigned seed) : engine(seed) {}
  int64_t in(int64_t low, int64_t high) { return low + int64_t(engine() % uint64_t(high - low + 1)); }
  bool yes() { return in(0, 1); }
  template <typename T> T of(const std::vector<T> &values) {
    return values[size_t(in(0, int64_t(values.size()) - 1))];
  }

private:
  std::mt19937 engine;
};

} // namespace vernier::tests

#endif
