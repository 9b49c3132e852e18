// What is not finite is found wherever it is, named, and never used or written without a word.
#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include "runtime/core/Finite.h"
#include "runtime/core/Shape.h"
#include "runtime/io/Npy.h"
#include "runtime/io/Weights.h"
#include "runtime/train/GradientSum.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/Sgd.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace vernier::runtime;
using namespace vernier::test;

namespace fs = std::filesystem;

using Fake = FakeModel<2, 1, 100, 200, 4>; // parameters of several chunks

static const float infinity = std::numeric_limits<float>::infinity(), nan_ = std::nanf("");

static void expectFailure(const Outcome &outcome, std::initializer_list<std::string> texts) {
  BOOST_TEST(outcome.status == 1);
  BOOST_TEST(outcome.err.starts_with("error: "), outcome.err);
  for (const std::string &text : texts)
    BOOST_TEST(outcome.err.find(text) != std::string::npos, "`" << text << "` is not in\n" << outcome.err);
}

BOOST_AUTO_TEST_SUITE(finiteness)

BOOST_AUTO_TEST_CASE(every_place_and_kind_is_found) {
  const std::vector<int64_t> shape = {5, 7};
  for (size_t i = 0; i < 35; ++i)
    for (float bad : {nan_, -nan_, infinity, -infinity}) {
      std::vector<float> values(35, std::numeric_limits<float>::max());
      BOOST_TEST(allFinite(values));
      values[i] = bad;
      BOOST_TEST(!allFinite(values));
      BOOST_TEST(findNonFinite(values).first == int64_t(i));
    }
  std::vector<float> values(35);
  BOOST_TEST(!findNonFinite(values));
  values[8] = -infinity;
  BOOST_TEST(nonFiniteText(findNonFinite(values), shape) == "-inf at [1, 1], the only one of 35 elements");
  values[34] = nan_;
  BOOST_TEST(nonFiniteText(findNonFinite(values), shape) ==
             "-inf at [1, 1], the first of 2 among 35 elements");
}

BOOST_AUTO_TEST_CASE(an_update_tells_of_gradients_and_weights_that_are_not_finite) {
  for (bool nesterov : {false, true})
    for (double rate : {0.1, 0.0}) {
      Session session(Fake::model, {.threads = 2, .training = true});
      Recipe::Optimizer options;
      options.nesterov = nesterov;
      const auto update = [&](auto &&change) {
        initializeWeights(session, {});
        Sgd optimizer(session, options);
        for (const vn_parameter &parameter : Fake::parameters)
          if (parameter.space == VN_SPACE_PARAMETERS)
            fillGradient(session, parameter, 0.5f);
        change();
        return vernier::test::update(session, optimizer, rate);
      };
      BOOST_TEST(update([] {}));
      const vn_parameter &weight = Fake::parameters[1];
      for (size_t i : {size_t(0), size_t(16383), size_t(16384), size_t(elementCount(weight)) - 1})
        for (float bad : {nan_, infinity, -infinity})
          BOOST_TEST(!update([&] { setGradient(session, weight, i, bad); }), "element " << i << ", " << bad);
      BOOST_TEST(!update([&] { fill(session, Fake::parameters[2], infinity); }));
      BOOST_TEST(!update([&] { fill(session, Fake::parameters[0], nan_); })); // a running statistic
    }
}

BOOST_AUTO_TEST_CASE(a_sum_tells_of_the_gradients_that_it_takes) {
  static constexpr vn_model open = Fake::openModel();
  Session session(open, {.threads = 1, .training = true});
  initializeWeights(session, {});
  GradientSum sum(session);
  fillGradient(session, Fake::parameters[1], 0.5f);
  fillGradient(session, Fake::parameters[2], 0.5f);
  sum.clear();
  BOOST_TEST(add(session, sum));
  setGradient(session, Fake::parameters[2], 1, -infinity);
  BOOST_TEST(!add(session, sum)); // the second, which is added
  sum.clear();
  BOOST_TEST(!add(session, sum)); // the first, which is copied
}

// After a good epoch the rate is beyond all bounds; what there was before goes on with a lower one.
BOOST_AUTO_TEST_CASE(a_training_that_diverges_stops_and_goes_on_with_a_lower_rate) {
  TemporaryFolder folder;
  writeIdxDataset(folder / "data", 160);
  const auto train = [&](const std::string &rate, std::vector<std::string> more) {
    writeText(folder / "r.toml",
              "epochs = 3\n[optimizer]\nlearning_rate = " + rate + "\n[schedule]\nkind = \"constant\"\n");
    more.insert(more.begin(),
                {"train", "--data", folder / "data", "--recipe", folder / "r.toml", "--out", folder / "out"});
    return runFakeModel(more);
  };
  BOOST_TEST(train("0.002", {"--epochs", "1"}).status == 0);
  const std::string good = readText(folder / "out/checkpoint.safetensors");
  fs::remove(folder / "out/weights.safetensors"), fs::remove(folder / "out/summary.json");
  for (int attempt = 0; attempt < 2; ++attempt) { // the same again
    const Outcome wild = train("1e38", {"--resume"});
    BOOST_TEST(wild.status == 1);
    BOOST_TEST(wild.err.starts_with(
                   "warning: from here on `learning_rate = 1e+38` instead of `learning_rate = 0.002`\n"
                   "error: training stops at step 2"),
               wild.err);
    BOOST_TEST(wild.err.find(" of 60 (epoch 2 of 3, learning rate 1e+38): ") != std::string::npos, wild.err);
    BOOST_TEST(wild.err.find(
                   "note: the last good checkpoint is " + folder / "out" +
                   "/checkpoint.safetensors, after step 20; it is unchanged\nhelp: lower `learning_rate`") !=
                   std::string::npos,
               wild.err);
    BOOST_TEST(!fs::exists(folder / "out/weights.safetensors"));
    BOOST_TEST(!fs::exists(folder / "out/summary.json"));
    BOOST_TEST((readText(folder / "out/checkpoint.safetensors") == good));
  }
  const Outcome calm = train("0.001", {"--resume"});
  BOOST_REQUIRE_MESSAGE(calm.status == 0, calm.err);
  BOOST_TEST(calm.err ==
             "warning: from here on `learning_rate = 0.001` instead of `learning_rate = 0.002`\n");
  BOOST_TEST(calm.out.starts_with("resuming after step 20 of 60\n"), calm.out);
  checkFinite(Safetensors::read(folder / "out/weights.safetensors"));
}

// Images as arrays, of which one holds what is no number.
static void writeArrays(const std::string &folder, const std::string &split, int bad) {
  std::vector<float> arrays(24 * 784, 0.25f), labels(24);
  for (size_t i = 0; i < labels.size(); ++i)
    labels[i] = float(i % 10);
  if (bad >= 0)
    arrays[size_t(bad) * 784 + 2 * 28 + 5] = nan_;
  writeNpy(folder + "/" + split + "-arrays.npy", std::vector<int64_t>{24, 1, 28, 28}, arrays);
  writeNpy(folder + "/" + split + "-labels.npy", std::vector<int64_t>{24}, labels);
}

BOOST_AUTO_TEST_CASE(an_image_that_is_not_finite_is_named) {
  TemporaryFolder folder;
  writeText(folder / "r.toml", "epochs = 1\n[optimizer]\nlearning_rate = 0.002\n");
  const auto train = [&](const std::string &out) {
    return runFakeModel(
        {"train", "--data", folder.text(), "--recipe", folder / "r.toml", "--out", folder / out});
  };
  writeArrays(folder.text(), "train", 7);
  writeArrays(folder.text(), "test", -1);
  expectFailure(train("a"),
                {"training stops at step ", "the loss is nan\n",
                 "\nnote: image 7 of the training data holds nan at [0, 2, 5], the only one of 784 "
                 "elements\nnote: running statistic `norm.running_mean` holds nan at [0]\n",
                 "\nnote: there is no checkpoint yet\nhelp: mend these images or leave them out"});
  writeArrays(folder.text(), "train", -1);
  writeArrays(folder.text(), "test", 11);
  expectFailure(train("b"), {"training stops at step 3 of 3 (epoch 1 of 1", "the validation loss is nan\n",
                             "note: image 11 of the validation data holds nan at [0, 2, 5]"});
  BOOST_TEST(!fs::exists(folder / "b/weights.safetensors"));
  BOOST_TEST(!fs::exists(folder / "b/checkpoint.safetensors"));
}

BOOST_AUTO_TEST_CASE(commands_name_weights_that_are_not_finite) {
  TemporaryFolder folder;
  std::vector<float> weight(7840, 0.01f);
  const std::vector<float> bias(10), mean = {0};
  weight[2 * 784 + 3] = nan_, weight[9 * 784] = infinity;
  writeSafetensors(
      folder / "w",
      {{"fc.weight", {10, 784}, weight}, {"fc.bias", {10}, bias}, {"norm.running_mean", {1}, mean}}, {});
  writeIdxDataset(folder / "data", 16);
  writeText(folder / "r.toml", "epochs = 1\n[optimizer]\nlearning_rate = 0.002\n");
  writeText(folder / "image.jpg", readText(VERNIER_CORPUS "/image/rgb.jpg"));
  const std::string what =
      "error: a tensor of the weights is not finite\n  --> " + folder / "w" +
      "\nnote: tensor `fc.weight` holds nan at [2, 3], the first of 2 among 7840 elements\n";
  const std::vector<std::vector<std::string>> commands = {
      {"eval", "--data", folder / "data"}, {"classify", folder / "image.jpg"}, {"bench", "--runs", "1"}};
  for (std::vector<std::string> command : commands) {
    command.insert(command.end(), {"--weights", folder / "w"});
    expectFailure(runFakeModel(command), {what, "\nhelp: --allow-non-finite uses them all the same"});
    command.push_back("--allow-non-finite");
    const Outcome allowed = runFakeModel(command);
    BOOST_TEST(allowed.status == 0, allowed.err);
    BOOST_TEST(allowed.err.starts_with("warning: a tensor of the weights is not finite\n"), allowed.err);
  }
  expectFailure(runFakeModel({"train", "--data", folder / "data", "--recipe", folder / "r.toml", "--out",
                              folder / "out", "--weights", folder / "w"}),
                {what});
  // What `run` writes shows it: nothing is hidden.
  writeNpy(folder / "x.npy", std::vector<int64_t>{1, 28, 28}, std::vector<float>(784, 1.0f));
  const Outcome run = runFakeModel(
      {"run", "--input", folder / "x.npy", "--output", folder / "y.npy", "--weights", folder / "w"});
  BOOST_TEST(run.status == 0);
  BOOST_TEST(run.err == "warning" + what.substr(5), run.err);
  const NpyArray result = readNpy(folder / "y.npy");
  BOOST_TEST(std::isnan(result.values[2]));
  BOOST_TEST(result.values[9] == infinity);
  BOOST_TEST(std::isfinite(result.values[0]));
  // The C interface has a status for it, and loads nothing.
  using Small = FakeModel<1, 1, 28, 28, 10>;
  Session session(Small::model);
  expectError(VN_ERROR_VALUE, what, [&] { loadWeights(session, Safetensors::read(folder / "w")); });
  BOOST_TEST(!session.hasWeights());
}

BOOST_AUTO_TEST_CASE(a_damaged_momentum_is_refused) {
  TemporaryFolder folder;
  Session session(Fake::model, {.threads = 1, .training = true});
  initializeWeights(session, {});
  const Sgd optimizer(session, {});
  HostTensors tensors = optimizer.tensors("momentum.");
  std::vector<float> bias(4);
  bias[3] = nan_;
  for (TensorView &tensor : tensors.views)
    if (tensor.name == "momentum.fc.bias")
      tensor.values = bias;
  writeSafetensors(folder / "c", tensors.views, {});
  Sgd other(session, {});
  expectError(VN_ERROR_VALUE, "tensor `momentum.fc.bias` holds nan at [3], the only one of 4 elements",
              [&] { other.load(Safetensors::read(folder / "c"), "momentum."); });
}

BOOST_AUTO_TEST_SUITE_END()
