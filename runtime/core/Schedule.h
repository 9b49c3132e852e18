// Each thread's static share of every wave's tasks. Static, so that a thread finds in its cache what it wrote
// in the wave before.
#ifndef VERNIER_RUNTIME_CORE_SCHEDULE_H
#define VERNIER_RUNTIME_CORE_SCHEDULE_H

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
  /// Without `together` each step is a wave of its own, so that it can be timed.
  Schedule(const vn_program &program, int threads, bool together);

  int64_t waves() const { return int64_t(firstSteps.size()) - 1; }
  /// Steps [firstStep(wave), firstStep(wave + 1)) are the wave's.
  int64_t firstStep(int64_t wave) const { return firstSteps[size_t(wave)]; }
  /// The tasks of one thread in one wave.
  std::span<const TaskRange> share(int64_t wave, int thread) const;

private:
  void divide(const vn_program &program, int64_t begin, int64_t end);

  int threads;
  std::vector<int64_t> firstSteps;
  std::vector<TaskRange> ranges;   // by wave, then by thread
  std::vector<size_t> firstRanges; // of each wave and thread
};

} // namespace vernier::runtime

#endif
