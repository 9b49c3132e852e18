#include "runtime/train/Checkpoint.h"

#include "runtime/Error.h"
#include "runtime/io/Weights.h"

#include <algorithm>
#include <cstdio>
#include <fmt/core.h>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

namespace vernier::runtime {

using nlohmann::json;

static const std::string modelPrefix = "model.", momentumPrefix = "momentum.";

static json toJson(const TrainState &state) {
  json epochs = json::array();
  for (const EpochResult &epoch : state.epochs) {
    json entry = {{"epoch", epoch.epoch},
                  {"loss", epoch.loss},
                  {"accuracy", epoch.accuracy},
                  {"learning_rate", epoch.learningRate},
                  {"seconds", epoch.seconds}};
    if (const auto &validation = epoch.validation)
      entry["validation"] = {{"images", validation->images},
                             {"top1", validation->top1},
                             {"top5", validation->top5},
                             {"loss", validation->loss},
                             {"seconds", validation->seconds}};
    epochs.push_back(entry);
  }
  return {{"step", state.step},        {"training_images", state.trainingImages},
          {"loss_sum", state.lossSum}, {"correct", state.correct},
          {"images", state.images},    {"epoch_seconds", state.epochSeconds},
          {"seconds", state.seconds},  {"epochs", std::move(epochs)}};
}

static TrainState fromJson(const json &text) {
  TrainState state;
  state.step = text.at("step");
  state.trainingImages = text.at("training_images");
  state.lossSum = text.at("loss_sum");
  state.correct = text.at("correct");
  state.images = text.at("images");
  state.epochSeconds = text.at("epoch_seconds");
  state.seconds = text.at("seconds");
  for (const json &entry : text.at("epochs")) {
    EpochResult epoch{entry.at("epoch"),         entry.at("loss"),    entry.at("accuracy"),
                      entry.at("learning_rate"), entry.at("seconds"), {}};
    if (entry.contains("validation")) {
      const json &validation = entry["validation"];
      epoch.validation = Accuracy{validation.at("images"), validation.at("top1"), validation.at("top5"),
                                  validation.at("loss"), validation.at("seconds")};
    }
    state.epochs.push_back(epoch);
  }
  return state;
}

void writeCheckpoint(const std::string &path, Session &session, const Sgd &optimizer, const Recipe &recipe,
                     const TrainState &state) {
  std::vector<TensorView> tensors = weightTensors(session, modelPrefix);
  std::ranges::move(optimizer.tensors(momentumPrefix), std::back_inserter(tensors));
  writeSafetensors(path, tensors,
                   {{"vernier.recipe", recipe.canonical()}, {"vernier.state", toJson(state).dump()}});
}

/// What may be another in a resumed run, such as after the loss was no longer finite.
static bool mayChange(std::string_view line) {
  static constexpr std::string_view keys[] = {"learning_rate", "schedule", "warmup_epochs",
                                              "milestones",    "factor",   "final_learning_rate"};
  return std::ranges::find(keys, line.substr(0, line.find(" = "))) != std::end(keys);
}

/// Lines in which two canonical recipes differ, the checkpoint's first.
static std::vector<std::pair<std::string, std::string>> differences(const std::string &before,
                                                                    const std::string &now) {
  std::vector<std::pair<std::string, std::string>> result;
  std::istringstream a(before), b(now);
  for (;;) {
    std::string lineA, lineB;
    const bool hasA = bool(std::getline(a, lineA)), hasB = bool(std::getline(b, lineB));
    if (!hasA && !hasB)
      return result;
    if (lineA != lineB)
      result.emplace_back(lineA, lineB);
  }
}

/// Refuses a recipe that differs in more than how fast it learns, of which it tells.
static void compareRecipes(const std::string &before, const std::string &now, const std::string &path) {
  const auto found = differences(before, now);
  for (const auto &[checkpoint, recipe] : found)
    if (!mayChange(checkpoint) || !mayChange(recipe))
      throw Error(VN_ERROR_ARGUMENT, "the interrupted run had another recipe")
          .at(path)
          .note(fmt::format("the checkpoint has `{}`, the recipe `{}`", checkpoint, recipe))
          .help("resume with the same recipe (more epochs, and another learning rate and schedule, are "
                "allowed), "
                "or begin anew with another --out");
  for (const auto &[checkpoint, recipe] : found)
    fmt::print(stderr, "warning: from here on `{}` instead of `{}`\n", recipe, checkpoint);
}

TrainState readCheckpoint(const std::string &path, Session &session, Sgd &optimizer, const Recipe &recipe,
                          int64_t trainingImages) {
  const Safetensors file = Safetensors::read(path);
  const Metadata &metadata = file.metadata();
  if (!metadata.contains("vernier.recipe") || !metadata.contains("vernier.state"))
    throw Error(VN_ERROR_FORMAT, "the file is no checkpoint of a training run").at(path);
  compareRecipes(metadata.at("vernier.recipe"), recipe.canonical(), path);
  TrainState state;
  try {
    state = fromJson(json::parse(metadata.at("vernier.state")));
  } catch (const json::exception &) {
    throw Error(VN_ERROR_FORMAT, "the checkpoint's state cannot be read").at(path);
  }
  if (state.trainingImages != trainingImages)
    throw Error(VN_ERROR_ARGUMENT, fmt::format("the interrupted run trained on {} images, now there are {}",
                                               state.trainingImages, trainingImages))
        .at(path)
        .help("resume with the same --data, or begin anew with another --out");
  optimizer.load(file, momentumPrefix);
  loadWeights(session, file, modelPrefix);
  return state;
}

} // namespace vernier::runtime
