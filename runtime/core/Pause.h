// What a thread does between two looks at a word that another is about to change.
#ifndef VERNIER_RUNTIME_CORE_PAUSE_H
#define VERNIER_RUNTIME_CORE_PAUSE_H

namespace vernier::runtime {

inline void pauseCpu() { // some 50 ns
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

} // namespace vernier::runtime

#endif
