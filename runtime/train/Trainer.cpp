#include "runtime/train/Trainer.h"

#include "runtime/Error.h"
#include "runtime/core/Finite.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Shape.h"
#include "runtime/data/Loader.h"
#include "runtime/io/Weights.h"
#include "runtime/train/Checkpoint.h"
#include "runtime/train/Divergence.h"
#include "runtime/train/GradientSum.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/Log.h"
#include "runtime/train/Progress.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vernier::runtime {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

volatile std::sig_atomic_t interruptions = 0;
void noteInterruption(int) { interruptions = interruptions + 1; }

/// While it lives, the first interrupt only asks training to stop at the next step, with a checkpoint.
class InterruptGuard {
public:
  InterruptGuard() {
    interruptions = 0;
    struct sigaction action {};
    action.sa_handler = noteInterruption;
    action.sa_flags = int(SA_RESETHAND); // a second interrupt ends the process at once
    sigaction(SIGINT, &action, &oldInterrupt);
    sigaction(SIGTERM, &action, &oldTerminate);
  }
  ~InterruptGuard() {
    sigaction(SIGINT, &oldInterrupt, nullptr);
    sigaction(SIGTERM, &oldTerminate, nullptr);
  }

private:
  struct sigaction oldInterrupt, oldTerminate;
};

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

class Trainer {
public:
  Trainer(const vn_model &model, const TrainOptions &options)
      : model(model), options(options), recipe(readRecipe(options.recipe)), preprocessing(model),
        session(model, {.threads = options.threads, .training = true}), optimizer(session, recipe.optimizer) {
    applyRecipe();
    applyChoices();
    training = openDataset(options.data, Split::Training);
    validation = openDataset(options.data, Split::Test);
    checkLabels(*training, model);
    checkLabels(*validation, model);
    if (dynamic_cast<const ArrayDataset *>(training.get()) &&
        (recipe.augmentation.flip || recipe.augmentation.cropPadding))
      throw Error(VN_ERROR_ARGUMENT, "arrays that are no images cannot be augmented")
          .at(options.recipe)
          .help("leave the table `augmentation` out");
    images = recipe.data.limit ? std::min(recipe.data.limit, training->size()) : training->size();
    stepsPerEpoch = images / model.batch; // the images of an epoch's last, partial batch are left out
    if (stepsPerEpoch == 0)
      throw Error(VN_ERROR_VALUE, fmt::format("{} images do not fill one batch of {}", images, model.batch))
          .at(options.data)
          .help("build the model with a smaller --batch");
    loaders = options.loaders ? int(options.loaders) : defaultLoaderThreads(*training);
    for (int64_t i = 0; i < model.num_parameters; ++i)
      if (const vn_parameter &parameter = model.parameters[i]; parameter.space == VN_SPACE_STATISTICS)
        statistics.push_back(session.values(parameter));
    prepareOutput();
    start();
  }

  void run() {
    warnOfOneValueNorms();
    TrainLog log(options.out, state);
    Progress progress(state.step, recipe.epochs * stepsPerEpoch, stepsPerEpoch, options.quiet);
    const InterruptGuard guard;
    for (int64_t epoch = state.step / stepsPerEpoch; epoch < recipe.epochs; ++epoch) {
      runEpoch(epoch, log, progress);
      finishEpoch(epoch);
      log.epoch(state);
      progress.epoch(state);
      saveCheckpoint();
    }
    writeResults();
  }

private:
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

  void applyRecipe() {
    if (options.epochs)
      recipe.epochs = options.epochs;
    if (recipe.batch != 0 && recipe.batch != model.batch)
      throw Error(VN_ERROR_ARGUMENT,
                  fmt::format("the recipe wants batches of {}, model `{}` was built for {}", recipe.batch,
                              model.name, model.batch))
          .at(options.recipe)
          .help(fmt::format("build the model with `--batch {}`", recipe.batch));
    recipe.batch = model.batch;
    preprocessing.resize = recipe.data.resize;
    if (!recipe.data.mean.empty()) {
      if (int64_t(recipe.data.mean.size()) != model.channels)
        throw Error(VN_ERROR_ARGUMENT, fmt::format("`mean` has {} values, model `{}` takes {} channels",
                                                   recipe.data.mean.size(), model.name, model.channels))
            .at(options.recipe);
      preprocessing.mean = recipe.data.mean, preprocessing.deviation = recipe.data.deviation;
    }
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

  /// Of a training step's loss and running statistics; the optimizer looks at the rest.
  void requireFinite(double loss, const Batch &batch, int64_t epoch) {
    if (!std::isfinite(loss) || !std::ranges::all_of(statistics, allFinite))
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

  std::string checkpointPath() const { return options.out + "/checkpoint.safetensors"; }

  void prepareOutput() {
    std::error_code error;
    fs::create_directories(options.out, error);
    if (error || !fs::is_directory(options.out))
      throw Error(VN_ERROR_FILE,
                  fmt::format("cannot create the folder: {}", error ? error.message() : "a file is there"))
          .at(options.out)
          .help("choose a place that this user may write");
    if (!options.resume && fs::exists(checkpointPath()))
      throw Error(VN_ERROR_FILE, "the folder already holds a training run")
          .at(options.out)
          .help("continue it with --resume, or choose another --out");
  }

  void start() {
    state.trainingImages = images;
    if (options.resume && fs::exists(checkpointPath())) {
      state = readCheckpoint(checkpointPath(), session, optimizer, recipe, images);
      checkpointStep = state.step;
      if (state.step > recipe.epochs * stepsPerEpoch)
        throw Error(VN_ERROR_ARGUMENT, fmt::format("the checkpoint is {} steps in, {} epochs have {}",
                                                   state.step, recipe.epochs, recipe.epochs * stepsPerEpoch))
            .at(checkpointPath());
      if (!options.quiet)
        fmt::print("resuming after step {} of {}\n", state.step, recipe.epochs * stepsPerEpoch);
    } else if (!options.weights.empty()) {
      loadWeights(session, Safetensors::read(options.weights));
    } else {
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
      const bool lastOfEpoch = state.step % stepsPerEpoch == 0; // its checkpoint follows validation
      if (lastOfEpoch)
        continue;
      if (recipe.checkpointEvery > 0 && state.step % recipe.checkpointEvery == 0)
        saveCheckpoint();
      if (interruptions) {
        saveCheckpoint();
        throw Error(VN_ERROR_STATE, fmt::format("interrupted after step {}", state.step))
            .help("continue with the same command and --resume");
      }
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
    Metadata metadata = {{"vernier.model", model.name}};
    preprocessing.store(metadata);
    if (!training->classNames.empty())
      metadata["vernier.classes"] = ordered_json(training->classNames).dump();
    writeSafetensors(options.out + "/weights.safetensors", weightTensors(session), metadata);

    ordered_json losses = ordered_json::array(), accuracies = ordered_json::array();
    for (const EpochResult &epoch : state.epochs) {
      losses.push_back(epoch.loss);
      if (epoch.validation)
        accuracies.push_back(
            {{"epoch", epoch.epoch}, {"top1", epoch.validation->top1}, {"top5", epoch.validation->top5}});
    }
    const auto &validated = state.epochs.back().validation; // missing where a longer run was cut here
    const Accuracy final = validated ? *validated : validate();
    ordered_json summary = {{"model", model.name},       {"data", options.data},
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
    writeFileAtomically(options.out + "/summary.json", summary.dump(2) + "\n");
    if (!options.quiet)
      fmt::print("accuracy {:.2f}% (top-5 {:.2f}%) after {} in {}: {}/weights.safetensors\n",
                 100 * final.top1, 100 * final.top5, counted(recipe.epochs, "epoch"),
                 durationText(state.seconds), options.out);
  }

  const vn_model &model;
  const TrainOptions &options;
  Recipe recipe;
  Preprocessing preprocessing;
  Session session;
  Sgd optimizer;
  std::unique_ptr<Dataset> training, validation;
  int64_t images = 0, stepsPerEpoch = 0;
  Choices target;                 ///< what is validated
  int64_t firstOfTarget = 0;      ///< the epoch from which on it is trained alone
  std::optional<GradientSum> sum; ///< of configurations
  std::vector<bool> targetParameters;
  int loaders = 1;
  std::vector<std::span<const float>> statistics; ///< all running ones
  TrainState state;
  std::optional<int64_t> checkpointStep; ///< of the last checkpoint
};

} // namespace

void train(const vn_model &model, const TrainOptions &options) { Trainer(model, options).run(); }

} // namespace vernier::runtime
