// What a run trains with, read and checked against each other: all that can be refused before there is code.
#ifndef VERNIER_RUNTIME_TRAIN_INPUTS_H
#define VERNIER_RUNTIME_TRAIN_INPUTS_H

#include "runtime/data/Targets.h"
#include "runtime/image/Preprocess.h"
#include "runtime/train/Checkpoint.h"
#include "runtime/train/InitialWeights.h"
#include "runtime/train/Recipe.h"
#include "runtime/train/Trainer.h"

#include <memory>
#include <vector>

namespace vernier::runtime {

struct TrainingInputs {
  Recipe recipe; ///< as the options have it
  Preprocessing preprocessing;
  InitialWeights weights;
  DataWithTargets training;   ///< without targets but of a model that declares its losses
  DataWithTargets validation; ///< no images where such a model's data has none
  int64_t images = 0, stepsPerEpoch = 0;

  TrainingInputs(const ModelOutline &model, const TrainOptions &options);

  RunData runData(const TrainOptions &options) const;
};

/// Refuses a folder of results that holds a run which is not to be continued, or files of the same names.
void checkResultsFolder(const TrainOptions &options);

/// Whether there is a run that the options continue.
bool hasCheckpoint(const TrainOptions &options);

/// Refuses a run that is to be continued but cannot be, for its checkpoint or its log; of `model` the
/// parameters are looked at.
void checkContinued(const ModelOutline &model, const TrainingInputs &inputs, const TrainOptions &options);

std::string checkpointPath(const TrainOptions &options);

} // namespace vernier::runtime

#endif
