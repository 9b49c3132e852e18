// The state of a training run in one file, so that it is replaced as a whole: weights and statistics
// ("model."), momentum ("momentum."), and the position in the data.
#ifndef VERNIER_RUNTIME_TRAIN_CHECKPOINT_H
#define VERNIER_RUNTIME_TRAIN_CHECKPOINT_H

#include "runtime/core/Session.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/Recipe.h"
#include "runtime/train/Sgd.h"

#include <cstdint>
#include <optional>
#include <string>
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
  std::vector<EpochResult> epochs;
};

void writeCheckpoint(const std::string &path, Session &session, const Sgd &optimizer, const Recipe &recipe,
                     const TrainState &state);

/// Restores what writeCheckpoint wrote; refuses a checkpoint of another recipe, except for its learning rate
/// and schedule, of another model or number of images.
TrainState readCheckpoint(const std::string &path, Session &session, Sgd &optimizer, const Recipe &recipe,
                          int64_t trainingImages);

} // namespace vernier::runtime

#endif
