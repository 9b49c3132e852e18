#include "runtime/cli/FmaPeak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vernier::runtime {

/// Does `rounds` rounds of independent multiply-adds and returns their floating-point operations; the result
/// goes into `sink`, so that it is not optimised away.
using Spin = double (*)(int64_t rounds, float &sink);

// Independent sums: more than latency times throughput of today's cores (4 cycles x 2 per cycle), fewer than
// registers.
static constexpr int chains = 12;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static double spinAvx512(int64_t rounds, float &sink) {
  const __m512 factor = _mm512_set1_ps(0.9999f), addend = _mm512_set1_ps(sink);
  __m512 sums[chains];
  for (__m512 &sum : sums)
    sum = addend;
  for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i)
      sums[i] = _mm512_fmadd_ps(sums[i], factor, addend);
  for (const __m512 &sum : sums)
    sink += _mm512_cvtss_f32(sum);
  return double(rounds) * chains * 16 * 2;
}

__attribute__((target("avx2,fma"))) static double spinAvx2(int64_t rounds, float &sink) {
  const __m256 factor = _mm256_set1_ps(0.9999f), addend = _mm256_set1_ps(sink);
  __m256 sums[chains];
  for (__m256 &sum : sums)
    sum = addend;
  for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i)
      sums[i] = _mm256_fmadd_ps(sums[i], factor, addend);
  for (const __m256 &sum : sums)
    sink += _mm256_cvtss_f32(sum);
  return double(rounds) * chains * 8 * 2;
}
#endif

static double spinFourWide(int64_t rounds, float &sink) {
  using Vector = float __attribute__((vector_size(16)));
  const Vector factor = {0.9999f, 0.9999f, 0.9999f, 0.9999f}, addend = {sink, sink, sink, sink};
  Vector sums[chains];
  for (Vector &sum : sums)
    sum = addend;
  for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i)
      sums[i] = sums[i] * factor + addend;
  for (const Vector &sum : sums)
    sink += sum[0];
  return double(rounds) * chains * 4 * 2;
}

static Spin widestSpin() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return spinAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return spinAvx2;
#endif
  return spinFourWide;
}

double measureFmaPeak(Workers &workers) {
  const Spin spin = widestSpin();
  constexpr int64_t rounds = 2'000'000; // some 10 ms
  double best = 0;
  for (int attempt = 0; attempt < 10; ++attempt) {
    std::atomic<double> operations{0}, sinks{0};
    const auto before = std::chrono::steady_clock::now();
    workers.run([&](int) {
      float sink = 1e-3f;
      operations += spin(rounds, sink);
      sinks += double(sink);
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - before;
    if (sinks != 0) // always; keeps the sums alive
      best = std::max(best, operations / seconds.count());
  }
  return best;
}

} // namespace vernier::runtime
