// Each thread's static share of every wave's tasks. Static, so that a thread finds in its cache what it wrote
// in the wave before.
#ifndef VERNIER_RUNTIME_DEVICE_CPU_SCHEDULE_H
#define VERNIER_RUNTIME_DEVICE_CPU_SCHEDULE_H

#include "runtime/core/StepRange.h"
#include "vernier/abi.h"

#include <cstdint>
#include <span>
#include <vector>

namespace vernier::runtime {

/// Tasks [begin, end) of a step.
struct TaskRange {
  int64_t step = 0, begin = 0, end = 0;
};

class Schedule {
public:
  explicit Schedule(int threads) : threads(threads) {}
  /// Without `together` each step is a wave of its own, so that it can be timed.
  Schedule(const vn_program &program, StepRange steps, int threads, bool together);

  /// What follows: `other` is for as many threads.
  void append(const Schedule &other);

  int64_t waves() const { return int64_t(waveSteps.size()); }
  StepRange steps(int64_t wave) const { return waveSteps[size_t(wave)]; }
  /// The tasks of one thread in one wave.
  std::span<const TaskRange> share(int64_t wave, int thread) const;

private:
  void divide(const vn_program &program, int64_t begin, int64_t end);

  int threads;
  std::vector<StepRange> waveSteps;
  std::vector<TaskRange> ranges;         // by wave, then by thread
  std::vector<size_t> firstRanges = {0}; // of each wave and thread, and the end
};

} // namespace vernier::runtime

#endif
