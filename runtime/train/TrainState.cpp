#include "runtime/train/TrainState.h"

#include "runtime/io/Json.h"

#include <fmt/core.h>
#include <utility>

namespace vernier::runtime {

using nlohmann::json;

std::string stateText(const TrainState &state) {
  json epochs = json::array();
  for (const EpochResult &epoch : state.epochs) {
    json entry = {{"epoch", epoch.epoch},
                  {"loss", anyNumber(epoch.loss)},
                  {"accuracy", epoch.accuracy},
                  {"learning_rate", epoch.learningRate},
                  {"seconds", epoch.seconds}};
    if (const auto &validation = epoch.validation)
      entry["validation"] = {{"images", validation->images},
                             {"top1", validation->top1},
                             {"top5", validation->top5},
                             {"loss", anyNumber(validation->loss)},
                             {"seconds", validation->seconds}};
    epochs.push_back(entry);
  }
  return json{{"step", state.step},        {"training_images", state.trainingImages},
              {"loss_sum", state.lossSum}, {"correct", state.correct},
              {"images", state.images},    {"epoch_seconds", state.epochSeconds},
              {"seconds", state.seconds},  {"epochs", std::move(epochs)},
              {"data", state.data}}
      .dump();
}

/// Without an upper limit that anybody comes near.
static constexpr double longest = 1e12;

static EpochResult epochFromJson(const json &entry, int64_t number) {
  EpochResult epoch{integerAt(entry, "epoch", number, number), anyNumberAt(entry, "loss"),
                    numberAt(entry, "accuracy", 0, 1),         numberAt(entry, "learning_rate", 0),
                    numberAt(entry, "seconds", 0, longest),    {}};
  if (entry.contains("validation")) {
    const json &validation = entry["validation"];
    epoch.validation = Accuracy{integerAt(validation, "images", 1), numberAt(validation, "top1", 0, 1),
                                numberAt(validation, "top5", 0, 1), anyNumberAt(validation, "loss"),
                                numberAt(validation, "seconds", 0, longest)};
  }
  return epoch;
}

TrainState parseState(std::string_view text, int64_t batch) {
  const json object = parseJson(text);
  TrainState state;
  state.step = integerAt(object, "step", 0);
  state.trainingImages = integerAt(object, "training_images", batch);
  const int64_t stepsPerEpoch = state.trainingImages / batch;
  state.lossSum = numberAt(object, "loss_sum", -1e300);
  state.images = integerAt(object, "images", 0);
  state.correct = integerAt(object, "correct", 0, state.images);
  state.epochSeconds = numberAt(object, "epoch_seconds", 0, longest);
  state.seconds = numberAt(object, "seconds", 0, longest);
  if (object.contains("data")) // older versions wrote none
    state.data = stringAt(object, "data");
  if (!object.contains("epochs") || !object["epochs"].is_array())
    throw JsonError("`epochs` is no list");
  for (const json &entry : object["epochs"]) {
    const int64_t number = int64_t(state.epochs.size()) + 1;
    try {
      state.epochs.push_back(epochFromJson(entry, number));
    } catch (const JsonError &error) {
      throw JsonError(fmt::format("of epoch {} {}", number, error.what()));
    }
  }
  // At the end of an epoch its images are there until its validation is, which may have been interrupted.
  const bool ends = state.step > 0 && state.step % stepsPerEpoch == 0;
  const int64_t finished = state.step / stepsPerEpoch - (ends && state.images > 0 ? 1 : 0);
  if (int64_t(state.epochs.size()) != finished)
    throw JsonError(fmt::format("`epochs` has {} entries, {} belong to {} steps, {} in an epoch",
                                state.epochs.size(), finished, state.step, stepsPerEpoch));
  if (state.step % stepsPerEpoch != 0 && state.images == 0)
    throw JsonError(fmt::format("`images` is 0, after {} of an epoch's {} steps", state.step % stepsPerEpoch,
                                stepsPerEpoch));
  return state;
}

} // namespace vernier::runtime
