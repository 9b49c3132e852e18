// Where a training run stands, beside its weights and momentum.
#ifndef VERNIER_RUNTIME_TRAIN_TRAINSTATE_H
#define VERNIER_RUNTIME_TRAIN_TRAINSTATE_H

#include "runtime/train/EvaluateLosses.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vernier::runtime {

struct EpochResult {
  int64_t epoch = 0; ///< from 1
  double loss = 0;
  std::optional<double> accuracy; ///< of a classifier
  double learningRate = 0, seconds = 0;
  std::optional<Accuracy> validation;
  std::vector<double> terms{};              ///< means of TrainState::terms
  std::optional<Losses> validationLosses{}; ///< of a model that declares its losses, instead
};

struct TrainState {
  /// Of a model that declares its losses, the names of those that have one; none: a classifier.
  std::optional<std::vector<std::string>> terms;
  int64_t step = 0;           ///< steps done since the beginning
  int64_t trainingImages = 0; ///< in the data set, as far as the recipe's limit
  // Of the epoch so far:
  double lossSum = 0;
  std::vector<double> termSums;
  int64_t correct = 0, images = 0;
  double epochSeconds = 0;

  double seconds = 0; ///< of all epochs so far, interruptions not counted
  std::string data;   ///< digest of the data sets; empty: not known
  std::vector<EpochResult> epochs;
};

/// TrainState::terms of a run of this model.
std::optional<std::vector<std::string>> termsOf(const ModelOutline &model);

/// As text, for a checkpoint.
std::string stateText(const TrainState &state);

/// Of such a text of a run with batches of so many images, every value checked; throws JsonError.
TrainState parseState(std::string_view text, int64_t batch);

} // namespace vernier::runtime

#endif
