// Masks drawn by Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A
// thread has one vector of channels of four pixels, the words of one counter for each channel.
#ifndef VERNIER_CUDA_DEVICE_RANDOM_CUH
#define VERNIER_CUDA_DEVICE_RANDOM_CUH

#include "elementwise.cuh"

namespace vn {

struct KeepMask {
  Map mask;
  unsigned below = 0, stream = 0; // what is drawn below `below` is 0
  bool image = false;             // one draw for each image

  VN_CONSTANT int vectors() const { return (mask.c + vector_of(mask) - 1) / vector_of(mask); }
  VN_CONSTANT int groups() const { return (mask.h * mask.w + 3) / 4; }
  VN_CONSTANT int work() const { return mask.n * groups() * vectors(); }
  VN_CONSTANT int threads() const { return 256; }
};

constexpr Launch launch_of(const KeepMask &p, Stream stream = {}) {
  return {{unsigned((p.work() + p.threads() - 1) / p.threads())}, {unsigned(p.threads())}, 0, stream};
}

struct Words {
  unsigned word[4];
};

VN_DEVICE Words philox(Words counter, unsigned key0, unsigned key1) {
  VN_UNROLL
  for (int round = 0; round < 10; ++round) {
    const unsigned long long first = 0xD2511F53ull * counter.word[0],
                             second = 0xCD9E8D57ull * counter.word[2];
    counter = {{unsigned(second >> 32) ^ counter.word[1] ^ key0, unsigned(second),
                unsigned(first >> 32) ^ counter.word[3] ^ key1, unsigned(first)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

template <KeepMask p> VN_DEVICE void keep_mask(Global<const int> state, Global<Number<p.mask.element>> mask) {
  static_assert(p.mask.elements() < (1ll << 31), "positions are ints");
  constexpr int width = vector_of(p.mask), pixels = p.mask.h * p.mask.w;
  const int i = int(blockIdx.x) * p.threads() + int(threadIdx.x);
  if (i >= p.work())
    return;
  const int channel = i % p.vectors() * width, group = i / p.vectors() % p.groups();
  const int image = i / (p.vectors() * p.groups());
  float kept[4][width];
  VN_UNROLL
  for (int c = 0; c < width; ++c) {
    const unsigned which = p.image ? 0u : unsigned(channel + c);
    const Words words =
        philox({{which, unsigned(group), unsigned(image), p.stream}}, unsigned(state[0]), unsigned(state[1]));
    VN_UNROLL
    for (int pixel = 0; pixel < 4; ++pixel)
      kept[pixel][c] = words.word[pixel] < p.below ? 0.0f : 1.0f;
  }
  const int valid = p.mask.c - channel < width ? p.mask.c - channel : width;
  VN_UNROLL
  for (int pixel = 0; pixel < 4; ++pixel)
    if (group * 4 + pixel < pixels)
      store_floats(mask + ((image * pixels + group * 4 + pixel) * p.mask.pixel + channel), kept[pixel],
                   valid);
}

} // namespace vn

#endif
