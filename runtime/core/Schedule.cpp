#include "runtime/core/Schedule.h"

#include <algorithm>

namespace vernier::runtime {

Schedule::Schedule(const vn_program &program, int threads, bool together) : threads(threads) {
  firstRanges.push_back(0);
  for (int64_t begin = 0; begin < program.num_steps;) {
    int64_t end = begin + 1;
    while (together && end < program.num_steps && program.steps[end].with_previous)
      ++end;
    firstSteps.push_back(begin);
    divide(program, begin, end);
    begin = end;
  }
  firstSteps.push_back(program.num_steps);
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
