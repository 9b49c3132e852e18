// Training, evaluation and the other commands of a built executable, from outside.
#include "tests/runtime/Support.h"

#include "runtime/io/Npy.h"
#include "runtime/io/Safetensors.h"
#include "runtime/train/Progress.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

using namespace vernier::runtime;
using namespace vernier::test;
using nlohmann::json;

namespace fs = std::filesystem;

static const std::string recipe = R"(epochs = 4
seed = 11
label_smoothing = 0.05
checkpoint_every = 40
log_every = 20
[optimizer]
learning_rate = 0.002
weight_decay = 1e-4
nesterov = true
[schedule]
warmup_epochs = 0.5
[data]
mean = [0.3]
std = [0.3]
[augmentation]
crop_padding = 1
)";

namespace {

/// A data set, a recipe and room for results.
struct Workshop {
  explicit Workshop(int images = 1000) {
    writeIdxDataset(data, images);
    writeText(recipePath, recipe);
  }
  std::vector<std::string> train(const std::string &out, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"train", "--data", data, "--recipe", recipePath, "--out", folder / out});
    return more;
  }

  TemporaryFolder folder;
  std::string data = folder / "data", recipePath = folder / "r.toml";
};

} // namespace

/// Waits until a started program has written `path`.
static void waitForFile(const std::string &path) {
  for (int i = 0; i < 60000 && !fs::exists(path); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  BOOST_REQUIRE_MESSAGE(fs::exists(path), path + " does not appear");
}

static void expectFailure(const Outcome &outcome, const std::string &text) {
  BOOST_TEST(outcome.status == 1);
  // Warnings may come before it.
  BOOST_TEST((outcome.err.starts_with("error: ") || outcome.err.find("\nerror: ") != std::string::npos),
             outcome.err);
  BOOST_TEST(outcome.err.find(text) != std::string::npos, "`" << text << "` is not in\n" << outcome.err);
}

BOOST_AUTO_TEST_SUITE(training)

BOOST_AUTO_TEST_CASE(training_learns_and_leaves_its_results) {
  const Workshop workshop;
  const Outcome outcome = runFakeModel(workshop.train("out"));
  BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  BOOST_TEST(outcome.out.find("epoch 4/4: loss ") != std::string::npos);
  BOOST_TEST(outcome.out.find("\r") == std::string::npos); // no progress bar outside a terminal

  const json summary = json::parse(readText(workshop.folder / "out/summary.json"));
  BOOST_TEST(summary["loss"].size() == 4u);
  BOOST_TEST(summary["loss"][3].get<double>() < summary["loss"][0].get<double>());
  BOOST_TEST(summary["accuracy"].get<double>() > 0.95);
  BOOST_TEST(summary["steps"] == 4 * 125);

  std::istringstream log(readText(workshop.folder / "out/log.jsonl"));
  int steps = 0, epochs = 0;
  for (std::string line; std::getline(log, line);) {
    const json entry = json::parse(line);
    steps += entry.contains("loss"), epochs += entry.contains("epoch_loss");
  }
  BOOST_TEST(steps == 25);
  BOOST_TEST(epochs == 4);
  const std::string csv = readText(workshop.folder / "out/log.csv");
  BOOST_TEST(std::ranges::count(csv, '\n') == 5);

  const Outcome eval = runFakeModel(
      {"eval", "--data", workshop.data, "--weights", workshop.folder / "out/weights.safetensors", "--json"});
  BOOST_REQUIRE_MESSAGE(eval.status == 0, eval.err);
  const json accuracy = json::parse(eval.out);
  BOOST_TEST(accuracy["images"] == 250);
  BOOST_TEST(accuracy["top1"].get<double>() == summary["accuracy"].get<double>());
  BOOST_TEST(accuracy["top5"].get<double>() >= accuracy["top1"].get<double>());
}

// However narrow, the line stays within the terminal; what is left of it says how far training is.
BOOST_AUTO_TEST_CASE(progress_fits_the_terminal) {
  const ProgressFacts facts{.epoch = 12,
                            .epochs = 300,
                            .step = 4321,
                            .stepsPerEpoch = 20018,
                            .loss = 6.9077,
                            .accuracy = 0.123,
                            .imagesPerSecond = 1234.5,
                            .secondsLeft = 123456};
  const std::string numbers = "loss 6.9077, accuracy 12.30%, 1234 images/s, 34:17:36 left";
  BOOST_TEST(progressLine(facts, 0) == "epoch 12/300, step 4321/20018: " + numbers);
  BOOST_TEST(progressLine(facts, 200) == "epoch 12/300 [#####-------------------] 4321/20018  " + numbers);
  size_t shorter = 1000;
  for (int64_t columns = 200; columns > 0; --columns) {
    const std::string line = progressLine(facts, columns);
    BOOST_TEST(int64_t(line.size()) < columns);
    BOOST_TEST(line.size() <= shorter);
    shorter = line.size();
    if (columns > 45)
      BOOST_TEST(line.ends_with("34:17:36 left"), line);
    if (columns > 12)
      BOOST_TEST(line.starts_with("epoch 12/300"), line);
  }
  const EpochResult epoch{12, 6.9077, 0.123, 0.1, 75, Accuracy{1000, 0.456, 0.7, 5.5, 1}};
  const std::string whole =
      "epoch 12/300: loss 6.9077, accuracy 12.30%, validation 45.60%, 1:15, 34:17:36 left";
  BOOST_TEST(epochLine(epoch, 300, 123456, 0) == whole);
  for (int64_t columns = 200; columns > 0; --columns) {
    const std::string line = epochLine(epoch, 300, 123456, columns);
    BOOST_TEST(int64_t(line.size()) < columns);
    BOOST_TEST((line == whole) == (columns > int64_t(whole.size())));
    if (columns > 48)
      BOOST_TEST(line.find("validation 45.60%") != std::string::npos, line);
  }
}

BOOST_AUTO_TEST_CASE(quiet_training_prints_nothing) {
  const Workshop workshop;
  const Outcome outcome = runFakeModel(workshop.train("out", {"--quiet", "--epochs", "1"}));
  BOOST_TEST(outcome.status == 0);
  BOOST_TEST(outcome.out == "");
  BOOST_TEST(outcome.err == "");
  const Outcome one = runFakeModel(workshop.train("one", {"--epochs", "1"}));
  BOOST_TEST(one.out.find(" after 1 epoch in ") != std::string::npos, one.out);
}

BOOST_AUTO_TEST_CASE(a_killed_and_resumed_run_equals_the_uninterrupted_one) {
  Workshop workshop(6000);
  BOOST_REQUIRE(runFakeModel(workshop.train("whole")).status == 0);

  int kills = 0;
  for (int attempt = 0; attempt < 40 && kills < 4; ++attempt) {
    const int process =
        startFakeModel(workshop.train("parts", {"--resume"}), workshop.folder / "o", workshop.folder / "e");
    // Once it has begun, at an arbitrary step.
    waitForFile(workshop.folder / "parts/checkpoint.safetensors");
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + 13 * attempt));
    kill(process, SIGKILL);
    kills += waitFor(process) == 128 + SIGKILL;
  }
  BOOST_TEST(kills >= 1);
  const Outcome last = runFakeModel(workshop.train("parts", {"--resume", "--loaders", "3"}));
  BOOST_REQUIRE_MESSAGE(last.status == 0, last.err);
  BOOST_TEST(last.out.starts_with("resuming after step "), last.out);
  BOOST_TEST((readText(workshop.folder / "whole/weights.safetensors") ==
              readText(workshop.folder / "parts/weights.safetensors")));
  const json whole = json::parse(readText(workshop.folder / "whole/summary.json"));
  const json parts = json::parse(readText(workshop.folder / "parts/summary.json"));
  for (const char *key : {"loss", "validation", "accuracy", "steps", "validation_loss"})
    BOOST_TEST(whole[key] == parts[key], key);
  // Lines of steps that were done twice are there once.
  auto steps = [](const std::string &text) {
    std::vector<std::pair<int, double>> all;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
      if (const json entry = json::parse(line); entry.contains("loss"))
        all.emplace_back(entry["step"], entry["loss"]);
    return all;
  };
  BOOST_TEST((steps(readText(workshop.folder / "whole/log.jsonl")) ==
              steps(readText(workshop.folder / "parts/log.jsonl"))));
}

BOOST_AUTO_TEST_CASE(an_interrupt_leaves_a_checkpoint) {
  Workshop workshop(20000);
  const int process = startFakeModel(workshop.train("out"), workshop.folder / "o", workshop.folder / "e");
  waitForFile(workshop.folder / "out/checkpoint.safetensors");
  kill(process, SIGINT);
  BOOST_TEST(waitFor(process) == 128 + SIGINT);
  BOOST_TEST(readText(workshop.folder / "e").find("interrupted after step ") != std::string::npos);
  BOOST_TEST(!fs::exists(workshop.folder / "out/summary.json"));
  const Outcome resumed = runFakeModel(workshop.train("out", {"--resume", "--epochs", "1"}));
  BOOST_TEST(resumed.status == 0);
  BOOST_TEST(resumed.out.starts_with("resuming after step "), resumed.out);
}

BOOST_AUTO_TEST_CASE(mistakes_are_explained) {
  Workshop workshop;
  BOOST_REQUIRE(runFakeModel(workshop.train("out", {"--epochs", "1"})).status == 0);
  expectFailure(runFakeModel(workshop.train("out")), "the folder already holds a training run");
  writeText(workshop.recipePath, recipe.substr(recipe.find('\n') + 1)); // without its first line
  expectFailure(runFakeModel(workshop.train("out", {"--resume"})), "`epochs` is missing");
  std::string changed = recipe;
  changed.replace(changed.find("1e-4"), 4, "2e-4");
  writeText(workshop.recipePath, changed);
  expectFailure(runFakeModel(workshop.train("out", {"--resume"})),
                "the checkpoint has `weight_decay = 0.0001`, the recipe `weight_decay = 0.0002`");
  writeText(workshop.recipePath, recipe + "random_erasing = 0.5\n");
  expectFailure(runFakeModel(workshop.train("out", {"--resume"})),
                "the checkpoint has `random_erasing = (default)`, the recipe `random_erasing = 0.5`");
  changed.replace(changed.find("0.002"), 5, "1e30 ");
  writeText(workshop.recipePath, changed);
  expectFailure(runFakeModel(workshop.train("wild")), "training stops at step ");
  writeText(workshop.recipePath, "batch = 9\n" + recipe);
  expectFailure(runFakeModel(workshop.train("x")),
                "the recipe wants batches of 9, model `fake` was built for 8");
  writeText(workshop.recipePath, recipe + "lighting = 0.1\n");
  expectFailure(runFakeModel(workshop.train("x")), "change colours, model `fake` takes grey images");
  writeText(workshop.recipePath, recipe);
  writeText(workshop.folder / "file", "");
  expectFailure(runFakeModel(workshop.train("file")), "cannot create the folder");
  writeIdxDataset(workshop.data, 999);
  expectFailure(runFakeModel(workshop.train("out", {"--resume"})),
                "the interrupted run trained on 1000 images, now there are 999");
  writeIdxDataset(workshop.data, 7);
  expectFailure(runFakeModel(workshop.train("x")), "7 images do not fill one batch of 8");
  const std::string labels = workshop.data + "/train-labels-idx1-ubyte";
  writeText(labels, readText(labels).substr(0, 8) + std::string(7, '\x0a'));
  expectFailure(runFakeModel(workshop.train("x")), "image 0 has label 10, model `fake` has 10 classes");
  BOOST_TEST(!fs::exists(workshop.folder / "x"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(commands)

BOOST_AUTO_TEST_CASE(info_and_bench) {
  const Outcome info = runFakeModel({"info"});
  BOOST_TEST(info.status == 0);
  BOOST_TEST(info.out.find("fc.weight          [10, 784]") != std::string::npos, info.out);
  BOOST_TEST(json::parse(runFakeModel({"info", "--json"}).out)["model"] == "fake");
  const Outcome bench = runFakeModel({"bench", "--layers", "--runs", "3"});
  BOOST_TEST(bench.status == 0);
  BOOST_TEST(bench.out.find("GFLOP/s") != std::string::npos);
  const json measured =
      json::parse(runFakeModel({"bench", "--train", "--layers", "--json", "--threads", "1"}).out);
  BOOST_TEST(measured["layers"].size() == 5u);
  BOOST_TEST(measured["threads"] == 1);
  BOOST_TEST(measured["fma_peak_gflops"].get<double>() > 0.1);
}

BOOST_AUTO_TEST_CASE(run_takes_any_number_of_images) {
  TemporaryFolder folder;
  const std::vector<float> weight(7840, 0.5f), bias = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, mean = {1};
  writeSafetensors(
      folder / "w",
      {{"fc.weight", {10, 784}, weight}, {"fc.bias", {10}, bias}, {"norm.running_mean", {1}, mean}}, {});
  std::vector<float> image(19 * 784, 1.0f);
  image[18 * 784] = 3; // the last one
  writeNpy(folder / "x.npy", std::vector<int64_t>{19, 1, 28, 28}, image);
  const Outcome outcome = runFakeModel(
      {"run", "--input", folder / "x.npy", "--output", folder / "y.npy", "--weights", folder / "w"});
  BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  const NpyArray result = readNpy(folder / "y.npy");
  BOOST_TEST(result.shape == (std::vector<int64_t>{19, 10}));
  BOOST_TEST(result.values[3] == 3);
  BOOST_TEST(result.values[18 * 10 + 9] == 10);

  writeNpy(folder / "z.npy", std::vector<int64_t>{1, 28, 532}, image);
  expectFailure(runFakeModel({"run", "--input", folder / "z.npy", "--output", folder / "q.npy", "--weights",
                              folder / "w"}),
                "the array has shape [1, 28, 532], model `fake` takes images of [1, 28, 28]\n  --> " +
                    folder / "z.npy");
  expectFailure(runFakeModel({"run", "--input", folder / "x.npy", "--output", "/no/such/y.npy", "--weights",
                              folder / "w"}),
                "cannot create the file: No such file or directory\n  --> /no/such/y.npy");
  BOOST_TEST(filesIn(folder.text()).size() == 4u);
}

BOOST_AUTO_TEST_CASE(classify_names_classes) {
  TemporaryFolder folder;
  const std::vector<float> weight(7840), bias = {0, 0, 0, 4, 0, 0, 0, 0, 0, 5}, mean = {0};
  writeSafetensors(
      folder / "w",
      {{"fc.weight", {10, 784}, weight}, {"fc.bias", {10}, bias}, {"norm.running_mean", {1}, mean}},
      {{"vernier.classes", R"(["a","b","c","dog"])"}});
  const std::string image = VERNIER_CORPUS "/image/rgb.jpg";
  const Outcome outcome = runFakeModel({"classify", image, "--weights", folder / "w", "--top", "2"});
  BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
  BOOST_TEST(outcome.out == image + "\n   70.33%  class 9\n   25.87%  dog\n");
  writeText(folder / "labels", "only\ntwo\n");
  expectFailure(runFakeModel({"classify", image, "--weights", folder / "w", "--labels", folder / "labels"}),
                "the file names 2 classes, model `fake` has 10");
  expectFailure(runFakeModel({"classify", folder / "labels", "--weights", folder / "w"}),
                "the file is no image that is known");
}

// Class 0 wins where the upper half is brighter, class 1 where the lower one is.
BOOST_AUTO_TEST_CASE(images_are_turned_unless_that_is_ignored) {
  TemporaryFolder folder;
  std::vector<float> weight(7840);
  for (size_t i = 0; i < 784; ++i)
    weight[i] = i < 392 ? 1.0f : -1.0f, weight[784 + i] = -weight[i];
  const std::vector<float> bias(10), mean = {0};
  const std::vector<TensorView> tensors = {
      {"fc.weight", {10, 784}, weight}, {"fc.bias", {10}, bias}, {"norm.running_mean", {1}, mean}};
  writeSafetensors(folder / "w", tensors, {});
  writeSafetensors(folder / "stored", tensors, {{"vernier.orientation", "ignored"}});
  // White above black, to be turned by 180 degrees.
  const std::string image = VERNIER_CORPUS "/image/upside_down.png";
  const auto best = [&](const std::vector<std::string> &options) {
    std::vector<std::string> arguments = {"classify", image, "--top", "1"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome outcome = runFakeModel(arguments);
    BOOST_TEST(outcome.status == 0, outcome.err);
    return outcome.out.substr(outcome.out.rfind("class "));
  };
  BOOST_TEST(best({"--weights", folder / "w"}) == "class 1\n");
  BOOST_TEST(best({"--weights", folder / "w", "--ignore-orientation"}) == "class 0\n");
  BOOST_TEST(best({"--weights", folder / "stored"}) == "class 0\n"); // as training took them
}

BOOST_AUTO_TEST_CASE(broken_images_are_refused_or_counted) {
  TemporaryFolder folder;
  const std::string good = readText(VERNIER_CORPUS "/image/grey.png");
  for (int c = 0; c < 2; ++c)
    for (int i = 0; i < 12; ++i)
      for (const char *split : {"train", "val"})
        writeText(folder / ("data/" + std::string(split) + "/" + std::to_string(c) + "/" + std::to_string(i) +
                            ".png"),
                  good);
  const std::string broken = folder / "data/train/1/5.png", alsoBroken = folder / "data/val/0/3.png";
  writeText(broken, good.substr(0, good.size() / 2));
  writeText(alsoBroken, "GIF89a");
  writeText(folder / "data/val/0/x.heic", "");
  writeText(folder / "r.toml",
            "epochs = 1\n[optimizer]\nlearning_rate = 0.001\n[data]\norientation = false\n");
  std::vector<std::string> command = {"train",           "--data", folder / "data", "--recipe",
                                      folder / "r.toml", "--out",  folder / "out"};
  expectFailure(runFakeModel(command), "the PNG image cannot be decoded");
  fs::remove_all(folder / "out");
  command.push_back("--skip-broken");
  const Outcome trained = runFakeModel(command);
  BOOST_REQUIRE_MESSAGE(trained.status == 0, trained.err);
  BOOST_TEST(trained.err.find("are left out: 1 .heic\n  --> " + folder / "data/val") != std::string::npos,
             trained.err);
  BOOST_TEST(trained.err.find("1 broken image is left out; the first: the PNG image cannot be decoded") !=
                 std::string::npos,
             trained.err);
  BOOST_TEST(trained.err.find("1 broken image is left out; the first: the file is a GIF image\n  --> " +
                              alsoBroken) != std::string::npos,
             trained.err);
  BOOST_TEST(json::parse(readText(folder / "out/summary.json"))["broken_images"] == 2);
  const std::string weights = folder / "out/weights.safetensors";
  BOOST_TEST(Safetensors::read(weights).metadata().at("vernier.orientation") == "ignored");

  command = {"eval", "--data", folder / "data", "--weights", weights, "--json"};
  const Outcome refused = runFakeModel(command);
  BOOST_TEST(refused.status == 1);
  BOOST_TEST(refused.err.find(alsoBroken) != std::string::npos);
  command.push_back("--skip-broken");
  const Outcome eval = runFakeModel(command);
  BOOST_REQUIRE_MESSAGE(eval.status == 0, eval.err);
  BOOST_TEST(json::parse(eval.out)["images"] == 23);
  BOOST_TEST(json::parse(eval.out)["broken_images"] == 1);
}

BOOST_AUTO_TEST_CASE(eval_takes_images_and_what_is_said_of_them) {
  TemporaryFolder folder;
  // Class 1 wins where the mean of the normalised image is positive, else class 0.
  std::vector<float> weight(7840);
  std::fill_n(weight.begin() + 784, 784, 1.0f);
  const std::vector<float> bias = {0, 0, -1e9, -1e9, -1e9, -1e9, -1e9, -1e9, -1e9, -1e9}, mean = {0};
  writeSafetensors(
      folder / "w",
      {{"fc.weight", {10, 784}, weight}, {"fc.bias", {10}, bias}, {"norm.running_mean", {1}, mean}}, {});
  for (const char *name : {"images/a.png", "images/b.png"})
    writeText(folder / name, readText(VERNIER_CORPUS "/image/grey.png"));
  writeText(folder / "labels", "1\n0\n");
  const auto eval = [&](const std::vector<std::string> &options) {
    std::vector<std::string> arguments = {"eval", "--weights", folder / "w"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return runFakeModel(arguments);
  };
  const std::vector<std::string> images = {"--images", folder / "images", "--labels", folder / "labels"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), images.begin(), images.end());
    return eval(more);
  };
  // Every image is brighter than black and darker than white, however it is scaled.
  writeText(folder / "ones", "1\n1\n");
  for (const auto &[value, accuracy] : {std::pair("0", 1.0), std::pair("1", 0.0)}) {
    const Outcome outcome = eval({"--images", folder / "images", "--labels", folder / "ones", "--mean", value,
                                  "--std", "0.5", "--json"});
    BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    BOOST_TEST(json::parse(outcome.out)["images"] == 2);
    BOOST_TEST(json::parse(outcome.out)["top1"] == accuracy);
  }
  BOOST_TEST(with({"--resize", "28"}).status == 0);
  expectFailure(with({"--mean", "0.5,0.5,0.5"}),
                "3 numbers are given, the images have 1 channel\n  --> --mean");
  expectFailure(with({"--std", "0"}), "images cannot be normalised by 0\n  --> --std");
  expectFailure(with({"--resize", "99999"}), "images cannot be resized to 99999 pixels\n  --> --resize");
  expectFailure(with({"--data", folder.text()}), "two sources of images are given\n  --> --data, --images");
  expectFailure(eval({}),
                "there are no images to evaluate on\n  --> --data, --images\nhelp: either --data DIR");
  expectFailure(eval({"--images", folder.text()}), "a folder of images needs the labels of its images");
  writeText(folder / "labels", "1\n10\n");
  expectFailure(with({}), "image 1 has label 10, model `fake` has 10 classes");
}

BOOST_AUTO_TEST_CASE(wrong_command_lines) {
  expectFailure(runFakeModel({"bench", "--lyers"}),
                "unknown option `--lyers`\nhelp: closest option: `--layers`");
  expectFailure(runFakeModel({"info", "extra"}), "unexpected argument `extra`");
  expectFailure(runFakeModel({"run", "--input", "x"}), "--output is required");
  expectFailure(runFakeModel({"bench", "--threads", "0"}), "--threads");
  expectFailure(runFakeModel({}), "a command is needed");
  expectFailure(
      runFakeModel({"eval", "--data", "/nowhere"}),
      "model `fake` has no weights\nhelp: give them with --weights FILE, or put fake.safetensors beside");
  expectFailure(runFakeModel({"eval", "--data", "/nowhere", "--weights", "/none"}),
                "cannot open the file: No such file or directory\n  --> /none");
  BOOST_TEST(runFakeModel({"--help"}).status == 0);
}

BOOST_AUTO_TEST_SUITE_END()
