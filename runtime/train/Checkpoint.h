// The state of a training run in one file, so that it is replaced as a whole: weights and statistics
// ("model."), momentum ("momentum."), and the position in the data.
#ifndef VERNIER_RUNTIME_TRAIN_CHECKPOINT_H
#define VERNIER_RUNTIME_TRAIN_CHECKPOINT_H

#include "runtime/core/Session.h"
#include "runtime/train/Recipe.h"
#include "runtime/train/Sgd.h"
#include "runtime/train/TrainState.h"

#include <cstdint>
#include <string>

namespace vernier::runtime {

void writeCheckpoint(const std::string &path, Session &session, const Sgd &optimizer, const Recipe &recipe,
                     const TrainState &state);

/// What a run trains on, as far as a checkpoint has to agree.
struct RunData {
  int64_t trainingImages = 0;
  std::string place, digest;
  bool acceptOther = false;  ///< go on where the digest is another
  int64_t steps = INT64_MAX; ///< of the whole run
};

/// Refuses a checkpoint of another recipe, except for its learning rate and schedule, of another model, of
/// which the parameters are looked at, of another number of images, of other images unless they are accepted,
/// of more steps than the run has, and one that no run has written.
TrainState checkCheckpoint(const std::string &path, const ModelOutline &model, const Recipe &recipe,
                           const RunData &data);

/// Restores what writeCheckpoint wrote; refuses what checkCheckpoint does.
TrainState readCheckpoint(const std::string &path, Session &session, Sgd &optimizer, const Recipe &recipe,
                          const RunData &data);

} // namespace vernier::runtime

#endif
