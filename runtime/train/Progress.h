// Tells the person how training goes: a bar with the remaining time on a terminal, plain lines elsewhere.
#ifndef VERNIER_RUNTIME_TRAIN_PROGRESS_H
#define VERNIER_RUNTIME_TRAIN_PROGRESS_H

#include "runtime/train/Checkpoint.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace vernier::runtime {

/// "0:07", "12:34", "3:00:59"
std::string durationText(double seconds);

/// What is told between two epochs.
struct ProgressFacts {
  int64_t epoch = 0, epochs = 0, step = 0, stepsPerEpoch = 0; ///< from 1, of how many
  double loss = 0;
  std::optional<double> accuracy{}; ///< of a classifier
  double imagesPerSecond = 0, secondsLeft = 0;
};

/// One line, without its end. On a terminal of `columns` it is shorter than that, so that it never wraps: the
/// bar shrinks, then what matters least goes. 0 columns: there is no terminal.
std::string progressLine(const ProgressFacts &facts, int64_t columns);

/// What is told of an epoch, likewise.
std::string epochLine(const EpochResult &last, int64_t epochs, double secondsLeft, int64_t columns);

class Progress {
public:
  /// Training stands at `firstStep` of `steps`. `quiet`: nothing is printed.
  Progress(int64_t firstStep, int64_t steps, int64_t stepsPerEpoch, bool quiet = false);
  ~Progress();
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  /// After each step; prints some times a second on a terminal, twice a minute elsewhere.
  void step(const TrainState &state);
  void epoch(const TrainState &state);

private:
  using Clock = std::chrono::steady_clock;
  /// By the pace of this process: what came before a resumption does not count.
  double secondsLeft(int64_t step) const;

  const int64_t firstStep, steps, stepsPerEpoch;
  const bool quiet;
  const Clock::time_point begin = Clock::now();
  Clock::time_point lastShown = begin;
  bool lineIsOpen = false; ///< on a terminal
};

} // namespace vernier::runtime

#endif
