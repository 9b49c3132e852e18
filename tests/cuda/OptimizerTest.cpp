// The optimizer's step, the sum of several steps' gradients and the check of numbers, bit by bit against the
// same arithmetic in a plain loop.
#define BOOST_TEST_MODULE cuda_optimizer
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/optimizer.cuh"
#include "runtime/include/vernier/abi.h"

namespace {

using namespace vn;
using cuda_tests::Numbers;
using cuda_tests::Random;

static_assert(int(Accumulation::Leave) == VN_LEAVE && int(Accumulation::Begin) == VN_BEGIN &&
              int(Accumulation::Add) == VN_ADD && int(Accumulation::End) == VN_END);

bool same(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), 4 * a.size()) == 0;
}

template <Sgd p>
VN_KERNEL(256)
run_sgd(Global<const float> gradient, Global<const float> rate, Global<const float> factor,
        Global<const float> decay, Global<const int> nesterov, Global<const int> trained,
        Global<float> weight, Global<float> momentum, Global<int> not_finite) {
  sgd<p>(gradient, rate, factor, decay, nesterov, trained, weight, momentum, not_finite);
}

// Two steps; `bad` is a weight that has no number, or -1.
template <int count> void checkSgd(bool nesterov, bool trained, int bad) {
  BOOST_TEST_CONTEXT(count << " numbers" << (nesterov ? ", Nesterov's" : "")
                           << (trained ? "" : ", not trained") << ", bad " << bad) {
    constexpr Sgd p{count};
    Random random{count};
    emulation::setSeed(count);
    const float rate = 0.1f, factor = 0.9f, decay = 0.0001f;
    const Numbers<float> rates(std::vector<float>{rate}, "rate"),
        factors(std::vector<float>{factor}, "factor"), decays(std::vector<float>{decay}, "decay"),
        momentum(size_t(count), "momentum", random);
    const Numbers<int> flags(std::vector<int>{nesterov, trained, 0}, "flags");
    const Numbers<float> start(size_t(count), "start", random);
    std::vector<float> weights = start.values, moved = momentum.values;
    if (bad >= 0)
      weights[size_t(bad)] = INFINITY;
    const Numbers<float> weight(weights, "weight");
    for (int step = 0; step < 2; ++step) {
      const Numbers<float> gradient(size_t(count), "gradient", random);
      VN_LAUNCH(run_sgd<p>, launch_of(p), static_cast<float *>(gradient), static_cast<float *>(rates),
                static_cast<float *>(factors), static_cast<float *>(decays), static_cast<int *>(flags),
                static_cast<int *>(flags) + 1, static_cast<float *>(weight), static_cast<float *>(momentum),
                static_cast<int *>(flags) + 2);
      for (size_t i = 0; trained && i < weights.size(); ++i) {
        const float g = std::fma(decay, weights[i], gradient.values[i]);
        moved[i] = std::fma(factor, moved[i], g);
        weights[i] = std::fma(-rate, nesterov ? std::fma(factor, moved[i], g) : moved[i], weights[i]);
      }
    }
    BOOST_TEST(same(momentum.stored(), moved), "momentum");
    BOOST_TEST(same(weight.stored(), weights), "weights");
    BOOST_TEST(flags.stored()[2] == (trained && bad >= 0));
  }
}

template <Accumulate p>
VN_KERNEL(256)
run_accumulate(Global<float> gradient, Global<const int> how, Global<float> sum, Global<int> not_finite) {
  accumulate<p>(gradient, how, sum, not_finite);
}
template <int count> void checkAccumulate() {
  BOOST_TEST_CONTEXT(count << " numbers") {
    constexpr Accumulate p{count};
    Random random{count};
    emulation::setSeed(count);
    const Numbers<float> first(size_t(count), "first", random), second(size_t(count), "second", random),
        last(size_t(count), "last"), sum(size_t(count), "sum");
    const Numbers<int> bad(std::vector<int>{0}, "not finite");
    const auto launchOf = [&](const Numbers<float> &gradient, Accumulation how) {
      const Numbers<int> flag(std::vector<int>{int(how)}, "how");
      VN_LAUNCH(run_accumulate<p>, launch_of(p), static_cast<float *>(gradient), static_cast<int *>(flag),
                static_cast<float *>(sum), static_cast<int *>(bad));
    };
    // What the sum was before does not count: it need not be written yet.
    launchOf(first, Accumulation::Begin);
    BOOST_TEST(same(sum.stored(), first.values), "begin");
    launchOf(second, Accumulation::Add);
    std::vector<float> both;
    for (size_t i = 0; i < size_t(count); ++i)
      both.push_back(first.values[i] + second.values[i]);
    BOOST_TEST(same(sum.stored(), both), "add");
    launchOf(second, Accumulation::Leave);
    BOOST_TEST(same(sum.stored(), both), "leave");
    BOOST_TEST(same(second.stored(), second.values), "leave");
    launchOf(last, Accumulation::End);
    BOOST_TEST(same(last.stored(), both), "end");
    BOOST_TEST(bad.stored()[0] == 0);

    std::vector<float> infinite(size_t(count), 1.0f);
    infinite[size_t(random.between(0, count - 1))] = -INFINITY;
    const Numbers<float> worst(infinite, "worst");
    launchOf(worst, Accumulation::Leave);
    BOOST_TEST(bad.stored()[0] == 0);
    launchOf(worst, Accumulation::Add);
    BOOST_TEST(bad.stored()[0] == 1);
  }
}

template <CheckFinite p> VN_KERNEL(256) run_check(Global<const float> numbers, Global<int> not_finite) {
  check_finite<p>(numbers, not_finite);
}
template <int count> void checkFinite(const std::vector<float> &some, bool finite) {
  BOOST_TEST_CONTEXT(count << " numbers") {
    constexpr CheckFinite p{count};
    Random random{count};
    std::vector<float> numbers(size_t(count), 3.4e38f);
    for (const float number : some)
      numbers[size_t(random.between(0, count - 1))] = number;
    const Numbers<float> memory(numbers, "numbers");
    const Numbers<int> bad(std::vector<int>{0}, "not finite");
    VN_LAUNCH(run_check<p>, launch_of(p), static_cast<float *>(memory), static_cast<int *>(bad));
    BOOST_TEST(bad.stored()[0] == !finite);
  }
}
template <int count> void checkFiniteAll() {
  checkFinite<count>({0}, true);
  checkFinite<count>({NAN}, false);
  checkFinite<count>({INFINITY}, false);
  checkFinite<count>({-INFINITY}, false);
}

template <int... counts> void checkSgdAll() {
  (checkSgd<counts>(false, true, -1), ...);
  (checkSgd<counts>(true, true, -1), ...);
  (checkSgd<counts>(true, true, counts - 1), ...);
  (checkSgd<counts>(false, false, counts / 2), ...);
}

} // namespace

BOOST_AUTO_TEST_CASE(steps) { checkSgdAll<1, 31, 256, 1000, 1024, 5003>(); }
BOOST_AUTO_TEST_CASE(sums_of_gradients) {
  checkAccumulate<1>();
  checkAccumulate<33>();
  checkAccumulate<1025>();
  checkAccumulate<4096>();
}
BOOST_AUTO_TEST_CASE(finite_numbers) {
  checkFiniteAll<1>();
  checkFiniteAll<64>();
  checkFiniteAll<777>();
  checkFiniteAll<6000>();
}
// In every block at once.
BOOST_AUTO_TEST_CASE(nothing_is_finite) {
  constexpr CheckFinite p{5000};
  const Numbers<float> memory(std::vector<float>(5000, NAN), "numbers");
  const Numbers<int> bad(std::vector<int>{0}, "not finite");
  for (uint64_t order = 0; order < 3; ++order) {
    emulation::setSeed(order);
    VN_LAUNCH(run_check<p>, launch_of(p), static_cast<float *>(memory), static_cast<int *>(bad));
    BOOST_TEST(bad.stored()[0] == 1);
  }
}
