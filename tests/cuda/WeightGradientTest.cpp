// Gradients of weights, random problems against a plain loop. -DVERNIER_FIRST_PROBLEM=100 tries others.
#define BOOST_TEST_MODULE cuda_weight_gradient
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/weight_gradient.cuh"

#include <cmath>

namespace {

using namespace vn;
using cuda_tests::MapMemory;
using cuda_tests::Numbers;
using cuda_tests::Random;

constexpr Tile kTiles[] = {{.m = 16, .n = 16, .k_bytes = 64, .warps_m = 1, .warps_n = 1, .stages = 2},
                           {.m = 32, .n = 32, .k_bytes = 64, .warps_m = 2, .warps_n = 2, .stages = 3},
                           {.m = 64, .n = 32, .k_bytes = 32, .warps_m = 2, .warps_n = 1, .stages = 4},
                           {.m = 64, .n = 64, .k_bytes = 128, .warps_m = 4, .warps_n = 1, .stages = 3},
                           {.m = 32, .n = 128, .k_bytes = 64, .warps_m = 1, .warps_n = 4, .stages = 2},
                           {.m = 128, .n = 16, .k_bytes = 128, .warps_m = 4, .warps_n = 1, .stages = 3}};

constexpr WeightGradient randomProblem(uint64_t seed, Arithmetic arithmetic) {
  Random random{seed * 3 + uint64_t(arithmetic)};
  WeightGradient g;
  g.arithmetic = arithmetic;
  g.kernel = random.chance(30) ? Pair{1, 1} : cuda_tests::randomPair(random, 1, 4);
  g.stride = random.chance(50) ? Pair{1, 1} : cuda_tests::randomPair(random, 1, 3);
  g.dilation = random.chance(60) ? Pair{1, 1} : cuda_tests::randomPair(random, 1, 3);
  g.padding = cuda_tests::randomPair(random, 0, 2);
  g.groups = random.chance(75) ? 1 : random.between(2, 5);
  const int n = random.chance(50) ? 1 : 3;
  const int h = random.between(1, 9) + (g.kernel.y - 1) * g.dilation.y;
  const int w = random.between(1, 9) + (g.kernel.x - 1) * g.dilation.x;
  const Element element = arithmetic == Arithmetic::BF16 ? Element::BF16 : Element::F32;
  g.x = cuda_tests::randomMap(random, n, h, w, g.groups * random.between(1, 70 / g.groups), element);
  g.dy = cuda_tests::randomMap(
      random, n,
      cuda_tests::sizeAfter(h, g.kernel.y, g.stride.y, g.padding.y, random.between(0, 2), g.dilation.y),
      cuda_tests::sizeAfter(w, g.kernel.x, g.stride.x, g.padding.x, random.between(0, 2), g.dilation.x),
      g.groups * random.between(1, 70 / g.groups), element);
  g.merged = seed % 3 == 0 ? 1 : g.groups % 2 == 0 && seed % 3 == 1 ? 2 : g.groups;
  g.groups /= g.merged;
  g.splits = random.chance(30) ? 1 : random.between(2, 5); // at times more than there are stages
  g.tile = kTiles[random.between(0, 5)];
  return g;
}

template <WeightGradient g>
VN_KERNEL(g.tile.threads())
differentiate(Global<const Number<g.x.element>> x, Global<const Number<g.dy.element>> dy,
              Global<float> result, Global<float> parts) {
  weight_gradient<g>(x, dy, result, parts);
}

template <WeightGradientSum s> VN_KERNEL(s.threads) add(Global<const float> parts, Global<float> result) {
  weight_gradient_sum<s>(parts, result);
}

template <uint64_t seed, Arithmetic arithmetic> void check() {
  constexpr WeightGradient g = randomProblem(seed, arithmetic);
  BOOST_TEST_CONTEXT("problem " << seed << ": " << g.x.n << "x" << g.x.h << "x" << g.x.w << "x" << g.x.c
                                << " dy " << g.dy.h << "x" << g.dy.w << "x" << g.dy.c << " kernel "
                                << g.kernel.y << "x" << g.kernel.x << " groups " << g.groups << "x"
                                << g.merged << " splits " << g.splits << " tile " << g.tile.m << "x"
                                << g.tile.n) {
    Random random{seed};
    const MapMemory x(g.x, "x", random), dy(g.dy, "dy", random);
    constexpr int taps = g.kernel.y * g.kernel.x, count = g.dy.c * g.weight_inputs() * taps;
    constexpr bool split = g.splits > 1;
    const Numbers<float> result(size_t(count), "result"),
        parts(split ? size_t(g.sum().elements()) : 0, "parts");
    std::vector<float> found;
    for (uint64_t order = 0; order < 3; ++order) {
      emulation::setSeed(3 * seed + order);
      emulation::poison({static_cast<float *>(result), size_t(count) * 4});
      VN_LAUNCH(differentiate<g>, launch_of(g), x.first<Number<g.x.element>>(),
                dy.first<Number<g.dy.element>>(), split ? nullptr : static_cast<float *>(result),
                split ? static_cast<float *>(parts) : nullptr);
      if constexpr (split)
        VN_LAUNCH(add<g.sum()>, launch_of(g.sum()), static_cast<float *>(parts),
                  static_cast<float *>(result));
      const std::vector<float> again = result.stored();
      BOOST_TEST((order == 0 || found == again), "the order of blocks changes the result");
      found = again;
    }
    std::vector<double> sums(size_t(count), 0.0), magnitudes = sums;
    for (int n = 0; n < g.dy.n; ++n)
      for (int oy = 0; oy < g.dy.h; ++oy)
        for (int ox = 0; ox < g.dy.w; ++ox)
          for (int tap = 0; tap < taps; ++tap) {
            const int iy = oy * g.stride.y - g.padding.y + tap / g.kernel.x * g.dilation.y;
            const int ix = ox * g.stride.x - g.padding.x + tap % g.kernel.x * g.dilation.x;
            if (iy < 0 || iy >= g.x.h || ix < 0 || ix >= g.x.w)
              continue;
            for (int o = 0; o < g.dy.c; ++o)
              for (int i = 0; i < g.weight_inputs(); ++i) {
                const double product =
                    double(cuda_tests::rounded(arithmetic, dy.at(n, oy, ox, o))) *
                    cuda_tests::rounded(arithmetic,
                                        x.at(n, iy, ix, o / g.weight_outputs() * g.weight_inputs() + i));
                const size_t at = size_t((o * g.weight_inputs() + i) * taps + tap);
                sums[at] += product;
                magnitudes[at] += std::abs(product);
              }
          }
    for (size_t i = 0; i < sums.size(); ++i)
      if (!(std::abs(found[i] - sums[i]) <= 1e-6 * magnitudes[i] + 1e-6)) {
        BOOST_TEST_ERROR("weight " << i << ": " << found[i] << ", expected " << sums[i]);
        return;
      }
  }
}

template <Arithmetic arithmetic, uint64_t... seeds> void checkAll(std::integer_sequence<uint64_t, seeds...>) {
  (check<VERNIER_FIRST_PROBLEM + seeds, arithmetic>(), ...);
}
using Seeds = std::make_integer_sequence<uint64_t, VERNIER_PROBLEMS>;

// Rounding errors of equal terms do not cancel: one float32 sum of so many is off by up to 2e-8 of them.
constexpr WeightGradient kManyPixels = {
    .x = {1, 100, 100, 3, 4, Element::F32, 4}, .dy = {1, 100, 100, 5, 8, Element::F32, 4}, .tile = kTiles[0]};
double errorOfEqualTerms() {
  const MapMemory x(kManyPixels.x, "x", std::vector<float>(30000, 0.1f)),
      dy(kManyPixels.dy, "dy", std::vector<float>(50000, 0.3f));
  const Numbers<float> result(15, "result");
  VN_LAUNCH(differentiate<kManyPixels>, launch_of(kManyPixels), x.first<float>(), dy.first<float>(),
            static_cast<float *>(result), nullptr);
  double error = 0;
  for (float found : result.stored())
    error = std::max(error, std::abs(found / (1e4 * double(0.1f) * double(0.3f)) - 1));
  return error;
}

// More parts than the lanes of a block load at once, of which one is so large that in float32 the others
// would be lost beside it.
template <WeightGradientSum s> void checkSum() {
  const size_t numbers = size_t(s.numbers());
  const Numbers<float> parts(size_t(s.elements()), "parts"), result(numbers, "result");
  Random random{numbers};
  std::vector<float> values(size_t(s.elements()));
  std::vector<double> sums(numbers, 0.0);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t part = i / numbers;
    values[i] = part == 1 ? 1e9f : part + 1 == size_t(s.parts) ? -1e9f : random.number();
    sums[i % numbers] += double(values[i]);
  }
  copy_to_device(static_cast<float *>(parts), values.data(), values.size() * 4);
  VN_LAUNCH(add<s>, launch_of(s), static_cast<float *>(parts), static_cast<float *>(result));
  const std::vector<float> found = result.stored();
  for (int output = 0; output < s.outputs; ++output)
    for (int input = 0; input < s.inputs; ++input)
      for (int tap = 0; tap < s.taps; ++tap) {
        const double expected = sums[size_t((output * s.taps + tap) * s.inputs + input)];
        BOOST_TEST(std::abs(found[size_t((output * s.inputs + input) * s.taps + tap)] - expected) <= 1e-5,
                   "output " << output << " input " << input << " tap " << tap);
      }
}

} // namespace

BOOST_AUTO_TEST_CASE(sums_of_parts) {
  checkSum<WeightGradientSum{.outputs = 5, .inputs = 12, .taps = 9, .parts = 300}>();
  checkSum<WeightGradientSum{.outputs = 7, .inputs = 3, .taps = 1, .parts = 529}>();
  checkSum<WeightGradientSum{.outputs = 3, .inputs = 5, .taps = 25, .parts = 3}>();
  checkSum<WeightGradientSum{.outputs = 40, .inputs = 40, .taps = 1, .parts = 37}>();
}
BOOST_AUTO_TEST_CASE(in_f32) { checkAll<Arithmetic::F32>(Seeds()); }
BOOST_AUTO_TEST_CASE(in_tf32) { checkAll<Arithmetic::TF32>(Seeds()); }
BOOST_AUTO_TEST_CASE(in_bf16) { checkAll<Arithmetic::BF16>(Seeds()); }
BOOST_AUTO_TEST_CASE(sums_over_many_pixels) { BOOST_TEST(errorOfEqualTerms() < 1e-5); }
