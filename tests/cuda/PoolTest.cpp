// Pools, sums over pixels and their gradients, random problems against plain loops.
// -DVERNIER_FIRST_PROBLEM=100 tries others.
#define BOOST_TEST_MODULE cuda_pool
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/pool_gradient.cuh"
#include "codegen/cuda/device/spatial.cuh"

#include <memory>

namespace {

using namespace vn;
using cuda_tests::MapMemory;
using cuda_tests::Numbers;
using cuda_tests::overNumbers;
using cuda_tests::overSeeds;
using cuda_tests::Random;
using cuda_tests::randomElement;
using cuda_tests::randomMap;
using cuda_tests::randomPair;
using cuda_tests::sizeAfter;
using cuda_tests::textOf;

// --- problems

constexpr Pool randomPool(uint64_t seed, PoolKind kind) {
  Random random{2 * seed + uint64_t(kind)};
  Pool p;
  p.kind = kind;
  p.kernel = randomPair(random, 1, random.chance(20) ? 13 : 4);
  p.stride = random.chance(30) ? p.kernel : randomPair(random, 1, 3);
  p.padding = {random.between(0, p.kernel.y / 2), random.between(0, p.kernel.y / 2),
               random.between(0, p.kernel.x / 2), random.between(0, p.kernel.x / 2)};
  if (random.chance(40))
    p.padding = {};
  p.count_padding = random.chance(50);
  // Windows side by side, all over the map.
  const bool apart = seed % 3 == 1;
  if (apart)
    p.stride = p.kernel, p.padding = {};
  const int n = random.chance(50) ? 1 : 3, c = random.between(1, 70);
  const int h = apart ? p.kernel.y * random.between(1, 4) : p.kernel.y + random.between(0, 9),
            w = apart ? p.kernel.x * random.between(1, 4) : p.kernel.x + random.between(0, 9);
  const int columns = sizeAfter(w, p.kernel.x, p.stride.x, p.padding.left, p.padding.right, 1);
  int rows = sizeAfter(h, p.kernel.y, p.stride.y, p.padding.top, p.padding.bottom, 1);
  // At times a last window that reaches past the padding, as sizes that are rounded up give.
  if (random.chance(40) && rows * p.stride.y < h + p.padding.top)
    ++rows;
  const Element element = randomElement(random);
  p.in = randomMap(random, n, h, w, c, element);
  p.out = randomMap(random, n, rows, columns, c, kind == PoolKind::Max ? element : randomElement(random));
  return p;
}

// Of large windows threads share.
constexpr Pool largeWindow(PoolKind kind) {
  Pool p;
  p.kind = kind;
  p.kernel = {19, 17}, p.stride = {7, 9}, p.padding = {3, 0, 5, 1};
  p.count_padding = false;
  p.in = {2, 30, 31, 21, 24, Element::BF16, 8};
  p.out = {2, 3, 3, 21, 22, kind == PoolKind::Max ? Element::BF16 : Element::F32, 2};
  return p;
}
constexpr uint64_t kLargeWindow = ~0ull;
constexpr Pool poolOf(uint64_t seed, PoolKind kind) {
  return seed == kLargeWindow ? largeWindow(kind) : randomPool(seed, kind);
}

std::string textOf(const Pool &p) {
  const auto pair = [](const Pair &pair) { return std::to_string(pair.y) + "x" + std::to_string(pair.x); };
  return textOf(p.in) + " to " + textOf(p.out) + " kernel " + pair(p.kernel) + " stride " + pair(p.stride) +
         " padding " + std::to_string(p.padding.top) + " " + std::to_string(p.padding.bottom) + " " +
         std::to_string(p.padding.left) + " " + std::to_string(p.padding.right) +
         (p.count_padding ? " counted" : "") + " share " + std::to_string(p.share());
}

constexpr PoolGradient randomGradient(uint64_t seed, PoolKind kind) {
  PoolGradient g;
  g.pool = poolOf(seed, kind);
  Random random{3 * seed + uint64_t(kind)};
  const Map in = g.pool.in, out = g.pool.out;
  g.dy = randomMap(random, out.n, out.h, out.w, out.c, randomElement(random));
  g.dx = randomMap(random, in.n, in.h, in.w, in.c, randomElement(random));
  if (kind == PoolKind::Max && random.chance(50)) {
    g.epilogue.addends = random.between(0, 2);
    for (int i = 0; i < g.epilogue.addends; ++i)
      g.epilogue.addend[i] = {randomMap(random, in.n, ceil_div(in.h, i + 1), in.w, in.c, Element::F32),
                              {i + 1, 1}};
    if (random.chance(70)) {
      g.epilogue.masked = random.chance(50) ? Activation::Relu : Activation::Relu6;
      g.epilogue.mask = randomMap(random, in.n, in.h, in.w, in.c, Element::F32);
    }
  }
  return g;
}

// --- kernels

template <Pool p>
VN_KERNEL(map_threads)
pool_kernel(Global<const Number<p.in.element>> in, Global<Number<p.out.element>> out) {
  pool<p>(in, out);
}
template <PoolGradient g>
VN_KERNEL(map_threads)
max_gradient_kernel(Global<const Number<g.pool.in.element>> in, Global<const Number<g.pool.out.element>> out,
                    Global<const Number<g.dy.element>> dy, Global<Number<g.dx.element>> dx,
                    EpilogueOperands operands) {
  max_pool_gradient<g>(in, out, dy, dx, operands);
}
template <PoolGradient g>
VN_KERNEL(map_threads)
average_gradient_kernel(Global<const Number<g.dy.element>> dy, Global<Number<g.dx.element>> dx) {
  average_pool_gradient<g>(dy, dx);
}
template <SpatialSum s>
VN_KERNEL(map_threads)
sum_kernel(Global<const Number<s.a.element>> a, Global<const Number<s.b.element>> b,
           Global<Number<s.out.element>> out, Global<double> sums, Global<unsigned> counters) {
  spatial_sum<s>(a, b, out, sums, counters);
}
template <SpatialBroadcast s>
VN_KERNEL(map_threads)
broadcast_kernel(Global<const Number<s.in.element>> in, Global<Number<s.out.element>> out) {
  spatial_broadcast<s>(in, out);
}

// --- expected values

// What one output of a pool is of: the elements of its window, row by row, as places in the input's values,
// and how many an average counts.
struct WindowOf {
  std::vector<size_t> elements;
  int counted = 0;
};
WindowOf windowOf(const Pool &p, int n, int oy, int ox, int channel) {
  WindowOf window;
  for (int r = 0; r < p.kernel.y; ++r)
    for (int s = 0; s < p.kernel.x; ++s) {
      const int y = oy * p.stride.y - p.padding.top + r, x = ox * p.stride.x - p.padding.left + s;
      const bool inside = y >= 0 && y < p.in.h && x >= 0 && x < p.in.w;
      if (inside)
        window.elements.push_back(size_t(((n * p.in.h + y) * p.in.w + x) * p.in.c + channel));
      if (inside || (p.count_padding && y < p.in.h + p.padding.bottom && x < p.in.w + p.padding.right))
        ++window.counted;
    }
  return window;
}

// The element that a window's maximum is: the first of equals, the last NaN.
size_t winnerOf(const WindowOf &window, const std::vector<float> &values) {
  size_t winner = window.elements.front();
  for (size_t at : window.elements)
    if (values[at] > values[winner] || std::isnan(values[at]))
      winner = at;
  return winner;
}

// Few different numbers, so that maxima are equal, or NaN.
std::vector<float> tiedNumbers(const Map &map, Random &random, int percentNaN) {
  std::vector<float> numbers;
  for (int i = 0; i < map.pixels() * map.c; ++i)
    numbers.push_back(random.chance(percentNaN) ? NAN : float(random.between(-3, 14)) / 2);
  return numbers;
}

// --- checks

template <uint64_t seed, PoolKind kind> void checkPool() {
  constexpr Pool p = poolOf(seed, kind);
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p)) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory in(p.in, "in", random, seed % 3 == 0 ? 3 : 0), out(p.out, "out");
    VN_LAUNCH(pool_kernel<p>, launch_of(p), in.first<Number<p.in.element>>(),
              out.first<Number<p.out.element>>());
    std::vector<double> expected, magnitudes;
    overNumbers(p.out, [&](size_t, int n, int y, int x, int channel) {
      const WindowOf window = windowOf(p, n, y, x, channel);
      double sum = 0;
      for (size_t at : window.elements)
        sum += in.values[at];
      expected.push_back(kind == PoolKind::Max ? double(in.values[winnerOf(window, in.values)])
                                               : sum / window.counted);
      magnitudes.push_back(kind == PoolKind::Max ? 0 : 1);
    });
    BOOST_TEST(difference(out, expected, magnitudes) == "");
  }
}

template <uint64_t seed> void checkMaxGradient() {
  constexpr PoolGradient g = randomGradient(seed, PoolKind::Max);
  constexpr Pool p = g.pool;
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p) << " addends " << g.epilogue.addends) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory in(p.in, "in", tiedNumbers(p.in, random, seed % 3 == 0 ? 10 : 0)), out(p.out, "out"),
        dy(g.dy, "dy", random), dx(g.dx, "dx");
    std::vector<std::unique_ptr<MapMemory>> addends;
    EpilogueOperands operands;
    for (int i = 0; i < g.epilogue.addends; ++i) {
      addends.push_back(std::make_unique<MapMemory>(g.epilogue.addend[i].map, "addend", random));
      operands.addend[i] = addends.back()->first<unsigned char>();
    }
    std::unique_ptr<MapMemory> mask;
    if (g.epilogue.masked != Activation::None) {
      mask = std::make_unique<MapMemory>(g.epilogue.mask, "mask", tiedNumbers(g.epilogue.mask, random, 0));
      operands.mask = mask->first<unsigned char>();
    }
    VN_LAUNCH(pool_kernel<p>, launch_of(p), in.first<Number<p.in.element>>(),
              out.first<Number<p.out.element>>());
    VN_LAUNCH(max_gradient_kernel<g>, launch_of(g), in.first<Number<p.in.element>>(),
              out.first<Number<p.out.element>>(), dy.first<Number<g.dy.element>>(),
              dx.first<Number<g.dx.element>>(), operands);
    std::vector<double> expected(in.values.size()), magnitudes(in.values.size(), 1);
    overNumbers(p.out, [&](size_t at, int n, int y, int x, int channel) {
      const size_t winner = winnerOf(windowOf(p, n, y, x, channel), in.values);
      expected[winner] += dy.values[at];
      magnitudes[winner] += std::abs(dy.values[at]);
    });
    overNumbers(g.dx, [&](size_t at, int n, int y, int x, int channel) {
      for (const auto &addend : addends)
        expected[at] += addend->at(n, y * addend->map.h / p.in.h, x, channel);
      if (g.epilogue.masked == Activation::Relu)
        expected[at] *= mask->values[at] > 0;
      if (g.epilogue.masked == Activation::Relu6)
        expected[at] *= mask->values[at] > 0 && mask->values[at] < 6;
    });
    BOOST_TEST(difference(dx, expected, magnitudes) == "");
  }
}

template <uint64_t seed> void checkAverageGradient() {
  constexpr PoolGradient g = randomGradient(seed, PoolKind::Average);
  constexpr Pool p = g.pool;
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p)) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory dy(g.dy, "dy", random), dx(g.dx, "dx");
    VN_LAUNCH(average_gradient_kernel<g>, launch_of(g), dy.first<Number<g.dy.element>>(),
              dx.first<Number<g.dx.element>>());
    std::vector<double> expected(size_t(g.dx.pixels() * g.dx.c)), magnitudes = expected;
    overNumbers(g.dy, [&](size_t at, int n, int y, int x, int channel) {
      const WindowOf window = windowOf(p, n, y, x, channel);
      for (size_t to : window.elements) {
        expected[to] += dy.values[at] / double(window.counted);
        magnitudes[to] += std::abs(dy.values[at] / double(window.counted));
      }
    });
    BOOST_TEST(difference(dx, expected, magnitudes) == "");
  }
}

constexpr SpatialSum randomSum(uint64_t seed) {
  Random random{seed};
  SpatialSum s;
  s.dot = random.chance(40);
  s.mean = !s.dot && random.chance(60);
  const int n = random.chance(50) ? 1 : 3, c = random.between(1, random.chance(20) ? 300 : 70);
  const int h = random.between(1, 40), w = random.between(1, c > 70 ? 9 : 40);
  s.a = randomMap(random, n, h, w, c, randomElement(random));
  if (s.dot)
    s.b = randomMap(random, n, h, w, c, randomElement(random));
  s.out = randomMap(random, n, 1, 1, c, randomElement(random));
  return s;
}

template <SpatialSum s> void checkSum(uint64_t seed) {
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(s.a) << " to " << textOf(s.out) << " lanes "
                                << s.lanes() << " parts " << s.parts() << (s.dot ? " dot" : "")) {
    Random random{seed};
    const MapMemory a(s.a, "a", random, seed % 4 == 3 && s.a.pixels() < 50 ? 1 : 0), b(s.b, "b", random),
        out(s.out, "out");
    const Numbers<double> sums(size_t(s.sums()), "sums");
    const Numbers<unsigned> counters(size_t(s.counters()), "counters");
    if (s.counters() > 0)
      fill_device(counters, 0, size_t(s.counters()) * 4);
    std::vector<float> found;
    for (uint64_t order = 0; order < 3; ++order) {
      emulation::setSeed(3 * seed + order);
      emulation::poison(out.rows());
      VN_LAUNCH(sum_kernel<s>, launch_of(s), a.first<Number<s.a.element>>(),
                s.dot ? b.first<Number<s.b.element>>() : nullptr, out.first<Number<s.out.element>>(),
                s.parts() > 1 ? static_cast<double *>(sums) : nullptr,
                s.parts() > 1 ? static_cast<unsigned *>(counters) : nullptr);
      const std::vector<float> again = out.stored();
      BOOST_TEST((order == 0 || std::memcmp(found.data(), again.data(), 4 * found.size()) == 0),
                 "the order of blocks changes the result");
      found = again;
    }
    std::vector<double> expected(size_t(s.a.n * s.a.c)), magnitudes = expected;
    overNumbers(s.a, [&](size_t at, int n, int, int, int channel) {
      const size_t to = size_t(n * s.a.c + channel);
      const double term =
          (s.dot ? double(a.values[at]) * b.values[at] : double(a.values[at])) / (s.mean ? s.a.h * s.a.w : 1);
      expected[to] += term;
      magnitudes[to] += std::abs(term);
    });
    BOOST_TEST(difference(out, expected, magnitudes) == "");
  }
}

template <uint64_t seed> void checkBroadcast() {
  constexpr auto problem = [] {
    Random random{seed};
    const int n = random.chance(50) ? 1 : 3, c = random.between(1, 70);
    return SpatialBroadcast{
        randomMap(random, n, 1, 1, c, randomElement(random)),
        randomMap(random, n, random.between(1, 12), random.between(1, 12), c, randomElement(random)),
        random.chance(40) ? 1.0f : 1.0f / float(random.between(2, 100))};
  };
  constexpr SpatialBroadcast s = problem();
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(s.in) << " to " << textOf(s.out)) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory in(s.in, "in", random), out(s.out, "out");
    VN_LAUNCH(broadcast_kernel<s>, launch_of(s), in.first<Number<s.in.element>>(),
              out.first<Number<s.out.element>>());
    std::vector<double> expected;
    overNumbers(s.out, [&](size_t, int n, int, int, int channel) {
      expected.push_back(double(s.factor) * in.at(n, 0, 0, channel));
    });
    BOOST_TEST(difference(out, expected, std::vector<double>(expected.size(), 1)) == "");
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(max_pool) {
  checkPool<kLargeWindow, PoolKind::Max>();
  overSeeds<14>([]<uint64_t seed>() { checkPool<seed, PoolKind::Max>(); });
}
BOOST_AUTO_TEST_CASE(average_pool) {
  checkPool<kLargeWindow, PoolKind::Average>();
  overSeeds<14>([]<uint64_t seed>() { checkPool<seed, PoolKind::Average>(); });
}
BOOST_AUTO_TEST_CASE(max_pool_gradient_) {
  checkMaxGradient<kLargeWindow>();
  overSeeds<14>([]<uint64_t seed>() { checkMaxGradient<seed>(); });
}
BOOST_AUTO_TEST_CASE(average_pool_gradient_) {
  checkAverageGradient<kLargeWindow>();
  overSeeds<14>([]<uint64_t seed>() { checkAverageGradient<seed>(); });
}
BOOST_AUTO_TEST_CASE(spatial_sums) {
  // So few channels that an image is divided among blocks, each thread with more than 64 pixels.
  checkSum<SpatialSum{.a = {1, 300, 300, 3, 3}, .out = {1, 1, 1, 3, 3}, .mean = true}>(0);
  static_assert(SpatialSum{.a = {2, 150, 200, 3, 3}, .out = {2, 1, 1, 3, 3}}.parts() > 1);
  checkSum<SpatialSum{.a = {2, 150, 200, 3, 3}, .out = {2, 1, 1, 3, 3}}>(1);
  overSeeds<14>([]<uint64_t seed>() {
    constexpr SpatialSum s = randomSum(seed);
    checkSum<s>(seed);
  });
}
BOOST_AUTO_TEST_CASE(spatial_broadcasts) {
  overSeeds<12>([]<uint64_t seed>() { checkBroadcast<seed>(); });
}
