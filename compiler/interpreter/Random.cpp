#include "compiler/interpreter/Kernels.h"

#include <algorithm>
#include <cmath>

namespace vernier::interpreter {

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
static std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t first = uint64_t(counter[0]) * 0xD2511F53, second = uint64_t(counter[2]) * 0xCD9E8D57;
    counter = {uint32_t(second >> 32) ^ counter[1] ^ key[0], uint32_t(second),
               uint32_t(first >> 32) ^ counter[3] ^ key[1], uint32_t(first)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
  }
  return counter;
}

Tensor keepMask(const Tensor &state, const std::vector<int64_t> &shape, double rate, int64_t stream,
                bool image) {
  const std::array<uint32_t, 2> key = {uint32_t(int64_t(state[0])), uint32_t(int64_t(state[1]))};
  const auto threshold = uint64_t(std::llround(rate * 0x1p32));
  const int64_t images = shape[0], pixels = shape[1] * shape[2], channels = shape[3];
  Tensor mask(shape);
  for (int64_t n = 0; n < images; ++n)
    for (int64_t p = 0; p < pixels; ++p)
      for (int64_t c = 0; c < channels; ++c) {
        const auto pixel = uint32_t(image ? 0 : p), channel = uint32_t(image ? 0 : c);
        const auto words = philox({channel, pixel / 4, uint32_t(n), uint32_t(stream)}, key);
        mask[(n * pixels + p) * channels + c] = words[pixel % 4] < threshold ? 0 : 1;
      }
  return mask;
}

} // namespace vernier::interpreter
