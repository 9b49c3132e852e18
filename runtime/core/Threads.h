#ifndef VERNIER_RUNTIME_CORE_THREADS_H
#define VERNIER_RUNTIME_CORE_THREADS_H

#include <cstdint>
#include <string>

namespace vernier::runtime {

inline constexpr int64_t mostThreads = 4096;

struct ThreadCount {
  int threads = 1;
  bool asked = false; ///< a person named it: fewer will not do
};

/// `asked` if it is not 0, else VERNIER_THREADS, else OMP_NUM_THREADS, else one per CPU that this process may
/// use (usableCpus).
ThreadCount threadCount(int64_t asked);

/// What is wrong with the value of an option that takes a number of threads; empty: nothing.
std::string threadsProblem(const std::string &value);

} // namespace vernier::runtime

#endif
