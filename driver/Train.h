// From a specification to a trained model and its binary.
#ifndef VERNIER_DRIVER_TRAIN_H
#define VERNIER_DRIVER_TRAIN_H

#include "driver/CodeOptions.h"
#include "driver/LoadModel.h"
#include "driver/Output.h"
#include "runtime/image/ImageOptions.h"

#include <string>
#include <vector>

namespace vernier::driver {

struct TrainOptions : ModelOptions, CodeOptions, runtime::ImageOptions { // `batch`: images per update
  std::string recipe, data, output;
  std::vector<std::string> weights; // to begin from: FILE or PLACE=FILE; fresh ones of what is in none
  int64_t epochs = 0;               // 0: the recipe's
  int64_t threads = 0;              // of the training; 0: one per CPU
  int64_t batchOfBinary = 1;        // images per call of the result
  bool batchGiven = false;          // `batch` was said, and is no default
  bool resume = false;              // continue a training that was interrupted
  bool acceptChangedData = false;   // go on although the data set is not what it was
  bool quiet = false;
};

// Trains with all configurations that the specification leaves open, then builds the one that the recipe
// names as its target; without a target, all of them. Leaves the binary that trains in
// `options.output`/training, its results in `options.output`/trained and the binary of what was trained in
// `options.output`. Refuses before anything is built what one of these programs would refuse.
void train(const TrainOptions &options, const Output &output);

} // namespace vernier::driver

#endif
