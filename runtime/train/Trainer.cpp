#include "runtime/train/Trainer.h"

#include "runtime/Error.h"
#include "runtime/core/Finite.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Shape.h"
#include "runtime/core/Sizes.h"
#include "runtime/data/Loader.h"
#include "runtime/io/File.h"
#include "runtime/io/Text.h"
#include "runtime/io/Weights.h"
#include "runtime/process/FolderLock.h"
#include "runtime/train/Checkpoint.h"
#include "runtime/train/Divergence.h"
#include "runtime/train/EvaluateLosses.h"
#include "runtime/train/GradientSum.h"
#include "runtime/train/Initialize.h"
#include "runtime/train/Inputs.h"
#include "runtime/train/Log.h"
#include "runtime/train/Progress.h"
#include "runtime/train/StepArrays.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vernier::runtime {

using nlohmann::ordered_json;

namespace {

/// Steps that a device which need not be waited for has to do, at most.
constexpr size_t mostUnderWay = 4;
/// After so many steps what they change is kept on such a device, in case one of the next is not finite.
constexpr int64_t keepEvery = 64;

/// A step of the training, from its start until it is known what it computed.
struct Step {
  int64_t number = 0; ///< from 0
  double learningRate = 0;
  std::vector<int32_t> labels;  ///< of the images that count
  size_t runs = 0;              ///< of train_step: one, or one for each configuration
  std::vector<StepArrays> each; ///< their arrays
  std::vector<IoArrays> sums;   ///< of `accumulate` behind each of several, and behind all
  std::optional<IoArrays> update;
  int64_t last = 0; ///< run, which is waited for
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
        session(model,
                {.threads = options.threads, .training = true, .number = options.device, .pipelined = true}),
        optimizer(session, recipe.optimizer), steps(session.pipeline() ? mostUnderWay : 1) {
    prepareDataset(*training.images, options);
    if (validation.images)
      prepareDataset(*validation.images, options);
    if (model.num_sizes > 1)
      recipe.size = fmt::format("{}, batch {}", imageSizeText(model), model.batch);
    applyChoices();
    loaders = options.loaders ? int(options.loaders) : defaultLoaderThreads(*training.images);
    checkResultsFolder(options);
    prepareOutput();
    start();
  }

  void run() {
    warnOfOneValueNorms();
    const StopRequests requests;
    try {
      runOrInterrupt();
    } catch (const Error &error) {
      if (error.status() != VN_ERROR_DEVICE)
        throw;
      const int64_t first = std::min(state.step, recipe.epochs * stepsPerEpoch - 1);
      throw deviceFailure(error, underWay, place(first, first / stepsPerEpoch));
    }
  }

private:
  void runOrInterrupt() {
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

  /// Starts what computes one update's gradients. Of a model with open holes their sum over several
  /// configurations, as algorithm 1 of Resizable Neural Networks has it.
  void startGradients(Step &step, const Batch &batch, int64_t epoch) {
    const bool several = model.num_holes > 0 && epoch < firstOfTarget;
    std::vector<Choices> configurations;
    if (several)
      configurations = sampleConfigurations(model, recipe.choices.sampling, recipe.seed, step.number);
    step.runs = several ? configurations.size() : 1;
    while (step.each.size() < step.runs)
      step.each.emplace_back(session, recipe.labelSmoothing);
    while (several && step.sums.size() <= step.runs)
      step.sums.push_back(sum->arrays());
    if (several)
      sum->clear();
    for (size_t i = 0; i < step.runs; ++i) {
      if (several)
        session.choose(configurations[i]);
      step.each[i].draw(recipe.seed, step.number, uint32_t(i));
      step.last = step.each[i].start(session, batch);
      requireFinite(step, i, false, batch, epoch);
      if (several) {
        step.last = sum->add(step.sums[i]);
        requireFinite(step, i, true, batch, epoch);
      }
    }
    if (several) {
      step.last = sum->finish(step.sums[step.runs]);
      session.choose(target);
    }
  }

  /// Where each run is waited for, nothing is started behind numbers that are not finite.
  void requireFinite(Step &step, size_t run, bool added, const Batch &batch, int64_t epoch) {
    if (steps.size() > 1)
      return;
    session.wait(step.last);
    const double loss = step.each[run].loss();
    if (!std::isfinite(loss) || (added && !GradientSum::finite(step.sums[run])))
      throw diverged(step.number, loss, batch, epoch);
  }

  /// Of a step that is done: its losses, the sums that it took and what it updated.
  static bool isFinite(Step &step) {
    bool finite = Sgd::finite(*step.update);
    for (size_t i = 0; i < step.runs; ++i)
      finite = finite && std::isfinite(step.each[i].loss()) &&
               (step.sums.size() <= i || GradientSum::finite(step.sums[i]));
    return finite;
  }

  /// The mean of its configurations.
  template <class Value> static double meanOf(Step &step, Value value) {
    double sum = 0;
    for (size_t i = 0; i < step.runs; ++i)
      sum += value(step.each[i]);
    return sum / double(step.runs);
  }
  static double lossOf(Step &step) {
    return meanOf(step, [](StepArrays &arrays) { return arrays.loss(); });
  }
  std::vector<double> termsOf(Step &step) const {
    std::vector<double> terms;
    for (size_t i = 0; i < state.termSums.size(); ++i)
      terms.push_back(meanOf(step, [&](StepArrays &arrays) { return arrays.term(i); }));
    return terms;
  }

  Step &stepAt(int64_t number) { return steps[size_t(number) % steps.size()]; }

  void startStep(int64_t number, const Batch &batch, int64_t epoch) {
    Step &step = stepAt(number);
    step.number = number;
    step.learningRate = learningRate(recipe, number, stepsPerEpoch);
    step.labels.assign(batch.labels.begin(), batch.labels.begin() + batch.count);
    startGradients(step, batch, epoch);
    if (!step.update)
      step.update.emplace(optimizer.arrays());
    step.last = optimizer.start(*step.update, step.learningRate, trainedIn(epoch));
  }

  /// Waits for the first of those under way.
  void finishStep(const Batch *batch, int64_t epoch, TrainLog &log, Progress &progress) {
    Step &step = stepAt(state.step);
    session.wait(step.last);
    const double loss = lossOf(step);
    if (!isFinite(step)) {
      underWay = 0;
      if (steps.size() > 1)
        runAgain(step.number, epoch);
      throw diverged(step.number, loss, *batch, epoch);
    }
    --underWay;
    const Clock::time_point now = Clock::now();
    const double seconds = std::max(std::chrono::duration<double>(now - finished).count(), 1e-9);
    finished = now;
    ++state.step;
    for (size_t i = 0; i < step.runs && classifies(); ++i)
      state.correct += step.each[i].correct(step.labels);
    state.images += int64_t(step.labels.size() * step.runs);
    state.lossSum += loss;
    const std::vector<double> terms = termsOf(step);
    for (size_t i = 0; i < terms.size(); ++i)
      state.termSums[i] += terms[i];
    state.epochSeconds += seconds;
    if (state.step % recipe.logEvery == 0)
      log.step(state.step, epoch + 1, loss, terms, step.learningRate, double(step.labels.size()) / seconds);
    progress.step(state);
  }

  /// What the device has is of steps behind `bad`, which is not finite. So from what was kept before it once
  /// more, waiting for each run: the same call gives the same numbers.
  [[noreturn]] void runAgain(int64_t bad, int64_t epoch) {
    size_t before = 0;
    for (size_t i = 0; i < kept.size(); ++i)
      if (kept[i] <= bad && (kept[before] > bad || kept[i] > kept[before]))
        before = i;
    steps.clear();
    steps.resize(1);
    session.pipeline()->restore(int(before));
    try {
      Loader loader(*training.images, preprocessing, loaderOptions(kept[before], epoch));
      for (int64_t number = kept[before]; number <= bad; ++number) {
        const Batch &batch = *loader.next();
        startStep(number, batch, epoch);
        session.wait(stepAt(number).last);
        if (!isFinite(stepAt(number)))
          throw diverged(number, lossOf(stepAt(number)), batch, epoch);
      }
    } catch (const Interrupted &) {
      throw unnamedDivergence("it was interrupted before it was known which", place(bad, epoch));
    }
    throw unnamedDivergence("when it ran again, all were: the device does not compute the same twice",
                            place(bad, epoch));
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

  Error diverged(int64_t step, double loss, const Batch &batch, int64_t epoch) {
    std::vector<std::string> bad;
    const std::vector<int64_t> order = shuffledOrder(images, recipe.seed, uint32_t(epoch));
    const size_t first = size_t(step % stepsPerEpoch * model.batch);
    const size_t size = batch.images.size() / size_t(model.batch);
    for (size_t i = 0; i < size_t(batch.count); ++i)
      if (std::string text = imageText(*training.images, "training", order[first + i], model,
                                       std::span(batch.images).subspan(i * size, size));
          !text.empty())
        bad.push_back(std::move(text));
    return divergence(session, loss, bad, place(step, epoch));
  }

  /// Images of the validation data for which a result is not finite.
  class NotFinite {
  public:
    /// "logits" are, "loss" is not finite.
    NotFinite(const Trainer &trainer, const char *what, const char *verb)
        : trainer(trainer), what(what), verb(verb) {}

    void add(IoArrays &arrays, int64_t row, int64_t index) {
      if (count++ > 0)
        return;
      const auto image = arrays.floats(size_t(0));
      const size_t size = image.size() / size_t(trainer.model.batch);
      const Dataset &images = *trainer.validation.images;
      first = imageText(images, "validation", index, trainer.model, image.subspan(size_t(row) * size, size));
      if (first.empty())
        first = fmt::format("the {} of image {} {} not finite", what, images.name(index), verb);
    }

    /// Refuses a loss that is not finite.
    void require(double loss, int64_t images) const {
      if (std::isfinite(loss))
        return;
      std::vector<std::string> notes;
      if (count > 0)
        notes.push_back(first);
      if (count > 1)
        notes.push_back(
            fmt::format("the {} of {} more of {} images {} not finite", what, count - 1, images, verb));
      throw validationDivergence(
          loss, notes,
          trainer.place(trainer.state.step - 1, (trainer.state.step - 1) / trainer.stepsPerEpoch));
    }

  private:
    const Trainer &trainer;
    const char *const what, *const verb;
    int64_t count = 0;
    std::string first;
  };

  void validate(EpochResult &result) {
    if (classifies()) {
      result.validation = validate();
      result.seconds += result.validation->seconds;
    } else {
      result.validationLosses = validateLosses();
      result.seconds += result.validationLosses->seconds;
    }
  }

  /// On the validation data; refuses a loss that is not finite.
  Accuracy validate() {
    const size_t classes = size_t(model.classes);
    NotFinite notFinite(*this, "logits", "are");
    const Accuracy result =
        evaluate(session, *validation.images, preprocessing, loaders, {},
                 [&](IoArrays &arrays, int64_t row, int64_t index) {
                   if (!allFinite(arrays.floats(size_t(1)).subspan(size_t(row) * classes, classes)))
                     notFinite.add(arrays, row, index);
                 });
    notFinite.require(result.loss, result.images);
    return result;
  }

  Losses validateLosses() {
    NotFinite notFinite(*this, "loss", "is");
    const Losses result = evaluateLosses(session, validation, preprocessing, loaders, {},
                                         [&](IoArrays &arrays, int64_t row, int64_t index) {
                                           if (!std::isfinite(arrays.floats("loss")[size_t(row)]))
                                             notFinite.add(arrays, row, index);
                                         });
    notFinite.require(result.loss, result.images);
    return result;
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
    state.terms = runtime::termsOf(model);
    state.termSums.assign(state.terms ? state.terms->size() : 0, 0);
    if (hasCheckpoint(options)) {
      state = readCheckpoint(checkpointPath(), session, optimizer, recipe, data);
      readKeptLog(options.out, state.step); // to refuse it before a step is done
      checkpointStep = state.step;
      if (!options.quiet)
        fmt::print("resuming after step {} of {}\n", state.step, recipe.epochs * stepsPerEpoch);
    } else {
      if (!weights.whole())
        initializeWeights(session, {.seed = recipe.seed, .uniform = recipe.uniformInitialization});
      weights.take(session);
    }
  }

  LoaderOptions loaderOptions(int64_t step, int64_t epoch) const {
    LoaderOptions load;
    load.batch = model.batch;
    load.order = shuffledOrder(images, recipe.seed, uint32_t(epoch));
    load.firstBatch = step % stepsPerEpoch;
    load.augmentation = recipe.augmentation;
    load.seed = recipe.seed;
    load.epoch = uint32_t(epoch);
    load.threads = loaders;
    load.targets = training.targets;
    return load;
  }

  /// While the device computes steps, the next are started; so far ahead the host is, it sees what they were.
  void runEpoch(int64_t epoch, TrainLog &log, Progress &progress) {
    const int64_t first = state.step;
    Loader loader(*training.images, preprocessing, loaderOptions(first, epoch));
    kept.fill(INT64_MAX);
    finished = Clock::now();
    const auto finishAll = [&] {
      while (underWay > 0)
        finishStep(nullptr, epoch, log, progress);
    };
    try {
      while (const Batch *batch = loader.next()) {
        const int64_t number = state.step + underWay;
        if (session.pipeline() && (number - first) % keepEvery == 0) {
          const size_t copy = size_t((number - first) / keepEvery) % kept.size();
          session.pipeline()->keep(int(copy));
          kept[copy] = number;
        }
        startStep(number, *batch, epoch);
        if (++underWay == int64_t(steps.size()))
          finishStep(batch, epoch, log, progress);
        stopIfAsked();
        const bool lastOfEpoch = (number + 1) % stepsPerEpoch == 0; // its checkpoint follows validation
        if (!lastOfEpoch && recipe.checkpointEvery > 0 && (number + 1) % recipe.checkpointEvery == 0) {
          finishAll();
          saveCheckpoint();
        }
      }
    } catch (const Error &error) { // such as an interrupt, or an image that is broken
      if (error.status() != VN_ERROR_DEVICE)
        finishAll();
      throw;
    }
    finishAll();
  }

  void finishEpoch(int64_t epoch) {
    EpochResult result;
    result.epoch = epoch + 1;
    result.loss = state.lossSum / double(stepsPerEpoch);
    if (classifies())
      result.accuracy = double(state.correct) / double(state.images);
    for (double &sum : state.termSums) {
      result.terms.push_back(sum / double(stepsPerEpoch));
      sum = 0;
    }
    result.learningRate = learningRate(recipe, state.step - 1, stepsPerEpoch);
    result.seconds = state.epochSeconds;
    const bool last = epoch + 1 == recipe.epochs;
    if (validation.images && (last || (recipe.validateEvery > 0 && (epoch + 1) % recipe.validateEvery == 0)))
      validate(result);
    state.seconds += result.seconds;
    state.lossSum = state.epochSeconds = 0;
    state.correct = state.images = 0;
    state.epochs.push_back(result);
  }

  bool classifies() const { return !state.terms; }

  void writeResults() {
    EpochResult final = state.epochs.back();
    if (validation.images && !final.validation && !final.validationLosses) // where a longer run was cut here
      validate(final);
    Metadata metadata = {{"vernier.model", model.name}};
    preprocessing.store(metadata);
    if (!training.images->classNames.empty())
      metadata["vernier.classes"] = namesAsJson(training.images->classNames);
    writeSafetensors(options.out + "/weights.safetensors", weightTensors(session).views, metadata);

    writeSummary(final);
    training.images->broken.print();
    if (validation.images)
      validation.images->broken.print();
    if (options.quiet)
      return;
    const std::string reached =
        final.validation ? fmt::format("accuracy {:.2f}% (top-5 {:.2f}%)", 100 * final.validation->top1,
                                       100 * final.validation->top5)
        : final.validationLosses ? fmt::format("validation loss {:.4f}", final.validationLosses->loss)
                                 : fmt::format("loss {:.4f}", final.loss);
    fmt::print("{} after {} in {}: {}/weights.safetensors\n", reached, counted(recipe.epochs, "epoch"),
               durationText(state.seconds), options.out);
  }

  void writeSummary(const EpochResult &final) const {
    ordered_json summary = {{"model", model.name},     {"data", utf8Text(options.data)},
                            {"epochs", recipe.epochs}, {"steps", state.step},
                            {"batch", model.batch},    {"seed", recipe.seed},
                            {"macs", model.macs}};
    if (final.validation)
      summary["accuracy"] = final.validation->top1, summary["top5"] = final.validation->top5,
      summary["validation_loss"] = final.validation->loss;
    if (final.validationLosses)
      for (const auto &[name, value] : namedLosses(*final.validationLosses, *state.terms))
        summary["validation_" + name] = value;
    ordered_json losses = ordered_json::array(), validations = ordered_json::array();
    for (const EpochResult &epoch : state.epochs) {
      losses.push_back(epoch.loss);
      if (epoch.validation)
        validations.push_back(
            {{"epoch", epoch.epoch}, {"top1", epoch.validation->top1}, {"top5", epoch.validation->top5}});
      if (epoch.validationLosses) {
        ordered_json &entry = validations.emplace_back(ordered_json{{"epoch", epoch.epoch}});
        for (const auto &[name, value] : namedLosses(*epoch.validationLosses, *state.terms))
          entry[name] = value;
      }
    }
    summary["loss"] = std::move(losses);
    for (size_t i = 0; i < state.termSums.size(); ++i)
      for (const EpochResult &epoch : state.epochs)
        summary[state.terms->at(i)].push_back(epoch.terms[i]);
    if (final.validation || final.validationLosses)
      summary["validation"] = std::move(validations);
    summary["seconds"] = state.seconds;
    if (model.num_holes > 0) {
      summary["configuration"] = choicesText(model, target);
      summary["macs"] = macsOf(model, target);
    }
    if (options.skipBroken)
      summary["broken_images"] =
          training.images->broken.count() + (validation.images ? validation.images->broken.count() : 0);
    writeFileAtomically(options.out + "/summary.json", summary.dump(2) + "\n");
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
  std::optional<FolderLock> lock;        ///< on the folder of the results
  TrainState state;                      ///< after the last step that was waited for
  std::optional<int64_t> checkpointStep; ///< of the last checkpoint

  using Clock = std::chrono::steady_clock;
  std::vector<Step> steps;                      ///< each in its turn; one where the device is waited for
  int64_t underWay = 0;                         ///< so many behind state.step were started
  std::array<int64_t, Pipeline::copies> kept{}; ///< before which step each copy was made
  Clock::time_point finished;                   ///< the last step
};

} // namespace

void train(const vn_model &model, const TrainOptions &options) { Trainer(model, options).run(); }

} // namespace vernier::runtime
