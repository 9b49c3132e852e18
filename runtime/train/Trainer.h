#ifndef VERNIER_RUNTIME_TRAIN_TRAINER_H
#define VERNIER_RUNTIME_TRAIN_TRAINER_H

#include "runtime/image/ImageOptions.h"
#include "vernier/abi.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vernier::runtime {

struct TrainOptions : ImageOptions {
  std::string data, recipe, out;
  std::vector<std::string> weights; ///< to begin from: FILE or PLACE=FILE; fresh ones of what is in none
  std::string configuration; ///< of a model with open holes, to be trained alone; empty: as the recipe says
  int64_t epochs = 0;        ///< instead of the recipe's; 0: the recipe's
  int64_t threads = 0;       ///< see threadCount
  int64_t device = 0;        ///< of several GPUs: which
  int64_t loaders = 0;       ///< threads that make batches; 0: as defaultLoaderThreads has it
  bool quiet = false;        ///< print warnings and errors alone
  bool resume = false;       ///< continue from the checkpoint in `out`, if there is one
  bool acceptChangedData = false; ///< and if the data set is not what it was
};

/// Trains the model and leaves in `out`: weights.safetensors, summary.json, log.jsonl, log.csv,
/// checkpoint.safetensors.
void train(const vn_model &model, const TrainOptions &options);

} // namespace vernier::runtime

#endif
