// Training of models that declare their losses: targets from files to the arrays of a step, and what is told
// of it.
#include "tests/runtime/AcceleratedFake.h"
#include "tests/runtime/Support.h"

#include "runtime/data/Loader.h"
#include "runtime/data/Targets.h"
#include "runtime/io/Npy.h"
#include "runtime/train/Progress.h"
#include "runtime/train/StepArrays.h"
#include "runtime/train/Trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace vernier::runtime;
using namespace vernier::test;
using nlohmann::json;

using Fake = FakeModel<4, 1, 2, 2, 3>;

static constexpr int64_t count = 10; // images
static const std::string recipe = "epochs = 3\nlog_every = 5\n[optimizer]\nlearning_rate = 0.1\n"
                                  "[schedule]\nkind = \"constant\"\n";
static const vn_model declared = Fake::declaredModel();

namespace {

/// A segmentation's outline, and files that fit.
struct Segmentation {
  Segmentation() {
    outline.name = "m", outline.batch = 2, outline.channels = 1, outline.height = 2, outline.width = 2;
    outline.declaresLosses = true;
    outline.targets = targets;
    write("arrays", {count, 1, 2, 2}, std::vector<float>(4 * count, 0.5f));
    write("mask", {count, 2, 2}, mask);
    write("depth", {count, 1, 2, 2}, depth);
  }

  void write(const std::string &name, std::vector<int64_t> shape, std::span<const float> values) const {
    writeNpy(path(name), shape, values);
  }
  std::string path(const std::string &name) const { return folder / ("train-" + name + ".npy"); }
  DataWithTargets open() const { return openWithTargets(folder.text(), outline, Split::Training); }
  void refuses(vn_status status, const std::string &text) const {
    expectError(status, text, [&] { open(); });
  }

  TemporaryFolder folder;
  std::vector<float> mask = std::vector<float>(4 * count, 3), depth = std::vector<float>(4 * count, -1.5f);
  vn_io targets[2] = {{"mask", VN_INT32, VN_INPUT, 3, {2, 2, 2, 0}, 4, 255},
                      {"depth", VN_FLOAT32, VN_INPUT, 4, {2, 1, 2, 2}, 0, 0}};
  ModelOutline outline;
};

/// What the fake model is trained with: the brightest pixel is the class.
struct Workshop {
  Workshop() {
    std::vector<float> images, kinds;
    for (int64_t i = 0; i < size; ++i) {
      kinds.push_back(float(i % 3));
      for (int64_t pixel = 0; pixel < 4; ++pixel)
        images.push_back(pixel == i % 3 ? 1.0f : float(i % 7) / 20);
    }
    std::filesystem::create_directory(folder / "data");
    writeNpy(folder / "data/train-arrays.npy", std::vector<int64_t>{size, 1, 2, 2}, images);
    writeNpy(folder / "data/train-kind.npy", std::vector<int64_t>{size}, kinds);
    writeNumbers(0);
    writeText(folder / "r.toml", recipe);
  }
  void writeNumbers(float first) const {
    std::vector<float> numbers(4 * size);
    numbers[0] = first;
    writeNpy(folder / "data/train-trained.npy", std::vector<int64_t>{size, 1, 2, 2}, numbers);
  }
  void run(const vn_model &model, const std::string &out, int64_t epochs = 0, bool resume = false) const {
    TrainOptions options;
    options.data = folder / "data", options.recipe = folder / "r.toml", options.out = folder / out;
    options.threads = 1, options.quiet = true;
    options.epochs = epochs, options.resume = resume;
    train(model, options);
  }
  std::string file(const std::string &name) const { return readText(folder / name); }

  static constexpr int64_t size = 40;
  TemporaryFolder folder;
};

/// Images of which some cannot be read.
struct Blank : Dataset {
  int64_t size() const override { return count; }
  int64_t label(int64_t) const override { return 0; }
  Image image(int64_t index) const override {
    if (index % 4 == 1)
      throw Error(VN_ERROR_FORMAT, "broken");
    return {2, 2, 1};
  }
};

} // namespace

template <class T> static std::vector<T> valuesOf(std::span<const std::byte> bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

BOOST_AUTO_TEST_SUITE(targets)

BOOST_AUTO_TEST_CASE(the_outline_tells_targets_and_terms) {
  const ModelOutline outline(declared), classifier(Fake::model);
  BOOST_TEST(!classifier.declaresLosses);
  BOOST_TEST(classifier.targets.empty());
  BOOST_TEST(outline.declaresLosses);
  BOOST_REQUIRE(outline.targets.size() == 2u);
  BOOST_TEST(outline.targets[0].name == std::string("kind"));
  BOOST_REQUIRE(outline.terms.size() == 1u);
  BOOST_TEST(outline.terms[0].name == std::string("loss.main"));
  vn_model inference = Fake::model;
  inference.train_step = {};
  BOOST_TEST(!ModelOutline(inference).declaresLosses);
  // A target may have the name of a classifier's array.
  vn_io arrays[] = {{"image", VN_FLOAT32, 0, 4, {4, 1, 2, 2}, 0, 0},
                    {"label_smoothing", VN_FLOAT32, 0, 2, {4, 1, 0, 0}, 0, 0},
                    {"loss", VN_FLOAT32, 1, 1, {1, 0, 0, 0}, 0, 0}};
  inference.train_step.io = arrays, inference.train_step.num_io = 3;
  BOOST_TEST(ModelOutline(inference).targets.size() == 1u);
  BOOST_TEST(ModelOutline(inference).terms.empty());
}

BOOST_AUTO_TEST_CASE(files_of_targets) {
  Segmentation set;
  set.mask[7] = 255, set.mask[4] = 0;
  set.write("mask", {count, 2, 2}, set.mask);
  const DataWithTargets data = set.open();
  BOOST_TEST(data.images->size() == count);
  BOOST_REQUIRE(data.targets.size() == 2u);
  BOOST_TEST(valuesOf<int32_t>(data.targets[0].row(1)) == (std::vector<int32_t>{0, 3, 3, 255}),
             boost::test_tools::per_element());
  BOOST_TEST(valuesOf<float>(data.targets[1].row(9)) == std::vector<float>(4, -1.5f),
             boost::test_tools::per_element());
  // One number is another data set.
  const uint64_t digest = data.targetsDigest();
  set.depth.back() = -1.25f;
  set.write("depth", {count, 1, 2, 2}, set.depth);
  BOOST_TEST(set.open().targetsDigest() != digest);
}

// Beyond 2^24 the floats between whole numbers are gaps.
BOOST_AUTO_TEST_CASE(labels_are_exact) {
  Segmentation set;
  set.targets[0].ignored = 16777217;
  std::string file = readText(set.path("mask"));
  const size_t data = file.size() - 4 * size_t(set.mask.size());
  file.replace(file.find("<f4"), 3, "<i4");
  for (size_t i = 0; i < set.mask.size(); ++i) {
    const int32_t label = i == 5 ? 16777217 : 2;
    std::memcpy(&file[data + 4 * i], &label, 4);
  }
  writeText(set.path("mask"), file);
  BOOST_TEST(valuesOf<int32_t>(set.open().targets[0].row(1))[1] == 16777217);
  set.targets[0].ignored = 16777216;
  set.refuses(VN_ERROR_VALUE, "image 1 has label 16777217 at [0, 1], which target `mask` cannot have");
}

BOOST_AUTO_TEST_CASE(mistakes_in_targets) {
  Segmentation set;
  const std::string needed = "help: it needs train-mask.npy, whole numbers from 0 to 3, and 255 for what "
                             "does not count of shape N x 2 x 2";
  set.mask[6] = 4;
  set.write("mask", {count, 2, 2}, set.mask);
  set.refuses(VN_ERROR_VALUE,
              "image 1 has label 4 at [1, 0], which target `mask` cannot have\n  --> " + set.path("mask") +
                  "\nhelp: labels are whole numbers from 0 to 3, and 255 for what does not count");
  for (const float label : {-1.0f, 2.5f, std::nanf(""), INFINITY, 1e20f}) {
    set.mask[6] = label;
    set.write("mask", {count, 2, 2}, set.mask);
    set.refuses(VN_ERROR_VALUE, "at [1, 0], which target `mask` cannot have");
  }
  set.write("mask", {count - 1, 2, 2}, std::vector<float>(4 * (count - 1)));
  set.refuses(VN_ERROR_FORMAT,
              "there are 10 images, and target `mask` is here for 9\n  --> " + set.path("mask"));
  set.write("mask", {count, 4}, std::vector<float>(4 * count));
  set.refuses(VN_ERROR_FORMAT, "the array has shape [10, 4], target `mask` takes N x 2 x 2\n  --> " +
                                   set.path("mask") + "\n" + needed);
  std::filesystem::remove(set.path("mask"));
  set.refuses(VN_ERROR_FILE, "the data set lacks `train-mask.npy`, target `mask` of each image\n  --> " +
                                 set.folder.text() + "\n" + needed);
  set.write("mask", {count, 2, 2}, std::vector<float>(4 * count));

  set.depth[9] = INFINITY;
  set.write("depth", {count, 1, 2, 2}, set.depth);
  set.refuses(VN_ERROR_VALUE, "target `depth` of image 2 holds inf at [0, 0, 1]");
  set.write("depth", {count, 1, 2, 2}, std::vector<float>(4 * count));
  std::vector<float> images(4 * count);
  images[2] = std::nanf("");
  set.write("arrays", {count, 1, 2, 2}, images);
  set.refuses(VN_ERROR_VALUE, "image 0 holds nan at [0, 1, 0]");
  set.write("arrays", {count, 1, 1, 4}, std::vector<float>(4 * count));
  set.refuses(VN_ERROR_ARGUMENT, "the arrays have shape [1, 1, 4], model `m` takes [1, 2, 2]");
  std::filesystem::remove(set.path("arrays"));
  set.refuses(VN_ERROR_FORMAT, "help: it needs train-arrays.npy, the images, floats of shape N x 1 x 2 x 2; "
                               "train-mask.npy");
  set.targets[1].name = "arrays";
  set.refuses(VN_ERROR_ARGUMENT, "the file of target `arrays` would be that of the images");
}

// Where the only target is a label of each image, whatever has labels will do; without targets, any images.
BOOST_AUTO_TEST_CASE(labels_of_images_are_the_only_target) {
  TemporaryFolder folder;
  writeIdxDataset(folder.text(), 20, 2);
  ModelOutline outline;
  outline.name = "m", outline.channels = 1, outline.height = 2, outline.width = 2;
  outline.declaresLosses = true;
  vn_io kind = {"kind", VN_INT32, VN_INPUT, 1, {2, 0, 0, 0}, 10, 0};
  outline.targets = {&kind, 1};
  const DataWithTargets data = openWithTargets(folder.text(), outline, Split::Training);
  for (int64_t i = 0; i < 20; ++i)
    BOOST_TEST(valuesOf<int32_t>(data.targets[0].row(i))[0] == data.images->label(i));
  kind.classes = 1;
  expectError(VN_ERROR_VALUE,
              "cannot have\n  --> " + folder.text() + "\nhelp: labels are whole numbers from 0 to 0",
              [&] { openWithTargets(folder.text(), outline, Split::Training); });
  outline.targets = {};
  BOOST_TEST(openWithTargets(folder.text(), outline, Split::Training).images->size() == 20);

  const int64_t shape[] = {2, 1, 2, 2};
  const float labels[] = {3, 1};
  writeNpy(folder / "train-arrays.npy", shape, std::vector<float>(8));
  BOOST_TEST(openWithTargets(folder.text(), outline, Split::Training).images->size() == 2);
  kind.classes = 4;
  outline.targets = {&kind, 1};
  writeNpy(folder / "train-labels.npy", std::span(shape).first(1), labels);
  BOOST_TEST(
      valuesOf<int32_t>(openWithTargets(folder.text(), outline, Split::Training).targets[0].row(0))[0] == 3);
  writeNpy(folder / "train-kind.npy", std::span(shape).first(1), std::vector<float>{0, 2});
  BOOST_TEST(
      valuesOf<int32_t>(openWithTargets(folder.text(), outline, Split::Training).targets[0].row(1))[0] == 2);
}

// An image that takes the place of a broken one brings its targets.
BOOST_AUTO_TEST_CASE(batches_carry_targets) {
  Blank images;
  images.skipBroken = true;
  std::vector<TargetValues> targets(1);
  targets[0].rowBytes = 8;
  for (int32_t i = 0; i < count; ++i)
    for (const int32_t value : {10 * i, 10 * i + 1}) {
      const auto bytes = std::as_bytes(std::span(&value, 1));
      targets[0].bytes.insert(targets[0].bytes.end(), bytes.begin(), bytes.end());
    }
  LoaderOptions options;
  options.batch = 4;
  options.order = {7, 1, 5, 2, 9, 8, 0, 4};
  options.targets = targets;
  Loader loader(images, Preprocessing(Fake::model), options);
  using Ints = std::vector<int32_t>;
  BOOST_TEST(valuesOf<int32_t>(loader.next()->targets[0]) == (Ints{70, 71, 20, 21, 70, 71, 20, 21}),
             boost::test_tools::per_element());
  BOOST_TEST(valuesOf<int32_t>(loader.next()->targets[0]) == (Ints{80, 81, 0, 1, 40, 41, 80, 81}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(steps_take_targets_and_give_terms) {
  Session session(declared, {.threads = 1, .training = true});
  for (const vn_parameter &parameter : Fake::parameters)
    fill(session, parameter, 0);
  setFirst(session, Fake::parameters[2], 2); // class 0 has more than the others
  StepArrays arrays(session, 0);
  Batch batch;
  batch.count = 4;
  batch.images.assign(16, 1);
  const int32_t kinds[] = {0, 0, 1, 2};
  const std::vector<float> numbers(16); // their first is the smoothing
  using Bytes = std::span<const std::byte>;
  for (const Bytes bytes : {Bytes(std::as_bytes(std::span(kinds))), Bytes(std::as_bytes(std::span(numbers)))})
    batch.targets.emplace_back(bytes.begin(), bytes.end());
  session.wait(arrays.start(session, batch));
  const double all = std::log(std::exp(2.0) + 2), expected = (2 * (all - 2) + 2 * all) / 4;
  BOOST_TEST(arrays.loss() == expected, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(arrays.term(0) == arrays.loss());
  // A target's name means nothing: `trained` of the optimizer is 0 or 1.
  const float more = 3;
  std::memcpy(&batch.targets[1][4], &more, 4);
  session.wait(arrays.start(session, batch));
  const int32_t wrong = 3;
  std::memcpy(&batch.targets[0][4], &wrong, 4);
  expectError(VN_ERROR_VALUE, "element 1 of `kind` is 3",
              [&] { session.wait(arrays.start(session, batch)); });
}

BOOST_AUTO_TEST_CASE(training_tells_terms_and_no_accuracy) {
  const Workshop workshop;
  workshop.run(declared, "out");
  const json summary = json::parse(workshop.file("out/summary.json"));
  for (const char *absent : {"accuracy", "top5", "validation_loss", "validation"})
    BOOST_TEST(!summary.contains(absent), absent);
  BOOST_REQUIRE(summary["loss.main"].size() == 3u);
  BOOST_TEST(summary["loss.main"] == summary["loss"]);
  BOOST_TEST(summary["loss"][2].get<double>() < summary["loss"][0].get<double>());
  std::istringstream log(workshop.file("out/log.jsonl"));
  int steps = 0, epochs = 0;
  for (std::string line; std::getline(log, line);) {
    const json entry = json::parse(line);
    BOOST_TEST(!entry.contains("epoch_accuracy"));
    const bool ofStep = entry.contains("loss");
    steps += ofStep, epochs += !ofStep;
    BOOST_TEST(entry[ofStep ? "loss.main" : "epoch_loss.main"] == entry[ofStep ? "loss" : "epoch_loss"]);
  }
  BOOST_TEST(steps == 6);
  BOOST_TEST(epochs == 3);
  BOOST_TEST(workshop.file("out/log.csv").starts_with("epoch,learning_rate,loss,loss.main,seconds\n1,"));
}

// In two parts as in one, and on a device that is not waited for as on the CPU.
BOOST_AUTO_TEST_CASE(training_goes_on) {
  const Workshop workshop;
  workshop.run(declared, "whole");
  workshop.run(declared, "parts", 1);
  workshop.run(declared, "parts", 3, true);
  watched = {};
  vn::emulation::setSeed(1);
  workshop.run(AcceleratedFake<Fake>::declaredModel(), "device");
  const json summary = json::parse(workshop.file("whole/summary.json"));
  for (const std::string other : {"parts", "device"}) {
    BOOST_TEST((workshop.file(other + "/weights.safetensors") == workshop.file("whole/weights.safetensors")),
               other);
    BOOST_TEST(json::parse(workshop.file(other + "/summary.json"))["loss.main"] == summary["loss.main"],
               other);
  }

  // What it goes on with must be what it was.
  workshop.writeNumbers(0.5f);
  expectError(VN_ERROR_ARGUMENT, "the data set is not what the interrupted run had",
              [&] { workshop.run(declared, "parts", 5, true); });
  workshop.writeNumbers(0);
  vn_io renamed[6];
  std::ranges::copy(Fake::declaredIo, renamed);
  renamed[5].name = "loss.other";
  vn_model other = declared;
  other.train_step.io = renamed;
  expectError(VN_ERROR_ARGUMENT, "the interrupted run had other losses: loss.main, now loss.other",
              [&] { workshop.run(other, "parts", 5, true); });
}

BOOST_AUTO_TEST_CASE(recipes_that_say_something_in_vain) {
  const Workshop workshop;
  const std::pair<std::string, std::string> cases[] = {
      {"label_smoothing = 0.1\n" + recipe,
       "`label_smoothing` says nothing of the losses that model `fake` declares"},
      {"validate_every = 2\n" + recipe, "`validate_every` is 2, but there is nothing to validate on"},
      {recipe + "[augmentation]\nflip = true\n", "arrays that are no images cannot be augmented"}};
  for (const auto &[text, message] : cases) {
    writeText(workshop.folder / "r.toml", text);
    expectError(VN_ERROR_ARGUMENT, message, [&] { workshop.run(declared, "out"); });
  }
  BOOST_TEST(!std::filesystem::exists(workshop.folder / "out"));
}

BOOST_AUTO_TEST_CASE(progress_without_accuracy) {
  const ProgressFacts facts{
      .epoch = 1, .epochs = 3, .step = 4, .stepsPerEpoch = 9, .loss = 0.25, .imagesPerSecond = 8};
  BOOST_TEST(progressLine(facts, 0) == "epoch 1/3, step 4/9: loss 0.2500, 8 images/s, 0:00 left");
  EpochResult epoch;
  epoch.epoch = 2, epoch.loss = 0.5;
  BOOST_TEST(epochLine(epoch, 3, 5, 0) == "epoch 2/3: loss 0.5000, 0:00, 0:05 left");
}

BOOST_AUTO_TEST_SUITE_END()
