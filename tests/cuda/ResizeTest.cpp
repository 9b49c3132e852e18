// Resizing, padding, cropping and their gradients, shuffled channels: random problems against plain loops.
// -DVERNIER_FIRST_PROBLEM=100 tries others.
#define BOOST_TEST_MODULE cuda_resize
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/channel_shuffle.cuh"
#include "codegen/cuda/device/resize.cuh"
#include "codegen/cuda/device/shift.cuh"

#include <algorithm>
#include <map>

namespace {

using namespace vn;
using cuda_tests::MapMemory;
using cuda_tests::overNumbers;
using cuda_tests::overSeeds;
using cuda_tests::Random;
using cuda_tests::randomElement;
using cuda_tests::randomMap;
using cuda_tests::randomMapLike;
using cuda_tests::textOf;

// --- problems

constexpr Resize randomResize(uint64_t seed) {
  Random random{seed};
  Resize r;
  r.bilinear = random.chance(60);
  const int n = random.chance(50) ? 1 : 3, c = random.between(1, 70);
  const int h = random.between(1, 9), w = random.between(1, 9);
  int to_h = random.between(1, 20), to_w = random.between(1, 20);
  if (random.chance(20))
    to_h = h;
  if (random.chance(25))
    to_h = 2 * h, to_w = 2 * w;
  if (random.chance(30)) { // as a factor rounds sizes down
    r.scale = double(random.between(11, 40)) / 16;
    to_h = int(h * r.scale), to_w = int(w * r.scale);
  } else {
    r.align_corners = r.bilinear && random.chance(40);
  }
  r.in = randomMap(random, n, h, w, c, randomElement(random));
  r.out = randomMap(random, n, to_h > 0 ? to_h : 1, to_w > 0 ? to_w : 1, c, randomElement(random));
  return r;
}

constexpr Shift randomShift(uint64_t seed) {
  Random random{seed};
  Shift s;
  s.in = randomMap(random);
  s.replicate = random.chance(40);
  s.top = random.between(random.chance(40) ? -s.in.h + 1 : 0, 5);
  s.left = random.between(random.chance(40) ? -s.in.w + 1 : 0, 5);
  const int h = s.in.h + s.top + random.between(-2, 3), w = s.in.w + s.left + random.between(-2, 3);
  s.out = randomMap(random, s.in.n, h > 0 ? h : 1, w > 0 ? w : 1, s.in.c, randomElement(random));
  return s;
}

// Large borders, too, so that a corner has more than 64 terms.
constexpr ReplicateGradient randomReplicateGradient(uint64_t seed) {
  Random random{seed};
  ReplicateGradient g;
  const int most = random.chance(30) ? 12 : 3;
  g.top = random.between(0, most), g.left = random.between(0, most);
  g.dx = randomMap(random);
  g.dy = randomMap(random, g.dx.n, g.dx.h + g.top + random.between(0, most),
                   g.dx.w + g.left + random.between(0, most), g.dx.c, randomElement(random));
  return g;
}

constexpr ChannelShuffle randomShuffle(uint64_t seed) {
  Random random{seed};
  ChannelShuffle s;
  s.groups = random.between(1, 8);
  const int n = random.chance(50) ? 1 : 3;
  s.in = randomMap(random, n, random.between(1, 9), random.between(1, 9), s.groups * random.between(1, 9),
                   randomElement(random));
  s.out = randomMapLike(random, s.in);
  return s;
}

// --- kernels

template <Resize r>
VN_KERNEL(map_threads)
resize_kernel(Global<const Number<r.in.element>> in, Global<Number<r.out.element>> out) {
  resize<r>(in, out);
}
template <ResizeGradient g>
VN_KERNEL(map_threads)
resize_gradient_kernel(Global<const Number<g.resize.out.element>> dy,
                       Global<Number<g.resize.in.element>> dx) {
  resize_gradient<g>(dy, dx);
}
template <Shift s>
VN_KERNEL(map_threads)
shift_kernel(Global<const Number<s.in.element>> in, Global<Number<s.out.element>> out) {
  shift<s>(in, out);
}
template <ReplicateGradient g>
VN_KERNEL(map_threads)
replicate_gradient_kernel(Global<const Number<g.dy.element>> dy, Global<Number<g.dx.element>> dx) {
  replicate_gradient<g>(dy, dx);
}
template <ChannelShuffle s>
VN_KERNEL(map_threads)
shuffle_kernel(Global<const Number<s.in.element>> in, Global<Number<s.out.element>> out) {
  channel_shuffle<s>(in, out);
}

// --- expected values

// The positions of an axis that one result reads, and with what weights.
std::map<int, double> readsOf(const Resize &r, int result, int in, int out) {
  if (!r.bilinear) {
    const float step =
        r.scale > 0 && in != out && out != 2 * in ? float(1 / r.scale) : float(in) / float(out);
    return {{std::min(int(std::floor(float(result) * step)), in - 1), 1}};
  }
  double at = result;
  if (in != out && r.align_corners)
    at = out > 1 ? double(result) * (in - 1) / (out - 1) : 0;
  else if (in != out)
    at = std::max(0.0, (result + 0.5) * (r.scale > 0 ? 1 / r.scale : double(in) / out) - 0.5);
  const int low = std::min(int(std::floor(at)), in - 1);
  std::map<int, double> reads{{low, 1 - (at - low)}};
  reads[std::min(low + 1, in - 1)] += at - low;
  return reads;
}

size_t placeIn(const Map &map, int n, int y, int x, int channel) {
  return size_t(((n * map.h + y) * map.w + x) * map.c + channel);
}

// --- checks

// Whether what the kernels store differs from `expected`, with rounding errors of numbers below `magnitude`.
std::string difference(const MapMemory &map, const std::vector<double> &expected, double magnitude) {
  return cuda_tests::difference(map, expected, std::vector<double>(expected.size(), magnitude));
}

std::string textOf(const Resize &r) {
  return textOf(r.in) + " to " + textOf(r.out) + (r.bilinear ? " bilinear" : " nearest") +
         (r.align_corners ? " aligned" : "") + " scale " + std::to_string(r.scale);
}

template <Resize r> void checkResize(uint64_t seed) {
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(r)) {
    Random random{seed};
    emulation::setSeed(seed);
    // NaN spreads to what reads it with a weight other than 0; with weight 0 it may.
    const MapMemory in(r.in, "in", random, !r.bilinear && seed % 3 == 0 ? 3 : 0), out(r.out, "out");
    VN_LAUNCH(resize_kernel<r>, launch_of(r), in.first<Number<r.in.element>>(),
              out.first<Number<r.out.element>>());
    std::vector<double> expected;
    overNumbers(r.out, [&](size_t, int n, int oy, int ox, int channel) {
      double sum = 0;
      for (const auto &[y, row_weight] : readsOf(r, oy, r.in.h, r.out.h))
        for (const auto &[x, column_weight] : readsOf(r, ox, r.in.w, r.out.w))
          sum += row_weight * column_weight * in.at(n, y, x, channel);
      expected.push_back(sum);
    });
    BOOST_TEST(difference(out, expected, r.bilinear ? 1 : 0) == "");
  }
}

template <Resize r> void checkResizeGradient(uint64_t seed) {
  constexpr ResizeGradient g{r};
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(r) << " share " << g.share()) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory dy(r.out, "dy", random), dx(r.in, "dx");
    VN_LAUNCH(resize_gradient_kernel<g>, launch_of(g), dy.first<Number<r.out.element>>(),
              dx.first<Number<r.in.element>>());
    std::vector<double> expected(size_t(r.in.pixels() * r.in.c)), magnitudes(expected.size(), 0.1);
    overNumbers(r.out, [&](size_t at, int n, int oy, int ox, int channel) {
      for (const auto &[y, row_weight] : readsOf(r, oy, r.in.h, r.out.h))
        for (const auto &[x, column_weight] : readsOf(r, ox, r.in.w, r.out.w)) {
          const double term = row_weight * column_weight * dy.values[at];
          expected[placeIn(r.in, n, y, x, channel)] += term;
          magnitudes[placeIn(r.in, n, y, x, channel)] += std::abs(term);
        }
    });
    BOOST_TEST(cuda_tests::difference(dx, expected, magnitudes) == "");
  }
}

template <uint64_t seed> void checkShift() {
  constexpr Shift s = randomShift(seed);
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(s.in) << " to " << textOf(s.out) << " by " << s.top
                                << " " << s.left << (s.replicate ? " replicated" : "")) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory in(s.in, "in", random, 2), out(s.out, "out");
    VN_LAUNCH(shift_kernel<s>, launch_of(s), in.first<Number<s.in.element>>(),
              out.first<Number<s.out.element>>());
    std::vector<double> expected;
    overNumbers(s.out, [&](size_t, int n, int y, int x, int channel) {
      const int from_y = std::clamp(y - s.top, 0, s.in.h - 1), from_x = std::clamp(x - s.left, 0, s.in.w - 1);
      const bool inside = from_y == y - s.top && from_x == x - s.left;
      expected.push_back(inside || s.replicate ? in.at(n, from_y, from_x, channel) : 0);
    });
    BOOST_TEST(difference(out, expected, 0) == "");
  }
}

template <ReplicateGradient g> void checkReplicateGradient(uint64_t seed) {
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(g.dy) << " to " << textOf(g.dx) << " by " << g.top
                                << " " << g.left) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory dy(g.dy, "dy", random), dx(g.dx, "dx");
    VN_LAUNCH(replicate_gradient_kernel<g>, launch_of(g), dy.first<Number<g.dy.element>>(),
              dx.first<Number<g.dx.element>>());
    std::vector<double> expected(size_t(g.dx.pixels() * g.dx.c)), magnitudes = expected;
    overNumbers(g.dy, [&](size_t at, int n, int y, int x, int channel) {
      const size_t to = placeIn(g.dx, n, std::clamp(y - g.top, 0, g.dx.h - 1),
                                std::clamp(x - g.left, 0, g.dx.w - 1), channel);
      expected[to] += dy.values[at];
      magnitudes[to] += std::abs(dy.values[at]);
    });
    BOOST_TEST(cuda_tests::difference(dx, expected, magnitudes) == "");
  }
}

template <uint64_t seed> void checkShuffle() {
  constexpr ChannelShuffle s = randomShuffle(seed);
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(s.in) << " to " << textOf(s.out) << " groups "
                                << s.groups) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory in(s.in, "in", random, 2), out(s.out, "out");
    VN_LAUNCH(shuffle_kernel<s>, launch_of(s), in.first<Number<s.in.element>>(),
              out.first<Number<s.out.element>>());
    std::vector<double> expected(size_t(s.out.pixels() * s.out.c));
    const int each = s.in.c / s.groups;
    for (int pixel = 0; pixel < s.in.pixels(); ++pixel)
      for (int group = 0; group < s.groups; ++group)
        for (int i = 0; i < each; ++i)
          expected[size_t(pixel * s.in.c + i * s.groups + group)] =
              in.values[size_t(pixel * s.in.c + group * each + i)];
    BOOST_TEST(difference(out, expected, 0) == "");
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(resizes) {
  // float32 takes row 41 of 82 from 0, not from 1.
  checkResize<Resize{.in = {1, 2, 7, 3, 3}, .out = {1, 82, 3, 3, 3}}>(0);
  overSeeds<20>([]<uint64_t seed>() {
    constexpr Resize r = randomResize(seed);
    checkResize<r>(seed);
  });
}
BOOST_AUTO_TEST_CASE(resize_gradients) {
  // A pixel that all of a map reads, by threads that share it, and one that many do.
  constexpr Resize spread{.in = {2, 1, 1, 9, 9}, .out = {2, 33, 21, 9, 9}};
  constexpr Resize wide{.in = {1, 3, 2, 5, 8, Element::BF16, 8}, .out = {1, 40, 31, 5, 5}, .bilinear = true};
  static_assert(ResizeGradient{spread}.share() == 32 && ResizeGradient{wide}.share() > 1);
  checkResizeGradient<spread>(0);
  checkResizeGradient<wide>(1);
  checkResizeGradient<Resize{.in = {1, 2, 7, 3, 3}, .out = {1, 82, 3, 3, 3}}>(2);
  overSeeds<20>([]<uint64_t seed>() {
    constexpr Resize r = randomResize(seed);
    checkResizeGradient<r>(seed);
  });
}
// NaN of one pixel is in all that read it: not lost in a product or a sum.
BOOST_AUTO_TEST_CASE(nan_stays) {
  constexpr Resize r{.in = {1, 3, 3, 1, 1}, .out = {1, 7, 5, 1, 1}, .bilinear = true};
  std::vector<float> numbers(9, 1.0f);
  numbers[4] = NAN;
  const MapMemory in(r.in, "in", numbers), out(r.out, "out");
  VN_LAUNCH(resize_kernel<r>, launch_of(r), in.first<float>(), out.first<float>());
  const std::vector<float> found = out.stored();
  overNumbers(r.out, [&](size_t at, int, int y, int x, int) {
    const auto rows = readsOf(r, y, 3, 7), columns = readsOf(r, x, 3, 5);
    if (rows.contains(1) && rows.at(1) > 0 && columns.contains(1) && columns.at(1) > 0)
      BOOST_TEST(std::isnan(found[at]));
  });
  numbers.assign(35, 1.0f);
  numbers[17] = NAN; // the middle reads the middle alone
  const MapMemory dy(r.out, "dy", numbers), dx(r.in, "dx");
  constexpr ResizeGradient g{r};
  VN_LAUNCH(resize_gradient_kernel<g>, launch_of(g), dy.first<float>(), dx.first<float>());
  BOOST_TEST(std::isnan(dx.stored()[4]));
}
BOOST_AUTO_TEST_CASE(shifts) {
  overSeeds<16>([]<uint64_t seed>() { checkShift<seed>(); });
}
BOOST_AUTO_TEST_CASE(replicate_gradients) {
  checkReplicateGradient<ReplicateGradient{{1, 23, 26, 3, 3}, {1, 3, 4, 3, 3}, 9, 11}>(0);
  overSeeds<14>([]<uint64_t seed>() {
    constexpr ReplicateGradient g = randomReplicateGradient(seed);
    checkReplicateGradient<g>(seed);
  });
}
BOOST_AUTO_TEST_CASE(channel_shuffles) {
  overSeeds<14>([]<uint64_t seed>() { checkShuffle<seed>(); });
}
