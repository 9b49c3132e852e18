// Counter-based random numbers: every number is a function of (seed, purpose, epoch, index, position in that
// stream), never of the order in which threads ask. That makes a run reproducible and lets it resume
// anywhere.
#ifndef VERNIER_RUNTIME_CORE_RANDOM_H
#define VERNIER_RUNTIME_CORE_RANDOM_H

#include <array>
#include <cstdint>

namespace vernier::runtime {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// What a stream of numbers is for; streams of different purposes are independent.
enum class RandomPurpose : uint32_t {
  Shuffle = 1,
  Augmentation = 2,
  Initialization = 3,
  Sampling = 4,
  Dropout = 5
};

class RandomStream {
public:
  /// `epoch` up to 2^24, `index` up to 2^64: an image of the epoch, the hash of a parameter's name. A stream
  /// has 2^34 numbers.
  RandomStream(uint64_t seed, RandomPurpose purpose, uint32_t epoch, uint64_t index)
      : key{uint32_t(seed), uint32_t(seed >> 32)}, counter{0, uint32_t(index), uint32_t(index >> 32),
                                                           uint32_t(purpose) << 24 | epoch} {}

  uint32_t bits() {
    if (used == 4) {
      block = philox(counter, key);
      ++counter[0];
      used = 0;
    }
    return block[used++];
  }
  /// In [0, 1), with 24 random bits.
  float uniform() { return float(bits() >> 8) * 0x1p-24f; }
  /// In [0, bound); the bias of bound / 2^32 is below what any data set can show.
  uint32_t below(uint32_t bound) { return uint32_t(uint64_t(bits()) * bound >> 32); }
  /// Of the standard normal distribution.
  float normal();

private:
  std::array<uint32_t, 2> key;
  std::array<uint32_t, 4> counter;
  std::array<uint32_t, 4> block{};
  unsigned used = 4;
};

} // namespace vernier::runtime

#endif
