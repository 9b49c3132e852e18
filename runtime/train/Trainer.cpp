#include "runtime/train/Trainer.h"

#include "runtime/Error.h"
#include "runtime/core/Finite.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Shape.h"
#include "runtime/data/Loader.h"
#include "runtime/io/File.h"
#include "runtime/io/Text.h"
#include "runtime/io/Weights.h"
#include "runtime/process/FolderLock.h"
#include "runtime/train/Checkpoint.h"
#include "runtime/train/Divergence.h"
#include "runtime/train/GradientSum.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/Inputs.h"
#include "runtime/train/Log.h"
#include "runtime/train/Progress.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vernier::runtime {

using nlohmann::ordered_json;

namespace {

/// The arrays of train_step, filled from batches.
class StepArrays {
public:
  StepArrays(const vn_model &model, double labelSmoothing) : model(model), arrays(model.train_step) {
    if (arrays.find("label_smoothing"))
      arrays.floats("label_smoothing")[0] = float(labelSmoothing);
    const vn_io *labels = arrays.find("labels");
    oneHot = labels && labels->type == VN_FLOAT32; // binary cross-entropy takes targets
  }

  /// Returns the loss.
  double run(Session &session, const Batch &batch) {
    std::ranges::copy(batch.images, arrays.floats("image").begin());
    if (oneHot) {
      const auto targets = arrays.floats("labels");
      std::ranges::fill(targets, 0.0f);
      for (size_t i = 0; i < batch.labels.size(); ++i)
        targets[i * size_t(model.classes) + size_t(batch.labels[i])] = 1.0f;
    } else {
      std::ranges::copy(batch.labels, arrays.ints("labels").begin());
    }
    session.trainStep(arrays.pointers());
    return double(arrays.floats("loss")[0]);
  }

  int64_t correct(const Batch &batch) {
    const auto logits = arrays.floats("logits");
    int64_t count = 0;
    for (size_t i = 0; i < batch.labels.size(); ++i)
      count += rankOf(logits.subspan(i * size_t(model.classes), size_t(model.classes)), batch.labels[i]) == 0;
    return count;
  }

private:
  const vn_model &model;
  IoArrays arrays;
  bool oneHot = false;
};

std::string namesAsJson(const std::vector<std::string> &names) {
  ordered_json list = ordered_json::array();
  for (const std::string &name : names)
    list.push_back(utf8Text(name));
  return list.dump();
}

class Trainer : TrainingInputs {
public:
  Trainer(const vn_model &model, const TrainOptions &options)
      : TrainingInputs(model, options), model(model), options(options),
        session(model, {.threads = options.threads, .training = true, .number = options.device}),
        optimizer(session, recipe.optimizer) {
    prepareDataset(*training, options);
    prepareDataset(*validation, options);
    applyChoices();
    loaders = options.loaders ? int(options.loaders) : defaultLoaderThreads(*training);
    checkResultsFolder(options);
    if (!options.weights.empty())
      loadWeights(session, Safetensors::read(options.weights));
    prepareOutput();
    start();
  }

  void run() {
    warnOfOneValueNorms();
    const StopRequests requests;
    try {
      runEpochs();
      writeResults();
    } catch (const Interrupted &) {
      saveCheckpoint();
      Interrupted interrupted(fmt::format("interrupted after step {}", state.step));
      interrupted.help("continue with the same command and --resume");
      throw interrupted;
    }
  }

private:
  void runEpochs() {
    TrainLog log(options.out, state);
    Progress progress(state.step, recipe.epochs * stepsPerEpoch, stepsPerEpoch, options.quiet);
    // An epoch whose steps are done may still lack its validation.
    for (int64_t epoch = int64_t(state.epochs.size()); epoch < recipe.epochs; ++epoch) {
      if (state.step < (epoch + 1) * stepsPerEpoch)
        runEpoch(epoch, log, progress);
      finishEpoch(epoch);
      log.epoch(state);
      progress.epoch(state);
      saveCheckpoint();
    }
  }

  /// Batch norms of which the build found that they learn nothing but their bias.
  void warnOfOneValueNorms() const {
    const auto description = ordered_json::parse(model.description, nullptr, false);
    if (!description.is_object() || !description.contains("one_value_batch_norms"))
      return;
    for (const auto &place : description["one_value_batch_norms"])
      fmt::print(stderr,
                 "warning: batch norm `{}` has one value per channel in training: it learns its bias alone\n"
                 "help: build the model with --batch 2 or more, or leave the batch norm out\n",
                 place.is_string() ? place.get<std::string>() : std::string());
  }

  void applyChoices() {
    target.assign(size_t(model.num_holes), 0);
    if (model.num_holes == 0) {
      if (!recipe.choices.target.empty())
        throw Error(VN_ERROR_ARGUMENT, fmt::format("model `{}` has no open holes to choose for", model.name))
            .at(options.recipe)
            .help("build it without binding its `choose` holes, or leave `target` out");
      return;
    }
    if (!options.configuration.empty())
      recipe.choices.target = options.configuration, recipe.choices.targetEpochs = recipe.epochs;
    if (!recipe.choices.target.empty())
      target = parseChoices(model, recipe.choices.target);
    firstOfTarget = recipe.epochs - recipe.targetEpochs();
    session.choose(target);
    if (firstOfTarget > 0)
      sum.emplace(session);
  }

  /// One update's gradients; returns the loss. Of a model with open holes the sum over several
  /// configurations, as algorithm 1 of Resizable Neural Networks has it, and the mean of their losses.
  double computeGradients(StepArrays &arrays, const Batch &batch, int64_t epoch) {
    if (model.num_holes == 0 || epoch >= firstOfTarget) {
      const double loss = arrays.run(session, batch);
      requireFinite(loss, batch, epoch);
      state.correct += arrays.correct(batch);
      state.images += batch.count;
      return loss;
    }
    const auto configurations = sampleConfigurations(model, recipe.choices.sampling, recipe.seed, state.step);
    double loss = 0;
    sum->clear();
    for (const Choices &configuration : configurations) {
      session.choose(configuration);
      const double own = arrays.run(session, batch);
      requireFinite(own, batch, epoch);
      if (!sum->add())
        throw diverged(own, batch, epoch);
      loss += own;
      state.correct += arrays.correct(batch);
      state.images += batch.count;
    }
    sum->finish();
    session.choose(target);
    return loss / double(configurations.size());
  }

  /// The parameters that an update of this epoch trains: of a target alone those that it has.
  const std::vector<bool> *trainedIn(int64_t epoch) {
    if (model.num_holes == 0)
      return nullptr;
    if (epoch < firstOfTarget)
      return &sum->added();
    if (targetParameters.empty())
      targetParameters = trainedParameters(model, target);
    return &targetParameters;
  }

  /// Of a training step's loss; the programs that follow look at the rest.
  void requireFinite(double loss, const Batch &batch, int64_t epoch) {
    if (!std::isfinite(loss))
      throw diverged(loss, batch, epoch);
  }

  TrainingPlace place(int64_t step, int64_t epoch) const {
    return {.step = step + 1,
            .steps = recipe.epochs * stepsPerEpoch,
            .epoch = epoch + 1,
            .epochs = recipe.epochs,
            .learningRate = learningRate(recipe, step, stepsPerEpoch),
            .configuration = choicesText(model, session.choices()),
            .checkpoint = checkpointPath(),
            .checkpointStep = checkpointStep};
  }

  /// "image 5 of the training data holds nan at [1, 2, 3]"; empty where all is finite.
  static std::string imageText(const Dataset &dataset, const char *which, int64_t index,
                               const vn_model &model, std::span<const float> values) {
    const int64_t shape[] = {model.channels, model.height, model.width};
    const NonFinite found = findNonFinite(values);
    return found ? fmt::format("image {} of the {} data holds {}", dataset.name(index), which,
                               nonFiniteText(found, shape))
                 : std::string();
  }

  Error diverged(double loss, const Batch &batch, int64_t epoch) {
    std::vector<std::string> bad;
    const std::vector<int64_t> order = shuffledOrder(images, recipe.seed, uint32_t(epoch));
    const size_t first = size_t(state.step % stepsPerEpoch * model.batch);
    const size_t size = batch.images.size() / size_t(model.batch);
    for (size_t i = 0; i < size_t(batch.count); ++i)
      if (std::string text = imageText(*training, "training", order[first + i], model,
                                       std::span(batch.images).subspan(i * size, size));
          !text.empty())
        bad.push_back(std::move(text));
    return divergence(session, loss, bad, place(state.step, epoch));
  }

  /// On the validation data; refuses a loss that is not finite.
  Accuracy validate() {
    const size_t classes = size_t(model.classes);
    int64_t count = 0;
    std::vector<std::string> notes;
    const Accuracy result = evaluate(
        session, *validation, preprocessing, loaders, {}, [&](IoArrays &arrays, int64_t row, int64_t index) {
          if (allFinite(arrays.floats(size_t(1)).subspan(size_t(row) * classes, classes)) || count++ > 0)
            return;
          const auto image = arrays.floats(size_t(0));
          const size_t size = image.size() / size_t(model.batch);
          notes.push_back(
              imageText(*validation, "validation", index, model, image.subspan(size_t(row) * size, size)));
          if (notes.back().empty())
            notes.back() = fmt::format("the logits of image {} are not finite", validation->name(index));
        });
    if (std::isfinite(result.loss))
      return result;
    if (count > 1)
      notes.push_back(
          fmt::format("the logits of {} more of {} images are not finite", count - 1, result.images));
    throw validationDivergence(result.loss, notes, place(state.step - 1, (state.step - 1) / stepsPerEpoch));
  }

  void saveCheckpoint() {
    writeCheckpoint(checkpointPath(), session, optimizer, recipe, state);
    checkpointStep = state.step;
  }

  std::string checkpointPath() const { return runtime::checkpointPath(options); }

  void prepareOutput() {
    createFolder(options.out);
    lock.emplace(options.out, "--out");
    checkResultsFolder(options); // another run may have ended meanwhile
  }

  void start() {
    const RunData data = runData(options);
    state.trainingImages = images;
    state.data = data.digest;
    if (hasCheckpoint(options)) {
      state = readCheckpoint(checkpointPath(), session, optimizer, recipe, data);
      readKeptLog(options.out, state.step); // to refuse it before a step is done
      checkpointStep = state.step;
      if (!options.quiet)
        fmt::print("resuming after step {} of {}\n", state.step, recipe.epochs * stepsPerEpoch);
    } else if (options.weights.empty()) {
      initializeWeights(session, {.seed = recipe.seed, .uniform = recipe.uniformInitialization});
    }
  }

  void runEpoch(int64_t epoch, TrainLog &log, Progress &progress) {
    using Clock = std::chrono::steady_clock;
    LoaderOptions load;
    load.batch = model.batch;
    load.order = shuffledOrder(images, recipe.seed, uint32_t(epoch));
    load.firstBatch = state.step % stepsPerEpoch;
    load.augmentation = recipe.augmentation;
    load.seed = recipe.seed;
    load.epoch = uint32_t(epoch);
    load.threads = loaders;
    Loader loader(*training, preprocessing, std::move(load));
    StepArrays arrays(model, recipe.labelSmoothing);
    Clock::time_point before = Clock::now();
    while (const Batch *batch = loader.next()) {
      const double rate = learningRate(recipe, state.step, stepsPerEpoch);
      const double loss = computeGradients(arrays, *batch, epoch);
      if (!optimizer.step(rate, trainedIn(epoch)))
        throw diverged(loss, *batch, epoch);
      const Clock::time_point after = Clock::now();
      const double seconds = std::chrono::duration<double>(after - before).count();
      before = after;
      ++state.step;
      state.lossSum += loss;
      state.epochSeconds += seconds;
      if (state.step % recipe.logEvery == 0)
        log.step(state.step, epoch + 1, loss, rate, double(batch->count) / seconds);
      progress.step(state);
      stopIfAsked();
      const bool lastOfEpoch = state.step % stepsPerEpoch == 0; // its checkpoint follows validation
      if (!lastOfEpoch && recipe.checkpointEvery > 0 && state.step % recipe.checkpointEvery == 0)
        saveCheckpoint();
    }
  }

  void finishEpoch(int64_t epoch) {
    EpochResult result;
    result.epoch = epoch + 1;
    result.loss = state.lossSum / double(stepsPerEpoch);
    result.accuracy = double(state.correct) / double(state.images);
    result.learningRate = learningRate(recipe, state.step - 1, stepsPerEpoch);
    result.seconds = state.epochSeconds;
    const bool last = epoch + 1 == recipe.epochs;
    if (last || (recipe.validateEvery > 0 && (epoch + 1) % recipe.validateEvery == 0)) {
      result.validation = validate();
      result.seconds += result.validation->seconds;
    }
    state.seconds += result.seconds;
    state.lossSum = state.epochSeconds = 0;
    state.correct = state.images = 0;
    state.epochs.push_back(result);
  }

  void writeResults() {
    const auto &validated = state.epochs.back().validation; // missing where a longer run was cut here
    const Accuracy final = validated ? *validated : validate();
    Metadata metadata = {{"vernier.model", model.name}};
    preprocessing.store(metadata);
    if (!training->classNames.empty())
      metadata["vernier.classes"] = namesAsJson(training->classNames);
    writeSafetensors(options.out + "/weights.safetensors", weightTensors(session).views, metadata);

    ordered_json losses = ordered_json::array(), accuracies = ordered_json::array();
    for (const EpochResult &epoch : state.epochs) {
      losses.push_back(epoch.loss);
      if (epoch.validation)
        accuracies.push_back(
            {{"epoch", epoch.epoch}, {"top1", epoch.validation->top1}, {"top5", epoch.validation->top5}});
    }
    ordered_json summary = {{"model", model.name},       {"data", utf8Text(options.data)},
                            {"epochs", recipe.epochs},   {"steps", state.step},
                            {"batch", model.batch},      {"seed", recipe.seed},
                            {"macs", model.macs},        {"accuracy", final.top1},
                            {"top5", final.top5},        {"validation_loss", final.loss},
                            {"loss", std::move(losses)}, {"validation", std::move(accuracies)},
                            {"seconds", state.seconds}};
    if (model.num_holes > 0) {
      summary["configuration"] = choicesText(model, target);
      summary["macs"] = macsOf(model, target);
    }
    if (options.skipBroken)
      summary["broken_images"] = training->broken.count() + validation->broken.count();
    writeFileAtomically(options.out + "/summary.json", summary.dump(2) + "\n");
    training->broken.print();
    validation->broken.print();
    if (!options.quiet)
      fmt::print("accuracy {:.2f}% (top-5 {:.2f}%) after {} in {}: {}/weights.safetensors\n",
                 100 * final.top1, 100 * final.top5, counted(recipe.epochs, "epoch"),
                 durationText(state.seconds), options.out);
  }

  const vn_model &model;
  const TrainOptions &options;
  Session session;
  Sgd optimizer;
  Choices target;                 ///< what is validated
  int64_t firstOfTarget = 0;      ///< the epoch from which on it is trained alone
  std::optional<GradientSum> sum; ///< of configurations
  std::vector<bool> targetParameters;
  int loaders = 1;
  std::optional<FolderLock> lock; ///< on the folder of the results
  TrainState state;
  std::optional<int64_t> checkpointStep; ///< of the last checkpoint
};

} // namespace

void train(const vn_model &model, const TrainOptions &options) { Trainer(model, options).run(); }

} // namespace vernier::runtime
