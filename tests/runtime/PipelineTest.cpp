// Training on a device that is not waited for, beside the same kernels on the CPU: the same bits in every
// file and message, whatever the order of copies that the device may choose.
#include "tests/runtime/AcceleratedFake.h"
#include "tests/runtime/Support.h"

#include "runtime/io/Npy.h"
#include "runtime/process/Interrupt.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/Trainer.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unistd.h>

using namespace vernier::runtime;
using namespace vernier::test;
using nlohmann::ordered_json;

namespace {

using Fake = FakeModel<8, 1, 12, 12, 10>;
const vn_model accelerated = AcceleratedFake<Fake>::model(), open = Fake::openModel(),
               acceleratedOpen = AcceleratedFake<Fake>::openModel();

constexpr const char *kRecipe =
    "epochs = 2\nseed = 3\nlog_every = 5\nlabel_smoothing = 0.05\n"
    "checkpoint_every = 40\n[optimizer]\nlearning_rate = 0.002\n"
    "nesterov = true\n[schedule]\nkind = \"constant\"\n[augmentation]\ncrop_padding = 1\n";
constexpr int kImages = 800, kStepsPerEpoch = kImages / 8;

struct Workshop {
  explicit Workshop(const std::string &text = kRecipe) {
    watched = {};
    vn::emulation::setSeed(1);
    writeIdxDataset(folder / "data", kImages, 12);
    writeText(folder / "r.toml", text);
  }
  TrainOptions options(const std::string &out) const {
    TrainOptions options;
    options.data = data;
    options.recipe = folder / "r.toml", options.out = folder / out;
    options.threads = 1, options.quiet = true;
    return options;
  }
  void run(const vn_model &model, const std::string &out, bool resume = false, int64_t epochs = 0) const {
    TrainOptions chosen = options(out);
    chosen.resume = resume, chosen.epochs = epochs;
    train(model, chosen);
  }
  /// What a training says that stops, without the folder's name.
  std::string failure(const vn_model &model, const std::string &out, bool resume = false) const {
    try {
      run(model, out, resume);
    } catch (const Error &error) {
      std::string text = error.what();
      for (size_t at; (at = text.find(folder / out)) != text.npos;)
        text.replace(at, (folder / out).size(), "OUT");
      return text;
    }
    return "";
  }
  std::string file(const std::string &name) const { return readText(folder / name); }
  /// log.jsonl without its times.
  std::vector<std::string> log(const std::string &out) const {
    std::vector<std::string> lines;
    std::istringstream text(file(out + "/log.jsonl"));
    for (std::string line; std::getline(text, line);) {
      ordered_json entry = ordered_json::parse(line);
      entry.erase("images_per_second"), entry.erase("seconds");
      lines.push_back(entry.dump());
    }
    return lines;
  }
  /// Everything that two trainings left, but for their times.
  void expectSame(const std::string &first, const std::string &second) const {
    BOOST_TEST((file(first + "/weights.safetensors") == file(second + "/weights.safetensors")));
    BOOST_TEST(log(first) == log(second), boost::test_tools::per_element());
    const auto summary = [&](const std::string &out) {
      ordered_json all = ordered_json::parse(file(out + "/summary.json"));
      all.erase("seconds");
      return all.dump();
    };
    BOOST_TEST(summary(first) == summary(second));
    const auto checkpoint = [&](const std::string &out) {
      const Safetensors tensors = Safetensors::read(folder / out + "/checkpoint.safetensors");
      std::vector<float> all;
      for (const auto &tensor : tensors.tensors()) {
        std::vector<float> values((tensor.end - tensor.begin) / 4);
        tensors.copyFloats(tensor, values.data());
        all.insert(all.end(), values.begin(), values.end());
      }
      return all;
    };
    BOOST_TEST((checkpoint(first) == checkpoint(second)));
  }

  TemporaryFolder folder;
  std::string data = folder / "data";
};

/// Arrays for images, of which one holds what is no number.
void writeArrays(const std::string &folder, int bad) {
  for (const std::string split : {"train", "test"}) {
    const size_t count = split == "train" ? kImages : 16;
    std::vector<float> arrays(count * 144), labels(count);
    for (size_t i = 0; i < arrays.size(); ++i)
      arrays[i] = float(i % 31) / 31;
    for (size_t i = 0; i < count; ++i)
      labels[i] = float(i % 10);
    if (split == "train")
      arrays[size_t(bad) * 144 + 14] = std::nanf("");
    writeNpy(folder + "/" + split + "-arrays.npy", std::vector<int64_t>{int64_t(count), 1, 12, 12}, arrays);
    writeNpy(folder + "/" + split + "-labels.npy", std::vector<int64_t>{int64_t(count)}, labels);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(pipeline)

BOOST_AUTO_TEST_CASE(the_files_of_a_training_are_the_cpus) {
  const Workshop workshop;
  workshop.run(Fake::model, "cpu");
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    vn::emulation::setSeed(seed);
    const std::string out = "device" + std::to_string(seed);
    workshop.run(accelerated, out);
    workshop.expectSame("cpu", out);
  }
}

BOOST_AUTO_TEST_CASE(so_are_those_of_all_configurations_together) {
  const Workshop workshop(std::string(kRecipe) +
                          "[choices]\ntarget = \"norm.centre=1\"\ntarget_epochs = 1\n");
  workshop.run(open, "cpu");
  workshop.run(acceleratedOpen, "device");
  workshop.expectSame("cpu", "device");
}

BOOST_AUTO_TEST_CASE(each_resumes_the_others_training) {
  const Workshop workshop;
  workshop.run(Fake::model, "whole");
  for (const bool cpuFirst : {true, false}) {
    const std::string out = cpuFirst ? "cpu first" : "device first";
    workshop.run(cpuFirst ? Fake::model : accelerated, out, false, 1);
    workshop.run(cpuFirst ? accelerated : Fake::model, out, true);
    workshop.expectSame("whole", out);
  }
}

// Between two steps the host waits neither for a stream nor for what it has just started: for a step when
// three more are under way.
BOOST_AUTO_TEST_CASE(steps_are_started_without_waiting) {
  const Workshop workshop("epochs = 1\nlog_every = 5\n[optimizer]\nlearning_rate = 0.002\n");
  workshop.run(accelerated, "device");
  const std::string &calls = watched.calls;
  // The validation has 25 batches; before it weights are prepared, which is waited for.
  BOOST_REQUIRE(std::ranges::count(calls, 'A') == kStepsPerEpoch + 25);
  size_t end = 0;
  for (int i = 0; i < kStepsPerEpoch; ++i)
    end = calls.find('A', end) + 1;
  const size_t begin = calls.find("FI");
  BOOST_REQUIRE(begin < end);
  const std::string training = calls.substr(begin, end - begin);
  BOOST_TEST(std::ranges::count(training, 'S') == 0);
  int64_t started = 0, waited = 0;
  for (char call : training) {
    started += call == 'I'; // train_step's arrays, then update's
    if (call == 'A')
      BOOST_TEST(started == 2 * std::min<int64_t>(++waited + 3, kStepsPerEpoch));
  }
  const std::string validation = calls.substr(calls.find('A', end));
  BOOST_TEST(std::ranges::count(validation.substr(0, validation.rfind('A')), 'S') == 0);
  // A run: its inputs come when the last ones are taken; the program's part when they are there; results go
  // when the last ones have gone.
  BOOST_TEST(training.find("FIRFCRGFCRFORRFIRFCRGFCRFORR") != std::string::npos, training.substr(0, 400));
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_missing_shows) {
  const Workshop workshop;
  workshop.run(Fake::model, "cpu");
  for (int64_t missing = 0; missing < 5; ++missing)
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      watched = {};
      if (missing < 4)
        watched.leftOut = {missing};
      else
        watched.neverWaits = true;
      vn::emulation::setSeed(seed);
      const std::string out = "device" + std::to_string(missing) + std::to_string(seed);
      const std::string failure = workshop.failure(accelerated, out);
      BOOST_TEST((!failure.empty() || workshop.log("cpu") != workshop.log(out)),
                 "wait " << missing << ", seed " << seed);
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_is_named_as_on_the_cpu) {
  // In steps before and behind the second copy that is kept.
  for (const int bad : {5, 105, 205, 305, 405, 799}) {
    Workshop arrays("epochs = 1\nlog_every = 1\n[optimizer]\nlearning_rate = 0.002\n");
    arrays.data = arrays.folder / "arrays";
    std::filesystem::create_directory(arrays.data);
    writeArrays(arrays.data, bad);
    const std::string expected = arrays.failure(Fake::model, "cpu");
    BOOST_TEST(expected.find("image " + std::to_string(bad) +
                             " of the training data holds nan at [0, 1, 2]") != expected.npos,
               expected);
    BOOST_TEST(arrays.failure(accelerated, "device") == expected);
    BOOST_TEST(arrays.log("device") == arrays.log("cpu"), boost::test_tools::per_element());
  }
  for (const char *rate : {"1e36", "1e38"}) {
    const std::string text = "epochs = 2\nlog_every = 1\n[optimizer]\nmomentum = 0.999\nlearning_rate = ";
    const Workshop wild(text + rate + "\n[schedule]\nkind = \"constant\"\n");
    for (const bool several : {false, true}) {
      const std::string expected = wild.failure(several ? open : Fake::model, several ? "open" : "one");
      BOOST_TEST(expected.starts_with("error: training stops at step "), expected);
      BOOST_TEST(wild.failure(several ? acceleratedOpen : accelerated, several ? "device open" : "device") ==
                 expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_number_that_was_not_finite_once_is_not_passed_over) {
  const Workshop workshop;
  watched.spoiltAt = 2 * 70 + 5; // the loss and the logits of step 71; a checkpoint has read 5 tensors
  const std::string text = workshop.failure(accelerated, "device");
  BOOST_TEST(
      text.starts_with("error: training stops at step 71 of 200 (epoch 1 of 2, learning rate 0.002): a "
                       "number is not finite\nnote: when it ran again, all were"),
      text);
  BOOST_TEST(text.find("after step 40; it is unchanged") != text.npos, text);
}

// What was under way is finished: nothing is done twice, and nothing left out.
BOOST_AUTO_TEST_CASE(an_interrupted_training_goes_on_as_if_nothing_had_been) {
  const Workshop workshop;
  const std::string path = workshop.folder / "device/checkpoint.safetensors";
  const pid_t child = fork();
  if (child == 0) {
    prepareProcess();
    try {
      workshop.run(accelerated, "device", false, 1000);
    } catch (const Interrupted &) {
      _exit(42);
    } catch (...) {
    }
    _exit(1);
  }
  for (int i = 0; i < 20000 && !std::filesystem::exists(path); ++i)
    usleep(1000);
  kill(child, SIGINT);
  BOOST_TEST(waitFor(child) == 42);
  const std::string state = Safetensors::read(path).metadata().at("vernier.state");
  const int64_t epochs = ordered_json::parse(state)["step"].get<int64_t>() / kStepsPerEpoch + 1;
  workshop.run(Fake::model, "cpu", false, epochs);
  workshop.run(accelerated, "device", true, epochs);
  workshop.expectSame("cpu", "device");
}

BOOST_AUTO_TEST_CASE(a_device_that_is_lost_leaves_a_checkpoint_to_go_on_from) {
  const Workshop workshop;
  workshop.run(Fake::model, "cpu");
  // After the parts of 90 steps: 81 are known, and a checkpoint is at 80.
  watched.brokenAt = 2 * 90;
  const std::string text = workshop.failure(accelerated, "device");
  BOOST_TEST(text.starts_with("error: training stops at step "), text);
  BOOST_TEST(
      text.find(" of 200 (epoch 1 of 2, learning rate 0.002): the device has failed: Toy: the device was "
                "unplugged\n  --> device 0\n") != text.npos,
      text);
  BOOST_TEST(text.find("note: what the device held is lost\nnote: the last good checkpoint is "
                       "OUT/checkpoint.safetensors, after step 80; it is unchanged\nhelp: go on from the "
                       "checkpoint with --resume, when the device can be used again") != text.npos,
             text);
  BOOST_TEST(filesIn(workshop.folder / "device").size() == 2 + 0u);
  watched = {};
  workshop.run(accelerated, "device", true);
  workshop.expectSame("cpu", "device");

  watched = {};
  watched.brokenAt = 2 * 3; // before there is one
  const std::string early = workshop.failure(accelerated, "early");
  BOOST_TEST(early.find("note: there is no checkpoint yet\nhelp: begin anew") != early.npos, early);
  watched = {};
}

BOOST_AUTO_TEST_SUITE_END()
