// What a run left is checked before another goes on from it.
#include "tests/runtime/Support.h"

#include "runtime/core/Shape.h"
#include "runtime/data/Dataset.h"
#include "runtime/io/Json.h"
#include "runtime/io/Safetensors.h"
#include "runtime/train/Log.h"
#include "runtime/train/TrainState.h"

#include <cmath>
#include <functional>

using namespace vernier::runtime;
using namespace vernier::test;
using nlohmann::json;

static constexpr const char *recipe = "epochs = 2\n[optimizer]\nlearning_rate = 0.002\n";

namespace {

/// A finished run of one of two epochs, which can go on.
struct Run {
  Run() {
    writeIdxDataset(data, 200);
    writeText(folder / "r.toml", recipe);
    const Outcome outcome = train({"--epochs", "1"});
    BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    original = readText(checkpoint);
  }
  Outcome train(std::vector<std::string> more) const {
    more.insert(more.begin(),
                {"train", "--data", data, "--recipe", folder / "r.toml", "--out", folder / "out"});
    return runFakeModel(more);
  }
  /// Resumes from the checkpoint with another state, weights or momentum.
  Outcome resumeWith(const std::function<void(json &state)> &change, const std::string &tensor = "",
                     float value = 0) const {
    writeText(checkpoint, original);
    const Safetensors file = Safetensors::read(checkpoint);
    Metadata metadata = file.metadata();
    json state = json::parse(metadata["vernier.state"]);
    change(state);
    metadata["vernier.state"] = state.dump();
    std::vector<std::vector<float>> values;
    std::vector<TensorView> tensors;
    for (const Safetensors::Tensor &entry : file.tensors()) {
      values.emplace_back(size_t(*elementCount(entry.shape)));
      file.copyFloats(entry, values.back().data());
      if (entry.name == tensor)
        values.back()[0] = value;
    }
    for (size_t i = 0; i < values.size(); ++i)
      tensors.push_back({file.tensors()[i].name, file.tensors()[i].shape, values[i]});
    writeSafetensors(checkpoint, tensors, metadata);
    return train({"--resume"});
  }

  TemporaryFolder folder;
  std::string data = folder / "data", checkpoint = folder / "out/checkpoint.safetensors", original;
};

} // namespace

static void refused(const Outcome &outcome, const std::string &text) {
  BOOST_TEST(outcome.status == 1);
  for (const std::string &part :
       {text, std::string("error: "), std::string("\n  --> "), std::string("\nhelp: ")})
    BOOST_TEST(outcome.err.find(part) != std::string::npos, "`" << part << "` is not in\n" << outcome.err);
}

BOOST_AUTO_TEST_SUITE(checkpoint)

BOOST_AUTO_TEST_CASE(states_that_no_run_has_written) {
  const Run run;
  const std::pair<const char *, std::function<void(json &)>> cases[] = {
      {"`step` is -5, it is a whole number from 0 on", [](json &s) { s["step"] = -5; }},
      {"`step` is 25.5", [](json &s) { s["step"] = 25.5; }},
      {"`step` is \"25\"", [](json &s) { s["step"] = "25"; }},
      {"`step` is null", [](json &s) { s["step"] = nullptr; }},
      {"`step` is 18446744073709551615", [](json &s) { s["step"] = UINT64_MAX; }},
      {"`step` is missing", [](json &s) { s.erase("step"); }},
      {"`epochs` has 0 entries, 1 belong to 25 steps, 25 in an epoch",
       [](json &s) { s["epochs"] = json::array(); }},
      {"`epochs` is no list", [](json &s) { s.erase("epochs"); }},
      {"`epochs` is no list", [](json &s) { s["epochs"] = 1; }},
      {"of epoch 1 `epoch` is 2", [](json &s) { s["epochs"][0]["epoch"] = 2; }},
      {"of epoch 1 `accuracy` is 1.5, it is a number from 0 to 1",
       [](json &s) { s["epochs"][0]["accuracy"] = 1.5; }},
      {"of epoch 1 `top1` is null", [](json &s) { s["epochs"][0]["validation"]["top1"] = nullptr; }},
      {"of epoch 1 `images` is 0", [](json &s) { s["epochs"][0]["validation"]["images"] = 0; }},
      {"of epoch 1 `loss` is []", [](json &s) { s["epochs"][0]["loss"] = json::array(); }},
      {"`correct` is 7, it is a whole number from 0 to 0", [](json &s) { s["correct"] = 7; }},
      {"`epochs` has 1 entries, 0 belong to 25 steps, 25 in an epoch", [](json &s) { s["images"] = 8; }},
      {"`loss_sum` is null", [](json &s) { s["loss_sum"] = nullptr; }},
      {"`seconds` is -1", [](json &s) { s["seconds"] = -1; }},
      {"`training_images` is 0", [](json &s) { s["training_images"] = 0; }}};
  for (const auto &[message, change] : cases)
    refused(run.resumeWith(change), message);
  writeText(run.checkpoint, run.original.substr(0, run.original.size() / 2));
  refused(run.train({"--resume"}), "not a valid safetensors file");
}

BOOST_AUTO_TEST_CASE(weights_and_momentum_that_are_not_finite) {
  const Run run;
  const auto keep = [](json &) {};
  refused(run.resumeWith(keep, "model.fc.weight", std::nanf("")), "tensor `model.fc.weight` holds nan");
  refused(run.resumeWith(keep, "momentum.fc.bias", INFINITY), "tensor `momentum.fc.bias` holds inf");
}

// A validation loss may be anything, and a run with one goes on: as it is written now, and as it once was.
BOOST_AUTO_TEST_CASE(validation_losses_that_are_no_numbers) {
  const Run run;
  for (const json &loss : {json("nan"), json("inf"), json(nullptr)}) {
    const Outcome outcome = run.resumeWith([&](json &s) { s["epochs"][0]["validation"]["loss"] = loss; });
    BOOST_TEST(outcome.status == 0, outcome.err);
  }
  TrainState state;
  state.step = 10, state.trainingImages = 100;
  state.epochs.push_back({1, 0.5, 0.25, 0.1, 1, Accuracy{10, 0.1, 0.5, std::nan(""), 1}});
  const TrainState read = parseState(stateText(state), 10);
  BOOST_TEST(std::isnan(read.epochs[0].validation->loss));
  state.epochs[0].validation->loss = -INFINITY;
  BOOST_TEST(parseState(stateText(state), 10).epochs[0].validation->loss == -INFINITY);
}

BOOST_AUTO_TEST_CASE(data_that_changed_are_noticed) {
  const Run run;
  const std::string labels = run.data + "/train-labels-idx1-ubyte",
                    images = run.data + "/t10k-images-idx3-ubyte";
  for (const std::string &path : {labels, images}) {
    writeText(run.checkpoint, run.original);
    const std::string before = readText(path);
    std::string changed = before;
    changed.back() = char(changed.back() == 0);
    writeText(path, changed);
    refused(run.train({"--resume"}), "the data set is not what the interrupted run had");
    const Outcome accepted = run.train({"--resume", "--accept-changed-data"});
    BOOST_TEST(accepted.status == 0, accepted.err);
    writeText(path, before);
  }
  // A run of a version that kept no digest goes on.
  const Outcome older = run.resumeWith([](json &state) { state.erase("data"); });
  BOOST_TEST(older.status == 0, older.err);
}

BOOST_AUTO_TEST_CASE(digests_of_folders) {
  TemporaryFolder folder;
  const auto make = [&](const std::string &top) {
    for (const std::string name : {"a/1.png", "a/2.png", "b/1.png"}) {
      std::filesystem::create_directories(std::filesystem::path(folder / (top + "/" + name)).parent_path());
      writeText(folder / (top + "/" + name), "content of " + name);
    }
    return openFolder(folder / top)->digest();
  };
  const uint64_t first = make("one");
  BOOST_TEST(make("elsewhere/two") == first); // the place does not matter
  writeText(folder / "one/a/2.png", "CONTENT OF a/2.png");
  BOOST_TEST(openFolder(folder / "one")->digest() != first);
  make("one");
  BOOST_TEST(openFolder(folder / "one")->digest() == first);
  std::filesystem::rename(folder / "one/a/2.png", folder / "one/b/2.png");
  BOOST_TEST(openFolder(folder / "one")->digest() != first);
}

BOOST_AUTO_TEST_CASE(json_is_strict) {
  const auto fails = [](const std::string &text, const std::string &message) {
    BOOST_CHECK_EXCEPTION(parseJson(text), JsonError,
                          [&](const JsonError &error) { return std::string(error.what()) == message; });
  };
  fails("{\"a\": 1, \"a\": 2}", "`a` is there twice");
  fails("{\"a\": {\"b\": 1, \"b\": 2}}", "`b` is there twice");
  BOOST_TEST(parseJson("{\"a\": {\"b\": 1}, \"b\": {\"a\": 2}}").size() == 2u);
  fails("{\"a\": 1", "it is no JSON, or cut off");
  fails("{\"a\": NaN}", "it is no JSON, or cut off");
  fails("{\"a\": 1e999}", "it is no JSON, or cut off");
  fails("[1]", "it is no JSON object");
  fails("", "it is no JSON, or cut off");
  fails("{\"a\":" + std::string(50, '[') + std::string(50, ']') + "}", "it is nested too deeply");
}

BOOST_AUTO_TEST_CASE(lines_of_a_log_that_cannot_be_read) {
  const std::string first = "{\"step\":5,\"loss\":0.5}\n", second = "{\"step\": 10}\n",
                    third = "{\"step\":11}\n";
  BOOST_TEST(keptLogLines(first + second + third, 10, "log") == first + second);
  // A killed run leaves a part of the last line, or, after a power cut, zeros.
  BOOST_TEST(keptLogLines(first + second.substr(0, 5), 10, "log") == first);
  BOOST_TEST(keptLogLines(first + std::string(50, '\0'), 10, "log") == first);
  BOOST_TEST(keptLogLines(first + "{\"step\": 10}", 10, "log") == first + second);
  for (const std::string line :
       {"{\"step\":", "", "{\"epoch\":1}", "{\"step\":1.5}", "{\"step\":-1}", "[5]", "x"})
    expectError(VN_ERROR_FORMAT, "--> log:2", [&] { keptLogLines(first + line + "\n" + third, 10, "log"); });
}

BOOST_AUTO_TEST_SUITE_END()
