#include "runtime/train/TrainState.h"

#include "runtime/io/Json.h"

#include <fmt/core.h>
#include <utility>

namespace vernier::runtime {

using nlohmann::json;

std::optional<std::vector<std::string>> termsOf(const ModelOutline &model) {
  if (!model.declaresLosses)
    return std::nullopt;
  std::vector<std::string> names;
  for (const vn_io &term : model.terms)
    names.emplace_back(term.name);
  return names;
}

std::string stateText(const TrainState &state) {
  json epochs = json::array();
  for (const EpochResult &epoch : state.epochs) {
    json entry = {{"epoch", epoch.epoch},
                  {"loss", anyNumber(epoch.loss)},
                  {"learning_rate", epoch.learningRate},
                  {"seconds", epoch.seconds}};
    if (epoch.accuracy)
      entry["accuracy"] = *epoch.accuracy;
    if (state.terms)
      entry["terms"] = epoch.terms;
    if (const auto &validation = epoch.validation)
      entry["validation"] = {{"images", validation->images},
                             {"top1", validation->top1},
                             {"top5", validation->top5},
                             {"loss", anyNumber(validation->loss)},
                             {"seconds", validation->seconds}};
    if (const auto &losses = epoch.validationLosses) {
      json terms = json::array();
      for (const double term : losses->terms)
        terms.push_back(anyNumber(term));
      entry["validation"] = {{"images", losses->images},
                             {"loss", anyNumber(losses->loss)},
                             {"terms", std::move(terms)},
                             {"seconds", losses->seconds}};
      for (const auto &[name, value] : losses->metrics)
        entry["validation"]["metrics"].push_back({{"name", name}, {"value", anyNumber(value)}});
    }
    epochs.push_back(entry);
  }
  json object = {{"step", state.step},        {"training_images", state.trainingImages},
                 {"loss_sum", state.lossSum}, {"correct", state.correct},
                 {"images", state.images},    {"epoch_seconds", state.epochSeconds},
                 {"seconds", state.seconds},  {"epochs", std::move(epochs)},
                 {"data", state.data}};
  if (state.terms)
    object["terms"] = *state.terms, object["term_sums"] = state.termSums;
  return object.dump();
}

/// Without an upper limit that anybody comes near.
static constexpr double longest = 1e12;

static constexpr double anything = -1e300;

static const json &listAt(const json &object, const char *key) {
  if (!object.contains(key) || !object[key].is_array())
    throw JsonError(fmt::format("`{}` is no list", key));
  return object[key];
}

static std::vector<std::string> namesAt(const json &object, const char *key) {
  std::vector<std::string> names;
  for (const json &name : listAt(object, key)) {
    if (!name.is_string())
      throw JsonError(fmt::format("`{}` is no list of names", key));
    names.push_back(name);
  }
  return names;
}

static std::vector<double> numbersAt(const json &object, const char *key, size_t count) {
  std::vector<double> numbers;
  for (const json &number : listAt(object, key))
    numbers.push_back(numberAt(json{{key, number}}, key, anything));
  if (numbers.size() != count)
    throw JsonError(fmt::format("`{}` has {} entries, there are {} terms", key, numbers.size(), count));
  return numbers;
}

static EpochResult epochFromJson(const json &entry, int64_t number, const TrainState &state) {
  EpochResult epoch;
  epoch.epoch = integerAt(entry, "epoch", number, number);
  epoch.loss = anyNumberAt(entry, "loss");
  if (state.terms)
    epoch.terms = numbersAt(entry, "terms", state.terms->size());
  else
    epoch.accuracy = numberAt(entry, "accuracy", 0, 1);
  epoch.learningRate = numberAt(entry, "learning_rate", 0);
  epoch.seconds = numberAt(entry, "seconds", 0, longest);
  if (!entry.contains("validation"))
    return epoch;
  const json &validation = entry["validation"];
  if (state.terms) {
    Losses losses{integerAt(validation, "images", 1), anyNumberAt(validation, "loss")};
    for (const json &term : listAt(validation, "terms"))
      losses.terms.push_back(anyNumberAt(json{{"terms", term}}, "terms"));
    if (losses.terms.size() != state.terms->size())
      throw JsonError("`terms` of the validation has another length");
    losses.seconds = numberAt(validation, "seconds", 0, longest);
    if (validation.contains("metrics"))
      for (const json &metric : listAt(validation, "metrics"))
        losses.metrics.emplace_back(stringAt(metric, "name"), anyNumberAt(metric, "value"));
    epoch.validationLosses = std::move(losses);
  } else {
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
  state.lossSum = numberAt(object, "loss_sum", anything);
  if (object.contains("terms")) {
    state.terms = namesAt(object, "terms");
    state.termSums = numbersAt(object, "term_sums", state.terms->size());
  }
  state.images = integerAt(object, "images", 0);
  state.correct = integerAt(object, "correct", 0, state.images);
  state.epochSeconds = numberAt(object, "epoch_seconds", 0, longest);
  state.seconds = numberAt(object, "seconds", 0, longest);
  if (object.contains("data")) // older versions wrote none
    state.data = stringAt(object, "data");
  for (const json &entry : listAt(object, "epochs")) {
    const int64_t number = int64_t(state.epochs.size()) + 1;
    try {
      state.epochs.push_back(epochFromJson(entry, number, state));
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
