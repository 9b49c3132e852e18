// How far a command is, on a terminal: one line that is gone when it ends.
#ifndef VERNIER_RUNTIME_CLI_COUNTPROGRESS_H
#define VERNIER_RUNTIME_CLI_COUNTPROGRESS_H

#include <chrono>
#include <cstdint>
#include <string>

namespace vernier::runtime {

class CountProgress {
public:
  /// `noun`, singular, of which there are `total`. `quiet`, or where there is no terminal: nothing is
  /// printed.
  CountProgress(std::string noun, int64_t total, bool quiet);
  ~CountProgress();
  CountProgress(const CountProgress &) = delete;
  CountProgress &operator=(const CountProgress &) = delete;

  /// One more is done; printed some times a second.
  void next();

private:
  using Clock = std::chrono::steady_clock;

  const std::string noun;
  const int64_t total;
  const bool silent;
  int64_t done = 0;
  const Clock::time_point begin = Clock::now();
  Clock::time_point lastShown = begin;
  bool lineIsOpen = false;
};

} // namespace vernier::runtime

#endif
