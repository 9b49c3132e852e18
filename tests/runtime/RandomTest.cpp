#include "tests/runtime/Support.h"

#include "runtime/core/Random.h"
#include "runtime/data/Loader.h"

#include <algorithm>
#include <cmath>

using namespace vernier::runtime;
using namespace vernier::test;

BOOST_AUTO_TEST_SUITE(random_numbers)

// The known answers that come with Random123.
BOOST_AUTO_TEST_CASE(philox_known_answers) {
  using Block = std::array<uint32_t, 4>;
  BOOST_TEST((philox({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t ones = 0xffffffff;
  BOOST_TEST((philox({ones, ones, ones, ones}, {ones, ones}) ==
              Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  BOOST_TEST((philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

BOOST_AUTO_TEST_CASE(streams_differ_in_each_coordinate) {
  auto first = [](uint64_t seed, RandomPurpose purpose, uint32_t epoch, uint64_t index) {
    return RandomStream(seed, purpose, epoch, index).bits();
  };
  const std::vector<uint32_t> values = {first(1, RandomPurpose::Shuffle, 0, 0),
                                        first(2, RandomPurpose::Shuffle, 0, 0),
                                        first(uint64_t(1) << 40, RandomPurpose::Shuffle, 0, 0),
                                        first(1, RandomPurpose::Augmentation, 0, 0),
                                        first(1, RandomPurpose::Shuffle, 1, 0),
                                        first(1, RandomPurpose::Shuffle, 0, 1),
                                        first(1, RandomPurpose::Shuffle, 0, uint64_t(1) << 40)};
  for (size_t i = 0; i < values.size(); ++i)
    BOOST_TEST(std::ranges::count(values, values[i]) == 1);
  BOOST_TEST(first(1, RandomPurpose::Shuffle, 3, 4) == first(1, RandomPurpose::Shuffle, 3, 4));
}

BOOST_AUTO_TEST_CASE(distributions) {
  RandomStream random(9, RandomPurpose::Initialization, 0, 0);
  double sum = 0, squares = 0, uniform = 0;
  int histogram[7] = {};
  for (int i = 0; i < 70000; ++i) {
    const double normal = double(random.normal());
    sum += normal, squares += normal * normal;
    uniform += double(random.uniform());
    ++histogram[random.below(7)];
  }
  BOOST_TEST(std::abs(sum / 70000) < 0.02);
  BOOST_TEST(std::abs(squares / 70000 - 1) < 0.02);
  BOOST_TEST(std::abs(uniform / 70000 - 0.5) < 0.01);
  for (int count : histogram)
    BOOST_TEST(std::abs(count - 10000) < 400);
}

BOOST_AUTO_TEST_CASE(shuffling_is_a_permutation_of_its_own_in_each_epoch) {
  const std::vector<int64_t> one = shuffledOrder(1000, 7, 0), other = shuffledOrder(1000, 7, 1);
  BOOST_TEST(one != other);
  BOOST_TEST(one == shuffledOrder(1000, 7, 0));
  for (std::vector<int64_t> order : {one, other}) {
    std::ranges::sort(order);
    for (int64_t i = 0; i < 1000; ++i)
      BOOST_REQUIRE(order[size_t(i)] == i);
  }
  BOOST_TEST(shuffledOrder(0, 7, 0).empty());
}

BOOST_AUTO_TEST_SUITE_END()
