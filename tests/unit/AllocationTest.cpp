// Laws of Algorithm 1 on random blocks, and small blocks worked out by hand.
#define BOOST_TEST_MODULE allocation
#include <boost/test/included/unit_test.hpp>

#include "compiler/analysis/Allocation.h"
#include <algorithm>
#include <cmath>
#include <random>

using namespace vernier::compiler;

using Channels = std::vector<int64_t>;

static std::vector<int64_t> select(const std::vector<Scale> &scales, int64_t limit, double exponent = 0) {
  return countChannels(selectNeurons(scales, limit, exponent), scales.size());
}

static Scale scaleOf(int64_t cost, std::vector<double> gammas) {
  return {int64_t(gammas.size()), cost, cost, std::move(gammas)};
}

// Few distinct gammas, so that ties are common.
static std::vector<Scale> randomBlock(std::mt19937 &random) {
  auto upTo = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
  std::vector<Scale> scales(size_t(1 + upTo(3)));
  for (Scale &scale : scales) {
    scale.cost = 1 + upTo(60);
    scale.macs = 1 + upTo(1000);
    scale.channels = 1 + upTo(11);
    for (int64_t i = 0; i < scale.channels; ++i)
      scale.gammas.push_back((upTo(20) - 10) / 10.0);
  }
  return scales;
}

static double importanceOf(const std::vector<Scale> &scales, Neuron neuron, double exponent) {
  const Scale &scale = scales[neuron.scale];
  return std::abs(scale.gammas[neuron.channel]) / std::pow(double(scale.macs), exponent);
}

BOOST_AUTO_TEST_SUITE(greedy)

BOOST_AUTO_TEST_CASE(example_of_the_header) {
  const std::vector<Scale> scales = {scaleOf(4, {0.9, 0.5, 0.4}), scaleOf(1, {0.8, 0.1})};
  const std::vector<Neuron> order = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
  BOOST_TEST((selectNeurons(scales, 10) == order));
  BOOST_TEST(select(scales, 10) == (Channels{2, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(signs_do_not_matter) {
  const std::vector<Scale> scales = {scaleOf(1, {-0.9, 0.1}), scaleOf(1, {0.5, -0.6})};
  const std::vector<Neuron> order = {{0, 0}, {1, 1}, {1, 0}};
  BOOST_TEST((selectNeurons(scales, 3) == order));
}

BOOST_AUTO_TEST_CASE(exponent_prefers_cheap_neurons) {
  const std::vector<Scale> scales = {scaleOf(4, {0.9, 0.5, 0.4}), scaleOf(1, {0.8, 0.1})};
  // |gamma| / O: 0.225, 0.125, 0.1 and 0.8, 0.1
  const std::vector<Neuron> order = {{1, 0}, {0, 0}, {0, 1}, {1, 1}};
  BOOST_TEST((selectNeurons(scales, 10, 1) == order));
  // A negative exponent prefers dear ones: 3.6, 2, 1.6 and 0.8, 0.1
  BOOST_TEST(select(scales, 12, -1) == (Channels{3, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(importance_counts_operations_even_if_the_budget_does_not) {
  // The budget counts neurons.
  const std::vector<Scale> scales = {{2, 1, 100, {0.9, 0.8}}, {2, 1, 1, {0.7, 0.6}}};
  BOOST_TEST(select(scales, 2) == (Channels{2, 0}), boost::test_tools::per_element());
  BOOST_TEST(select(scales, 2, 0.5) == (Channels{0, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(ties_go_to_the_lower_scale_then_the_lower_channel) {
  const std::vector<Scale> scales = {scaleOf(1, {0.5, 0.5}), scaleOf(1, {0.5, 0.5})};
  const std::vector<Neuron> order = {{0, 0}, {0, 1}, {1, 0}};
  BOOST_TEST((selectNeurons(scales, 3) == order));
  BOOST_TEST((selectNeurons(scales, 3, 0.7) == order));
}

BOOST_AUTO_TEST_CASE(a_limit_may_pay_for_all_or_nothing) {
  const std::vector<Scale> scales = {scaleOf(4, {0.9, 0.5}), scaleOf(2, {0.8})};
  BOOST_TEST(select(scales, 1000) == (Channels{2, 1}), boost::test_tools::per_element());
  BOOST_TEST(select(scales, 1) == (Channels{0, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(laws_on_random_blocks) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const std::vector<Scale> scales = randomBlock(random);
    const int64_t limit = std::uniform_int_distribution<int>(0, 900)(random);
    const double exponent = std::uniform_int_distribution<int>(-1, 2)(random) * 0.5;
    const std::vector<Neuron> selected = selectNeurons(scales, limit, exponent);
    const Channels channels = countChannels(selected, scales.size());
    BOOST_TEST_REQUIRE(costOf(scales, channels) <= limit);
    BOOST_TEST_REQUIRE((selectNeurons(scales, limit, exponent) == selected));

    auto before = [&](Neuron a, Neuron b) {
      const double x = importanceOf(scales, a, exponent), y = importanceOf(scales, b, exponent);
      return x != y ? x > y : a < b;
    };
    BOOST_TEST_REQUIRE(std::is_sorted(selected.begin(), selected.end(), before));
    // Whatever was left out does not fit beside the more important ones that were taken.
    for (size_t scale = 0; scale < scales.size(); ++scale)
      for (int64_t channel = 0; channel < scales[scale].channels; ++channel) {
        const Neuron left{scale, channel};
        if (std::find(selected.begin(), selected.end(), left) != selected.end())
          continue;
        int64_t spent = 0;
        for (Neuron neuron : selected)
          spent += before(neuron, left) ? scales[neuron.scale].cost : 0;
        BOOST_TEST_REQUIRE(spent + scales[scale].cost > limit);
      }
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(even)

BOOST_AUTO_TEST_CASE(as_many_as_fit_at_each_scale) {
  const std::vector<Scale> scales = {{64, 16, 16, {}}, {64, 4, 4, {}}, {64, 1, 1, {}}};
  BOOST_TEST(allocateEvenly(scales, 210) == (Channels{10, 10, 10}), boost::test_tools::per_element());
  // What is left goes to the scales that it pays for, tried in order.
  BOOST_TEST(allocateEvenly(scales, 226) == (Channels{11, 10, 10}), boost::test_tools::per_element());
  BOOST_TEST(allocateEvenly(scales, 215) == (Channels{10, 11, 11}), boost::test_tools::per_element());
  BOOST_TEST(allocateEvenly(scales, 0) == (Channels{0, 0, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(never_more_than_the_seed) {
  const std::vector<Scale> scales = {{2, 1, 1, {}}, {5, 1, 1, {}}};
  BOOST_TEST(allocateEvenly(scales, 6) == (Channels{2, 4}), boost::test_tools::per_element());
  BOOST_TEST(allocateEvenly(scales, 100) == (Channels{2, 5}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(laws_on_random_blocks) {
  std::mt19937 random(8);
  for (int round = 0; round < 2000; ++round) {
    const std::vector<Scale> scales = randomBlock(random);
    const int64_t limit = std::uniform_int_distribution<int>(0, 900)(random);
    const Channels channels = allocateEvenly(scales, limit);
    BOOST_TEST_REQUIRE(costOf(scales, channels) <= limit);
    int64_t least = INT64_MAX, most = 0;
    for (size_t scale = 0; scale < scales.size(); ++scale) {
      BOOST_TEST_REQUIRE(channels[scale] <= scales[scale].channels);
      most = std::max(most, channels[scale]);
      if (channels[scale] < scales[scale].channels)
        least = std::min(least, channels[scale]);
    }
    BOOST_TEST_REQUIRE((least == INT64_MAX || most - least <= 1));
  }
}

BOOST_AUTO_TEST_SUITE_END()
