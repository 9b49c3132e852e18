// Where a training run stands, beside its weights and momentum.
#ifndef VERNIER_RUNTIME_TRAIN_TRAINSTATE_H
#define VERNIER_RUNTIME_TRAIN_TRAINSTATE_H

#include "runtime/train/Evaluate.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vernier::runtime {

struct EpochResult {
  int64_t epoch = 0; ///< from 1
  double loss = 0, accuracy = 0, learningRate = 0, seconds = 0;
  std::optional<Accuracy> validation;
};

struct TrainState {
  int64_t step = 0;           ///< steps done since the beginning
  int64_t trainingImages = 0; ///< in the data set, as far as the recipe's limit
  // Of the epoch so far:
  double lossSum = 0;
  int64_t correct = 0, images = 0;
  double epochSeconds = 0;

  double seconds = 0; ///< of all epochs so far, interruptions not counted
  std::string data;   ///< digest of the data sets; empty: not known
  std::vector<EpochResult> epochs;
};

/// As text, for a checkpoint.
std::string stateText(const TrainState &state);

/// Of such a text of a run with batches of so many images, every value checked; throws JsonError.
TrainState parseState(std::string_view text, int64_t batch);

} // namespace vernier::runtime

#endif
