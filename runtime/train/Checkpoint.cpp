#include "runtime/train/Checkpoint.h"

#include "runtime/Error.h"
#include "runtime/io/Json.h"
#include "runtime/io/Weights.h"

#include <algorithm>
#include <cstdio>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <iterator>
#include <sstream>

namespace vernier::runtime {

static const std::string modelPrefix = "model.", momentumPrefix = "momentum.";

void writeCheckpoint(const std::string &path, Session &session, const Sgd &optimizer, const Recipe &recipe,
                     const TrainState &state) {
  HostTensors tensors = weightTensors(session, modelPrefix);
  const HostTensors momentum = optimizer.tensors(momentumPrefix);
  std::ranges::copy(momentum.views, std::back_inserter(tensors.views));
  writeSafetensors(path, tensors.views,
                   {{"vernier.recipe", recipe.canonical()}, {"vernier.state", stateText(state)}});
}

/// What may be another in a resumed run, such as after the loss was no longer finite.
static bool mayChange(std::string_view line) {
  static constexpr std::string_view keys[] = {"learning_rate", "schedule", "warmup_epochs",
                                              "milestones",    "factor",   "final_learning_rate",
                                              "rates",         "power"};
  return std::ranges::find(keys, line.substr(0, line.find(" = "))) != std::end(keys);
}

/// Lines in which two canonical recipes differ, the checkpoint's first.
using RecipeDifferences = std::vector<std::pair<std::string, std::string>>;

static std::string keyOf(const std::string &line) { return line.substr(0, line.find(" = ")); }

static std::vector<std::string> linesOf(const std::string &canonical) {
  std::vector<std::string> lines;
  std::istringstream text(canonical);
  for (std::string line; std::getline(text, line);)
    lines.push_back(line);
  return lines;
}

/// By keys: of those that were added later a recipe has a line only where it differs from the default.
static RecipeDifferences differences(const std::string &before, const std::string &now) {
  const std::vector<std::string> a = linesOf(before), b = linesOf(now);
  const auto counterpart = [](const std::vector<std::string> &lines, const std::string &line) {
    const auto found = std::ranges::find(lines, keyOf(line), keyOf);
    return found == lines.end() ? keyOf(line) + " = (default)" : *found;
  };
  RecipeDifferences result;
  for (const std::string &line : a)
    if (const std::string other = counterpart(b, line); line != other)
      result.emplace_back(line, other);
  for (const std::string &line : b)
    if (std::ranges::find(a, keyOf(line), keyOf) == a.end())
      result.emplace_back(counterpart(a, line), line);
  return result;
}

/// Refuses a recipe that differs in more than how fast it learns; returns in which lines.
static RecipeDifferences compareRecipes(const std::string &before, const std::string &now,
                                        const std::string &path) {
  const auto found = differences(before, now);
  for (const auto &[checkpoint, recipe] : found)
    if (!mayChange(checkpoint) || !mayChange(recipe))
      throw Error(VN_ERROR_ARGUMENT, "the interrupted run had another recipe")
          .at(path)
          .note(fmt::format("the checkpoint has `{}`, the recipe `{}`", checkpoint, recipe))
          .help("resume with the same recipe (more epochs, and another learning rate and schedule, are "
                "allowed), "
                "or begin anew with another --out");
  return found;
}

static std::string termsText(const std::optional<std::vector<std::string>> &terms) {
  if (!terms)
    return "a classifier's";
  return terms->empty() ? "without names" : fmt::format("{}", fmt::join(*terms, ", "));
}

namespace {

struct CheckedCheckpoint {
  TrainState state;
  RecipeDifferences differences;
  FoundWeights weights;
};

} // namespace

static CheckedCheckpoint check(const Safetensors &file, const ModelOutline &model, const Recipe &recipe,
                               const RunData &data) {
  const std::string &path = file.place();
  const Metadata &metadata = file.metadata();
  if (!metadata.contains("vernier.recipe") || !metadata.contains("vernier.state"))
    throw Error(VN_ERROR_FORMAT, "the file is no checkpoint of a training run").at(path);
  CheckedCheckpoint checked;
  checked.differences = compareRecipes(metadata.at("vernier.recipe"), recipe.canonical(), path);
  TrainState &state = checked.state;
  try {
    state = parseState(metadata.at("vernier.state"), model.batch);
  } catch (const JsonError &error) {
    throw Error(VN_ERROR_FORMAT, fmt::format("the checkpoint's state cannot be used: {}", error.what()))
        .at(path)
        .help("the file is damaged: begin anew with another --out");
  }
  if (const auto now = termsOf(model); state.terms != now)
    throw Error(VN_ERROR_ARGUMENT, fmt::format("the interrupted run had other losses: {}, now {}",
                                               termsText(state.terms), termsText(now)))
        .at(path)
        .help("resume with a model of the same specification, or begin anew with another --out");
  if (state.trainingImages != data.trainingImages)
    throw Error(VN_ERROR_ARGUMENT, fmt::format("the interrupted run trained on {} images, now there are {}",
                                               state.trainingImages, data.trainingImages))
        .at(path)
        .help("resume with the same --data, or begin anew with another --out");
  if (!state.data.empty() && state.data != data.digest && !data.acceptOther)
    throw Error(VN_ERROR_ARGUMENT,
                "the data set is not what the interrupted run had: images, labels, targets or names "
                "have changed")
        .at(data.place)
        .note("the run is that of " + path)
        .help(
            "resume with the same data; --accept-changed-data goes on with what there is now; or begin anew "
            "with another --out");
  if (state.step > data.steps)
    throw Error(VN_ERROR_ARGUMENT, fmt::format("the checkpoint is {} steps in, {} epochs have {}", state.step,
                                               recipe.epochs, data.steps))
        .at(path);
  state.data = data.digest;
  Sgd::find(model, file, momentumPrefix);
  checked.weights = findWeights(model, file, modelPrefix);
  return checked;
}

TrainState checkCheckpoint(const std::string &path, const ModelOutline &model, const Recipe &recipe,
                           const RunData &data) {
  return check(Safetensors::read(path), model, recipe, data).state;
}

TrainState readCheckpoint(const std::string &path, Session &session, Sgd &optimizer, const Recipe &recipe,
                          const RunData &data) {
  const Safetensors file = Safetensors::read(path);
  CheckedCheckpoint checked = check(file, session.model(), recipe, data);
  for (const auto &[checkpoint, now] : checked.differences)
    fmt::print(stderr, "warning: from here on `{}` instead of `{}`\n", now, checkpoint);
  optimizer.load(file, momentumPrefix);
  takeWeights(session, file, checked.weights);
  return std::move(checked.state);
}

} // namespace vernier::runtime
