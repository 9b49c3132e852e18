// How a model with open holes is trained: which configurations an update runs, and what becomes of their
// gradients.
#include "runtime/train/Sampling.h"
#include "runtime/core/IoArrays.h"
#include "runtime/train/GradientSum.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/Sgd.h"
#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include <array>
#include <map>
#include <set>

using namespace vernier::runtime;
using namespace vernier::test;

namespace {

/// A model of which only the holes matter.
struct Holes {
  std::vector<std::vector<double>> choices;
  std::vector<vn_hole> holes;
  vn_model model{};

  explicit Holes(std::vector<int64_t> counts) {
    for (int64_t count : counts)
      choices.emplace_back(size_t(count), 1.0);
    for (const auto &list : choices)
      holes.push_back({"f", list.data(), int64_t(list.size())});
    model.holes = holes.data();
    model.num_holes = int64_t(holes.size());
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(sampling)

// Algorithm 1: in every update each choice of each hole comes exactly once.
BOOST_AUTO_TEST_CASE(fair_sampling_takes_each_choice_once) {
  const Holes holes({4, 4, 4});
  std::set<Choices> seen;
  for (int64_t update = 0; update < 500; ++update) {
    const auto configurations = sampleConfigurations(holes.model, Sampling::Fair, 7, update);
    BOOST_REQUIRE(configurations.size() == 4u);
    for (size_t hole = 0; hole < 3; ++hole) {
      std::set<int64_t> choices;
      for (const Choices &configuration : configurations)
        choices.insert(configuration[hole]);
      BOOST_TEST(choices.size() == 4u);
    }
    seen.insert(configurations.begin(), configurations.end());
  }
  BOOST_TEST(seen.size() == 64u); // orders are independent: every configuration is trained
}

// Of a hole with fewer choices none comes twice more often than another, and over time all as often.
BOOST_AUTO_TEST_CASE(fair_sampling_of_unequal_holes) {
  const Holes holes({5, 2, 1});
  std::map<int64_t, int> count;
  for (int64_t update = 0; update < 2000; ++update) {
    std::array<int, 2> here{};
    for (const Choices &configuration : sampleConfigurations(holes.model, Sampling::Fair, 1, update)) {
      ++here[size_t(configuration[1])];
      BOOST_TEST(configuration[2] == 0);
    }
    BOOST_TEST(here[0] + here[1] == 5);
    BOOST_TEST(std::abs(here[0] - here[1]) == 1);
    count[0] += here[0], count[1] += here[1];
  }
  BOOST_TEST(std::abs(count[0] - count[1]) < 200); // four deviations of 2000 fair coins
}

BOOST_AUTO_TEST_CASE(random_sampling_is_uniform_but_not_fair) {
  const Holes holes({4, 4});
  std::array<int, 16> count{};
  int unfair = 0;
  for (int64_t update = 0; update < 4000; ++update) {
    std::set<int64_t> first;
    for (const Choices &configuration : sampleConfigurations(holes.model, Sampling::Random, 3, update)) {
      ++count[size_t(configuration[0] * 4 + configuration[1])];
      first.insert(configuration[0]);
    }
    unfair += first.size() < 4;
  }
  for (int times : count)
    BOOST_TEST(std::abs(times - 1000) < 160); // five deviations
  BOOST_TEST(unfair > 3500);                  // 1 - 4! / 4^4 of them
}

BOOST_AUTO_TEST_CASE(sampling_is_a_function_of_seed_and_update) {
  const Holes holes({4, 4});
  for (const Sampling kind : {Sampling::Fair, Sampling::Random}) {
    const auto once = sampleConfigurations(holes.model, kind, 5, 17);
    BOOST_TEST((once == sampleConfigurations(holes.model, kind, 5, 17)));
    BOOST_TEST((once != sampleConfigurations(holes.model, kind, 5, 18) ||
                once != sampleConfigurations(holes.model, kind, 5, 19)));
    BOOST_TEST((once != sampleConfigurations(holes.model, kind, 6, 17) ||
                once != sampleConfigurations(holes.model, kind, 7, 17)));
  }
}

// The sum of what the configurations give on their own; the running mean moves only with the choice that has
// it.
BOOST_AUTO_TEST_CASE(gradients_of_configurations_add_up) {
  using Fake = FakeModel<5, 3, 4, 6, 7>;
  const vn_model open = Fake::openModel();
  Session session(open, {.threads = 2, .training = true});
  initializeWeights(session, {});
  IoArrays arrays(open.train_step);
  const auto image = arrays.floats("image");
  for (size_t i = 0; i < image.size(); ++i)
    image[i] = float(i % 17) / 17;
  for (size_t i = 0; i < 5; ++i)
    arrays.ints("labels")[i] = int32_t(i);

  std::vector<double> expected;
  GradientSum sum(session);
  for (const int64_t choice : {0, 1}) {
    setFirst(session, Fake::parameters[0], 0.125f);
    session.choose(Choices{choice});
    session.trainStep(arrays.pointers());
    BOOST_TEST((firstOf(session, Fake::parameters[0]) == 0.125f) == (choice == 1));
    const std::vector<float> gradient = session.readGradient(Fake::parameters[1]);
    expected.resize(gradient.size());
    for (size_t i = 0; i < gradient.size(); ++i)
      expected[i] += double(gradient[i]);
    BOOST_TEST(add(session, sum));
  }
  fillGradient(session, Fake::parameters[1], 0);
  finish(session, sum);
  const std::vector<float> added = session.readGradient(Fake::parameters[1]);
  for (size_t i = 0; i < expected.size(); ++i)
    BOOST_TEST(std::abs(double(added[i]) - expected[i]) < 1e-6);
  BOOST_TEST(sum.added() == (std::vector<bool>{false, true, true}));
  sum.clear();
  BOOST_TEST(sum.added() == (std::vector<bool>{false, false, false}));
  BOOST_TEST(add(session, sum));
  finish(session, sum); // begins anew
  BOOST_TEST(double(session.readGradient(Fake::parameters[1])[3]) != expected[3]);
}

// A parameter that no configuration had keeps its value: no weight decay, no momentum.
BOOST_AUTO_TEST_CASE(untrained_parameters_stay) {
  using Fake = FakeModel<1, 1, 1, 1, 1>;
  Session session(Fake::model, {.threads = 1, .training = true});
  initializeWeights(session, {});
  Recipe::Optimizer options;
  options.weightDecay = 0.1;
  Sgd optimizer(session, options);
  const std::vector<bool> trained = {false, true, false};
  for (const int i : {1, 2}) {
    setFirst(session, Fake::parameters[i], 1);
    setGradient(session, Fake::parameters[i], 0, 1);
  }
  BOOST_TEST(vernier::test::update(session, optimizer, 0.5, &trained));
  BOOST_TEST(firstOf(session, Fake::parameters[1]) == 0.45f);
  BOOST_TEST(firstOf(session, Fake::parameters[2]) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
