#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Pattern.h"
#include "tests/runtime/Support.h"

#include "runtime/image/Augment.h"

#include <cmath>
#include <span>

using namespace vernier::runtime;
using namespace vernier::test;

static RandomStream stream(uint64_t index) { return RandomStream(3, RandomPurpose::Augmentation, 2, index); }

BOOST_AUTO_TEST_SUITE(augmentation)

BOOST_AUTO_TEST_CASE(augmentation_moves_and_mirrors) {
  using Fake = FakeModel<1, 1, 6, 6, 2>;
  Preprocessing how(Fake::model);
  how.mean = {0}, how.deviation = {1 / 255.0f};
  const Image source = pattern(6, 6, 1);
  int mirrored = 0, places[5][5] = {};
  for (uint64_t index = 0; index < 500; ++index) {
    std::vector<float> input(36);
    writeAugmentedInput(source, how, {.cropPadding = 2, .flip = true},
                        RandomStream(1, RandomPurpose::Augmentation, 0, index), input.data());
    bool found = false; // exactly one shift and mirror explains what we see
    for (int64_t mirror = 0; mirror < 2; ++mirror)
      for (int64_t top = -2; top <= 2; ++top)
        for (int64_t left = -2; left <= 2; ++left) {
          bool same = true;
          for (int64_t y = 0; y < 6; ++y)
            for (int64_t x = 0; x < 6; ++x) {
              const int64_t sy = top + y, sx = left + x;
              const bool inside = sy >= 0 && sy < 6 && sx >= 0 && sx < 6;
              const int64_t expected = inside ? source.pixels[size_t(sy * 6 + sx)] : 0;
              same = same && std::lround(input[size_t(y * 6 + (mirror ? 5 - x : x))]) == expected;
            }
          if (same) {
            found = true, mirrored += int(mirror);
            ++places[top + 2][left + 2];
          }
        }
    BOOST_REQUIRE(found);
  }
  BOOST_TEST(std::abs(mirrored - 250) < 50);
  for (const auto &row : places)
    for (int count : row)
      BOOST_TEST(count > 5);
}

// The hash is of inputs that were made before there was anything but these two.
BOOST_AUTO_TEST_CASE(crops_and_flips_stay_to_the_bit) {
  Preprocessing how(FakeModel<1, 3, 12, 10, 2>::model);
  std::vector<float> inputs(32 * 3 * 12 * 10);
  for (uint64_t index = 0; index < 32; ++index) {
    how.resize = index % 2 ? 0 : 16;
    writeAugmentedInput(index % 3 ? pattern(12, 10) : pattern(31, 24), how,
                        {.cropPadding = int64_t(index % 4), .flip = index % 8 < 6}, stream(index),
                        &inputs[index * 3 * 12 * 10]);
  }
  const auto bytes = std::as_bytes(std::span(inputs));
  BOOST_TEST(fnv({reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size()}) ==
             0x0f3ec03e2823cd8eu);
}

BOOST_AUTO_TEST_SUITE_END()
