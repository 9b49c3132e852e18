// How the threads of a team go through the steps of a program together: in each step every thread has a
// share, and no share of a step begins before all of the step before are finished.
//
// A thread waits for shares, not for threads: one that finds another's share not even begun takes it. On a
// machine that is busy otherwise, where a thread may wait 10 ms for its turn on a CPU, the others go on
// without it; with a plain barrier each of a program's hundreds of steps would wait for such a turn.
#ifndef VERNIER_RUNTIME_CORE_STEPSHARES_H
#define VERNIER_RUNTIME_CORE_STEPSHARES_H

#include <atomic>
#include <cstdint>
#include <vector>

namespace vernier::runtime {

class StepShares {
public:
  explicit StepShares(int team) : team(team), claims(static_cast<size_t>(team)) {}

  /// Called by each thread of the team. `run(step, share)` is called once for each share of each step, and
  /// `finished(step)` once after all of them and before any of the next step.
  template <class Run, class Finished>
  void go(int64_t steps, int thread, const Run &run, const Finished &finished) {
    for (int64_t step = 0; step < steps; step = done.load(std::memory_order_acquire)) {
      take(step, thread, run, finished);
      if (spin(step, spinsBeforeHelp))
        continue;
      for (int other = thread + 1; other < thread + team; ++other)
        take(step, other % team, run, finished);
      if (!spin(step, spinsBeforeSleep))
        done.wait(int32_t(step), std::memory_order_acquire);
    }
  }

private:
  // In pauses of some 50 ns: longer than threads of a free machine are apart, and than most steps' imbalance.
  static constexpr int spinsBeforeHelp = 200, spinsBeforeSleep = 1000;

  template <class Run, class Finished>
  void take(int64_t step, int share, const Run &run, const Finished &finished) {
    std::atomic<int64_t> &claim = claims[size_t(share)].steps;
    int64_t expected = step;
    if (claim.load(std::memory_order_relaxed) != step || !claim.compare_exchange_strong(expected, step + 1))
      return;
    run(step, share);
    if (finishedShares.fetch_add(1, std::memory_order_acq_rel) + 1 != (step + 1) * team)
      return;
    finished(step);
    done.store(int32_t(step + 1), std::memory_order_release);
    done.notify_all();
  }

  /// Whether `step` is finished within so many pauses.
  bool spin(int64_t step, int pauses) const {
    for (int i = 0; i < pauses; ++i) {
      if (done.load(std::memory_order_acquire) > step)
        return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
    }
    return false;
  }

  struct alignas(64) Claim {
    std::atomic<int64_t> steps{0}; ///< how many of the steps have this share taken
  };

  const int team;
  std::vector<Claim> claims;
  alignas(64) std::atomic<int64_t> finishedShares{0}; ///< of all steps
  alignas(64) std::atomic<int32_t> done{0}; ///< finished steps; 32 bits, as the kernel's wait takes them
};

} // namespace vernier::runtime

#endif
