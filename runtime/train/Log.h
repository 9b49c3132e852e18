// What a training run leaves to read: log.jsonl, a line per some steps and per epoch, and log.csv, a line per
// epoch.
#ifndef VERNIER_RUNTIME_TRAIN_LOG_H
#define VERNIER_RUNTIME_TRAIN_LOG_H

#include "runtime/io/File.h"
#include "runtime/train/Checkpoint.h"

#include <string>

namespace vernier::runtime {

class TrainLog {
public:
  /// Continues the log of a run of which `state` is known: later lines, of steps that are done again, are
  /// dropped.
  TrainLog(const std::string &folder, const TrainState &state);

  void step(int64_t step, int64_t epoch, double loss, double learningRate, double imagesPerSecond);
  /// The last of `state`'s epochs.
  void epoch(const TrainState &state);

private:
  std::string csvPath;
  LineFile json;
};

} // namespace vernier::runtime

#endif
