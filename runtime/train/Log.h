// What a training run leaves to read: log.jsonl, a line per some steps and per epoch, and log.csv, a line per
// epoch.
#ifndef VERNIER_RUNTIME_TRAIN_LOG_H
#define VERNIER_RUNTIME_TRAIN_LOG_H

#include "runtime/io/File.h"
#include "runtime/train/TrainState.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vernier::runtime {

/// The lines of a log.jsonl up to the step that a run resumes from: later ones are of steps that are done
/// again. A last line without its end is what a killed run left; any other that is none of a log is refused.
std::string keptLogLines(std::string_view text, int64_t step, const std::string &place);

/// Those of the log in a folder of results.
std::string readKeptLog(const std::string &folder, int64_t step);

class TrainLog {
public:
  /// Continues the log of a run of which `state` is known, see keptLogLines.
  TrainLog(const std::string &folder, const TrainState &state);

  /// `terms`: of the names that the state has.
  void step(int64_t step, int64_t epoch, double loss, std::span<const double> terms, double learningRate,
            double imagesPerSecond);
  /// The last of `state`'s epochs.
  void epoch(const TrainState &state);

private:
  std::string csvPath;
  std::vector<std::string> terms; ///< "loss.NAME" of each
  LineFile json;
};

} // namespace vernier::runtime

#endif
