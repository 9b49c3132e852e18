// Each thread's static share of a step's tasks.
#ifndef VERNIER_RUNTIME_CORE_PARTITION_H
#define VERNIER_RUNTIME_CORE_PARTITION_H

#include <algorithm>
#include <cstdint>

namespace vernier::runtime {

struct TaskRange {
  int64_t begin, end;
};

/// Contiguous shares whose sizes differ by one at most; the first threads get the longer ones. Static, so
/// that a thread finds in its cache what it wrote in the step before.
inline TaskRange shareOf(int64_t tasks, int64_t thread, int64_t threads) {
  const int64_t base = tasks / threads, longer = tasks % threads;
  const int64_t begin = thread * base + std::min(thread, longer);
  return {begin, begin + base + (thread < longer ? 1 : 0)};
}

} // namespace vernier::runtime

#endif
