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

class Progress {
public:
  /// Training stands at `firstStep` of `steps`.
  Progress(int64_t firstStep, int64_t steps, int64_t stepsPerEpoch);

  /// After each step; prints some times a second on a terminal, twice a minute elsewhere.
  void step(const TrainState &state);
  void epoch(const TrainState &state);

  /// Seconds since training began in this process.
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - begin).count(); }

private:
  using Clock = std::chrono::steady_clock;
  std::string remaining(int64_t step) const;

  const int64_t firstStep, steps, stepsPerEpoch;
  const Clock::time_point begin = Clock::now();
  Clock::time_point lastShown = begin;
  bool terminal;
};

} // namespace vernier::runtime

#endif
