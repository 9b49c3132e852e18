// A barrier for steps that last microseconds: threads spin, and yield where that takes long, so that more
// threads than free CPUs still progress.
#ifndef VERNIER_RUNTIME_CORE_BARRIER_H
#define VERNIER_RUNTIME_CORE_BARRIER_H

#include <atomic>
#include <thread>

namespace vernier::runtime {

class Barrier {
public:
  explicit Barrier(int threads) : threads(threads) {}

  void wait() {
    const unsigned mine = generation.load(std::memory_order_acquire);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
      arrived.store(0, std::memory_order_relaxed);
      generation.store(mine + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; generation.load(std::memory_order_acquire) == mine; ++spins)
      if (spins < spinsBeforeYield)
        relax();
      else
        std::this_thread::yield();
  }

private:
  static constexpr int spinsBeforeYield = 1000; // about 50 us: longer than most steps' imbalance

  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  const int threads;
  alignas(64) std::atomic<int> arrived{0};
  alignas(64) std::atomic<unsigned> generation{0};
};

} // namespace vernier::runtime

#endif
