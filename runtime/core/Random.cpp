#include "runtime/core/Random.h"

#include <cmath>
#include <numbers>

namespace vernier::runtime {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t(0xD2511F53u) * counter[0], b = uint64_t(0xCD9E8D57u) * counter[2];
    counter = {uint32_t(b >> 32) ^ counter[1] ^ key[0], uint32_t(b), uint32_t(a >> 32) ^ counter[3] ^ key[1],
               uint32_t(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

float RandomStream::normal() {
  // Box and Muller; 1 - u is never 0.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - (double(bits()) + 0.5) * 0x1p-32));
  return float(radius * std::cos(2 * std::numbers::pi * double(bits()) * 0x1p-32));
}

} // namespace vernier::runtime
