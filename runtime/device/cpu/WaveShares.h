// How the threads of a team go through the waves of a program together: in each wave every thread has a
// share, and no share of a wave begins before all of the wave before are finished.
//
// A thread waits for shares, not for threads: one that finds another's share not even begun takes it. On a
// machine that is busy otherwise, where a thread may wait 10 ms for its turn on a CPU, the others go on
// without it; with a plain barrier each of a program's hundreds of waves would wait for such a turn.
#ifndef VERNIER_RUNTIME_DEVICE_CPU_WAVESHARES_H
#define VERNIER_RUNTIME_DEVICE_CPU_WAVESHARES_H

#include "runtime/core/Pause.h"

#include <atomic>
#include <cstdint>
#include <vector>

namespace vernier::runtime {

class WaveShares {
public:
  /// `spins`: pauses in which a thread looks for the end of a wave before it sleeps.
  explicit WaveShares(int team, int spins = 1000)
      : team(team), spinsBeforeSleep(spins), claims(static_cast<size_t>(team)) {}

  /// Called by each thread of the team. `run(wave, share)` is called once for each share of each wave, and
  /// `finished(wave)` once after all of them and before any of the next wave.
  template <class Run, class Finished>
  void go(int64_t waves, int thread, const Run &run, const Finished &finished) {
    for (int64_t wave = 0; wave < waves; wave = done.load(std::memory_order_acquire)) {
      take(wave, thread, run, finished);
      if (spin(wave, spinsBeforeHelp))
        continue;
      for (int other = thread + 1; other < thread + team; ++other)
        take(wave, other % team, run, finished);
      if (!spin(wave, spinsBeforeSleep))
        done.wait(int32_t(wave), std::memory_order_seq_cst);
    }
  }

private:
  // In pauses of some 50 ns: longer than threads of a free machine are apart, and than most waves' imbalance.
  static constexpr int spinsBeforeHelp = 200;

  template <class Run, class Finished>
  void take(int64_t wave, int share, const Run &run, const Finished &finished) {
    std::atomic<int64_t> &claim = claims[size_t(share)].waves;
    int64_t expected = wave;
    if (claim.load(std::memory_order_relaxed) != wave || !claim.compare_exchange_strong(expected, wave + 1))
      return;
    run(wave, share);
    if (finishedShares.fetch_add(1, std::memory_order_acq_rel) + 1 != (wave + 1) * team)
      return;
    finished(wave);
    // Sequentially consistent, as wait and notify_all are within: notify_all wakes nobody where it counts no
    // sleeper, and a store that were only released could become visible after that look. A thread that counts
    // itself in between and still sees the old wave would then sleep for ever.
    done.store(int32_t(wave + 1), std::memory_order_seq_cst);
    done.notify_all();
  }

  /// Whether `wave` is finished within so many pauses.
  bool spin(int64_t wave, int pauses) const {
    for (int i = 0; i < pauses; ++i) {
      if (done.load(std::memory_order_acquire) > wave)
        return true;
      pauseCpu();
    }
    return false;
  }

  struct alignas(64) Claim {
    std::atomic<int64_t> waves{0}; ///< how many of the waves have this share taken
  };

  const int team, spinsBeforeSleep;
  std::vector<Claim> claims;
  alignas(64) std::atomic<int64_t> finishedShares{0}; ///< of all waves
  alignas(64) std::atomic<int32_t> done{0}; ///< finished waves; 32 bits, as the kernel's wait takes them
};

} // namespace vernier::runtime

#endif
