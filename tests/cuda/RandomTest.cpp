// What is drawn by chance, against Philox's published numbers and element by element.
#define BOOST_TEST_MODULE cuda_random
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/random.cuh"

namespace {

using namespace vn;
using cuda_tests::MapMemory;
using cuda_tests::Numbers;
using cuda_tests::Random;

template <KeepMask p>
VN_KERNEL(p.threads())
run_mask(Global<const int> state, Global<Number<p.mask.element>> mask) {
  keep_mask<p>(state, mask);
}

constexpr KeepMask randomProblem(uint64_t seed) {
  Random random{seed};
  const bool pixels = random.chance(60);
  const int h = pixels ? random.between(1, 9) : 1, w = pixels ? random.between(1, 13) : 1;
  KeepMask p;
  p.mask = cuda_tests::randomMap(random, random.between(1, 5), h, w, random.between(1, 70),
                                 cuda_tests::randomElement(random));
  p.below = unsigned(random.next() >> 32);
  p.stream = unsigned(random.next() >> 32);
  p.image = !pixels && random.chance(50);
  return p;
}

template <uint64_t seed> void check() {
  constexpr KeepMask p = randomProblem(seed);
  Random random{seed + 1000};
  const std::vector<int> key = {int(random.next()), int(random.next())};
  const Numbers<int> state(key, "state");
  const MapMemory mask(p.mask, "mask");
  VN_LAUNCH(run_mask<p>, launch_of(p), static_cast<int *>(state), mask.first<Number<p.mask.element>>());
  const std::vector<float> stored = mask.stored();
  int wrong = 0;
  cuda_tests::overNumbers(p.mask, [&](size_t at, int n, int y, int x, int c) {
    const int pixel = p.image ? 0 : y * p.mask.w + x;
    const Words words = philox({{unsigned(p.image ? 0 : c), unsigned(pixel / 4), unsigned(n), p.stream}},
                               unsigned(key[0]), unsigned(key[1]));
    wrong += stored[at] != (words.word[pixel % 4] < p.below ? 0.0f : 1.0f);
  });
  BOOST_TEST(wrong == 0, "seed " << seed << ": " << wrong << " elements");
}

BOOST_AUTO_TEST_CASE(published_numbers) {
  // Random123's known answers for philox4x32 of 10 rounds.
  const auto expect = [](Words counter, unsigned key0, unsigned key1, Words expected) {
    const Words found = philox(counter, key0, key1);
    for (int i = 0; i < 4; ++i)
      BOOST_TEST(found.word[i] == expected.word[i]);
  };
  expect({}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  expect({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffff, 0xffffffff,
         {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  expect({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0,
         {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

BOOST_AUTO_TEST_CASE(masks) {
  cuda_tests::overSeeds<40>([]<uint64_t seed>() { check<seed>(); });
}

} // namespace
