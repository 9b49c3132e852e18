#include "runtime/device/cpu/Schedule.h"

#include <algorithm>

namespace vernier::runtime {

Schedule::Schedule(const vn_program &program, StepRange steps, int threads, bool together)
    : threads(threads) {
  for (int64_t begin = steps.begin; begin < steps.end;) {
    int64_t end = begin + 1;
    while (together && end < steps.end && program.steps[end].with_previous)
      ++end;
    waveSteps.push_back({begin, end});
    divide(program, begin, end);
    begin = end;
  }
}

void Schedule::append(const Schedule &other) {
  waveSteps.insert(waveSteps.end(), other.waveSteps.begin(), other.waveSteps.end());
  const size_t before = ranges.size();
  ranges.insert(ranges.end(), other.ranges.begin(), other.ranges.end());
  for (size_t i = 1; i < other.firstRanges.size(); ++i)
    firstRanges.push_back(before + other.firstRanges[i]);
}

/// Lays the steps end to end, each as long as its cost, and cuts the line into equal shares. A cut falls
/// between two tasks of a step, the nearest ones.
void Schedule::divide(const vn_program &program, int64_t begin, int64_t end) {
  const auto costOf = [&](int64_t step) { return std::max<int64_t>(1, program.steps[step].cost); };
  double total = 0;
  for (int64_t step = begin; step < end; ++step)
    total += double(costOf(step));
  for (int thread = 0; thread < threads; ++thread) {
    double from = 0; // the place of the step on the line
    for (int64_t step = begin; step < end; ++step) {
      const double cost = double(costOf(step));
      const int64_t tasks = program.steps[step].num_tasks;
      const auto firstTask = [&](int share) {
        const double place = total * share / threads;
        return std::clamp<int64_t>(int64_t((place - from) / cost * double(tasks) + 0.5), 0, tasks);
      };
      const TaskRange range{step, firstTask(thread), thread + 1 == threads ? tasks : firstTask(thread + 1)};
      if (range.begin < range.end)
        ranges.push_back(range);
      from += cost;
    }
    firstRanges.push_back(ranges.size());
  }
}

std::span<const TaskRange> Schedule::share(int64_t wave, int thread) const {
  const size_t index = size_t(wave * threads + thread);
  return {ranges.data() + firstRanges[index], ranges.data() + firstRanges[index + 1]};
}

} // namespace vernier::runtime
