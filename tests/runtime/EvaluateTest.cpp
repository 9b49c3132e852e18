// What counts as right, also where logits are not finite.
#include "runtime/train/Evaluate.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <vector>

using namespace vernier::runtime;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                kInfinity = std::numeric_limits<float>::infinity();

int64_t rank(const std::vector<float> &logits, int64_t label) { return rankOf(logits, label); }

} // namespace

BOOST_AUTO_TEST_SUITE(evaluation)

BOOST_AUTO_TEST_CASE(ranks) {
  BOOST_TEST(rank({1, 3, 2}, 1) == 0);
  BOOST_TEST(rank({1, 3, 2}, 0) == 2);
  BOOST_TEST(rank({2, 2, 2}, 1) == 1); // equal ones in their order
  BOOST_TEST(rank({1, kInfinity, 2}, 1) == 0);
  BOOST_TEST(rank({-kInfinity, 3, 2}, 0) == 2);
}

// The largest number beside a NaN is not the answer, and neither is the NaN.
BOOST_AUTO_TEST_CASE(ranks_beside_nan) {
  BOOST_TEST(rank({1, 3, kNaN}, 1) == 1);
  BOOST_TEST(rank({kNaN, kNaN, kNaN, kNaN, kNaN, 3}, 5) == 5);
  BOOST_TEST(rank({1, kNaN, 2}, 1) == 3);
  BOOST_TEST(rank({kNaN, kNaN}, 0) == 2);
}

BOOST_AUTO_TEST_CASE(images_that_are_not_finite_are_counted) {
  AccuracyMeter meter;
  meter.add(std::vector<float>{1, 3}, 1);
  meter.add(std::vector<float>{kNaN, 3}, 1);
  meter.add(std::vector<float>{1, kInfinity}, 1);
  const Accuracy accuracy = meter.result();
  BOOST_TEST(accuracy.images == 3);
  BOOST_TEST(accuracy.notFinite == 2);
  BOOST_TEST(accuracy.top1 == 2.0 / 3);
  BOOST_TEST(std::isnan(accuracy.loss));
}

BOOST_AUTO_TEST_SUITE_END()
