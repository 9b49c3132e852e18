// Running statistics from images: those of the configuration, to the last digits of a sum in double, and
// nothing else.
#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include "runtime/io/Npy.h"
#include "runtime/io/Safetensors.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/Recalibrate.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace vernier::runtime;
using namespace vernier::test;

using Fake = FakeModel<2, 1, 2, 3, 4>;

/// `count` arrays of random numbers around 1000; the mean of all is known.
static double makeArrays(ArrayDataset &dataset, int count) {
  dataset.shape = {1, 2, 3};
  dataset.labels.assign(size_t(count), 1);
  double sum = 0;
  uint32_t random = 7;
  for (int i = 0; i < 6 * count; ++i) {
    random = random * 1664525 + 1013904223;
    dataset.values.push_back(1000 + float(random >> 8) * 0x1p-20f);
    sum += double(dataset.values.back());
  }
  return sum / (6 * count);
}

static Preprocessing preprocessingOf(const vn_model &model) { return Preprocessing(model); }

BOOST_AUTO_TEST_SUITE(recalibration)

BOOST_AUTO_TEST_CASE(statistics_are_the_images_and_weights_stay) {
  ArrayDataset dataset;
  const double mean = makeArrays(dataset, 40);
  Session session(Fake::model, {.threads = 2, .training = true});
  initializeWeights(session, {.seed = 3});
  setFirst(session, Fake::parameters[0], -77); // of no use, whatever it is
  const std::vector<float> weight = session.read(Fake::parameters[1]),
                           bias = session.read(Fake::parameters[2]);
  const Recalibration result = recalibrate(session, dataset, preprocessingOf(Fake::model), {.images = 1000});
  BOOST_TEST(result.images == 40);
  BOOST_TEST(result.batches == 20);
  BOOST_TEST((result.changed == std::vector<bool>{true, false, false}));
  BOOST_TEST(double(firstOf(session, Fake::parameters[0])) == mean, boost::test_tools::tolerance(3e-7));
  BOOST_TEST(session.read(Fake::parameters[1]) == weight);
  BOOST_TEST(session.read(Fake::parameters[2]) == bias);
  // Fewer images: whole batches of those that are drawn, the same ones again.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto some = [&](uint64_t seed) {
      const Recalibration part =
          recalibrate(session, dataset, preprocessingOf(Fake::model), {.images = 7, .seed = seed});
      BOOST_TEST(part.images == 6);
      return firstOf(session, Fake::parameters[0]);
    };
    const float first = some(1);
    BOOST_TEST(first != some(2));
    BOOST_TEST(first == some(1));
  }
}

BOOST_AUTO_TEST_CASE(other_configurations_keep_theirs) {
  static constexpr vn_model open = Fake::openModel();
  ArrayDataset dataset;
  const double mean = makeArrays(dataset, 8);
  Session session(open, {.threads = 1, .training = true});
  initializeWeights(session, {});
  setFirst(session, Fake::parameters[0], 5);
  session.choose(Choices{1}); // takes its images as they are: it has no statistic
  const Recalibration none = recalibrate(session, dataset, preprocessingOf(open), {});
  BOOST_TEST(std::ranges::count(none.changed, true) == 0);
  BOOST_TEST(firstOf(session, Fake::parameters[0]) == 5);
  session.choose(Choices{0});
  recalibrate(session, dataset, preprocessingOf(open), {});
  BOOST_TEST(double(firstOf(session, Fake::parameters[0])) == mean, boost::test_tools::tolerance(3e-7));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_used_changes_nothing) {
  ArrayDataset dataset;
  makeArrays(dataset, 8);
  Session session(Fake::model, {.threads = 1, .training = true});
  initializeWeights(session, {});
  setFirst(session, Fake::parameters[0], 5);
  expectError(VN_ERROR_VALUE, "1 image does not fill one batch of 2",
              [&] { recalibrate(session, dataset, preprocessingOf(Fake::model), {.images = 1}); });
  dataset.values[13] = std::numeric_limits<float>::infinity();
  expectError(VN_ERROR_VALUE, "statistic `norm.running_mean` would hold inf at [0]",
              [&] { recalibrate(session, dataset, preprocessingOf(Fake::model), {}); });
  BOOST_TEST(firstOf(session, Fake::parameters[0]) == 5);
}

// The command: what the file holds beside the model's statistics goes on.
BOOST_AUTO_TEST_CASE(the_command_writes_weights) {
  TemporaryFolder folder;
  writeIdxDataset(folder / "data", 100);
  std::vector<float> weight(7840, 0.5f);
  const std::vector<float> bias = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, mean = {1e6f}, counter = {3};
  weight[5] = -0.0f;
  writeSafetensors(folder / "w",
                   {{"fc.weight", {10, 784}, weight},
                    {"fc.bias", {10}, bias},
                    {"norm.running_mean", {1}, mean},
                    {"norm.num_batches_tracked", {1}, counter}},
                   {{"vernier.mean", "0.25"}, {"vernier.std", "0.5"}});
  const std::vector<std::string> command = {"recalibrate", "--data", folder / "data", "--weights",
                                            folder / "w",  "-o",     folder / "new"};
  const Outcome outcome = runFakeModel(command);
  BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  BOOST_TEST(outcome.out == "1 batch norm from 96 images (12 batches of 8): " + folder / "new" + "\n");
  const Safetensors before = Safetensors::read(folder / "w"), after = Safetensors::read(folder / "new");
  BOOST_TEST(after.tensors().size() == 4u);
  for (const Safetensors::Tensor &tensor : after.tensors()) {
    const size_t count = (tensor.end - tensor.begin) / 4;
    std::vector<float> was(count), is(count);
    before.copyFloats(*before.find(tensor.name), was.data());
    after.copyFloats(tensor, is.data());
    const bool same = std::memcmp(was.data(), is.data(), 4 * count) == 0;
    BOOST_TEST(same == (tensor.name != "norm.running_mean"), tensor.name);
    if (!same)
      BOOST_TEST(std::abs(is[0]) < 2);
  }
  BOOST_TEST(after.metadata().at("vernier.mean") == "0.25");
  BOOST_TEST(after.metadata().at("vernier.recalibrated") == "96 images");
  std::vector<std::string> few = command;
  few.insert(few.end(), {"--images", "7"});
  const Outcome refused = runFakeModel(few);
  BOOST_TEST(refused.status == 1);
  BOOST_TEST(refused.err.starts_with("error: 7 images do not fill one batch of 8\n"), refused.err);
}

BOOST_AUTO_TEST_SUITE_END()
