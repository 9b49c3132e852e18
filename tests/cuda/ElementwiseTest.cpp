// Kernels that map pixels to pixels, and those between maps and arrays, random problems against plain loops
// in double. One number in twenty is none: it must come through. -DVERNIER_FIRST_PROBLEM=100 tries others.
#define BOOST_TEST_MODULE cuda_elementwise
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/arrays.cuh"
#include "codegen/cuda/device/elementwise.cuh"

#include <functional>

namespace {

using namespace vn;
using cuda_tests::activatedInDouble;
using cuda_tests::checkAll;
using cuda_tests::gradientInDouble;
using cuda_tests::MapMemory;
using cuda_tests::Numbers;
using cuda_tests::Random;
using cuda_tests::randomActivation;
using cuda_tests::randomMap;
using cuda_tests::randomMapLike;
using cuda_tests::textOf;

constexpr int kNanPercent = 5;

// The result's numbers, each of which `expected(pixel, channel)` says.
void compare(const MapMemory &result, const std::function<double(int, int)> &expected) {
  const std::vector<float> found = result.stored();
  for (int pixel = 0; pixel < result.map.pixels(); ++pixel)
    for (int channel = 0; channel < result.map.c; ++channel) {
      const double value = double(float(expected(pixel, channel))), // infinite beyond float
          tolerance = 2e-6 * (1 + std::abs(value)) +
                      (result.map.element == Element::BF16 ? std::abs(value) / 256 : 0);
      const float there = found[size_t(pixel * result.map.c + channel)];
      if (std::isnan(value) ? std::isnan(there)
                            : double(there) == value || std::abs(there - value) <= tolerance)
        continue;
      BOOST_TEST_ERROR("pixel " << pixel << " channel " << channel << ": " << there << ", expected "
                                << value);
      return;
    }
}

double number(const MapMemory &map, int pixel, int channel) {
  return double(map.values[size_t(pixel * map.map.c + channel)]);
}

using Seeds = std::make_integer_sequence<uint64_t, 12>;

// --- binary

constexpr Binary randomBinary(uint64_t seed) {
  Random random{seed * 8};
  Binary p;
  p.op = Operation(random.between(0, 3));
  p.y = randomMap(random);
  p.a = randomMapLike(random, p.y);
  p.b = random.chance(40)   ? randomMapLike(random, p.y)
        : random.chance(40) ? randomMap(random, p.y.n, 1, 1, p.y.c, cuda_tests::randomElement(random))
        : random.chance(60) ? randomMap(random, p.y.n, p.y.h, p.y.w, 1, cuda_tests::randomElement(random))
                            : randomMap(random, p.y.n, 1, 1, 1, cuda_tests::randomElement(random));
  p.activation = randomActivation(random);
  return p;
}
double combinedInDouble(Operation op, double a, double b) {
  switch (op) {
  case Operation::Add:
    return a + b;
  case Operation::Subtract:
    return a - b;
  case Operation::Multiply:
    return a * b;
  case Operation::Divide:
    return a / b;
  }
  return 0;
}

template <Binary p>
VN_KERNEL(256)
run_binary(Global<const Number<p.a.element>> a, Global<const Number<p.b.element>> b,
           Global<Number<p.y.element>> y) {
  binary<p>(a, b, y);
}
template <Binary p> void checkBinary(uint64_t seed) {
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.a) << ", " << textOf(p.b) << ", "
                                << textOf(p.y)) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory a(p.a, "a", random, kNanPercent), b(p.b, "b", random, kNanPercent), y(p.y, "y");
    VN_LAUNCH(run_binary<p>, launch_of(p), a.first<Number<p.a.element>>(), b.first<Number<p.b.element>>(),
              y.first<Number<p.y.element>>());
    compare(y, [&](int pixel, int channel) {
      const int n = pixel / (p.y.h * p.y.w), row = pixel / p.y.w % p.y.h, column = pixel % p.y.w;
      const int of_b = p.b.c == 1 ? 0 : channel;
      const double other =
          p.b.h == p.y.h && p.b.w == p.y.w ? b.at(n, row, column, of_b) : b.at(n, 0, 0, of_b);
      const double value = number(a, pixel, channel);
      return activatedInDouble(p.activation, combinedInDouble(p.op, value, other));
    });
  }
}
template <uint64_t seed> struct CheckBinary {
  static void run() { checkBinary<randomBinary(seed)>(seed); }
};

// --- activations

constexpr Activate randomActivate(uint64_t seed) {
  Random random{seed * 8 + 1};
  Activate p;
  p.y = randomMap(random);
  p.x = randomMapLike(random, p.y);
  p.activation = randomActivation(random);
  return p;
}
template <Activate p>
VN_KERNEL(256)
run_activate(Global<const Number<p.x.element>> x, Global<Number<p.y.element>> y) {
  activate<p>(x, y);
}
template <uint64_t seed> struct CheckActivate {
  static void run() {
    constexpr Activate p = randomActivate(seed);
    BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.x) << ", " << textOf(p.y)) {
      Random random{seed};
      emulation::setSeed(seed);
      const MapMemory x(p.x, "x", random, kNanPercent), y(p.y, "y");
      VN_LAUNCH(run_activate<p>, launch_of(p), x.first<Number<p.x.element>>(),
                y.first<Number<p.y.element>>());
      compare(y, [&](int pixel, int channel) {
        return activatedInDouble(p.activation, number(x, pixel, channel));
      });
    }
  }
};

constexpr ActivationGradient randomActivationGradient(uint64_t seed) {
  Random random{seed * 8 + 2};
  ActivationGradient p;
  p.dx = randomMap(random);
  p.dy = randomMapLike(random, p.dx);
  p.y = randomMapLike(random, p.dx);
  p.activation = randomActivation(random);
  return p;
}
template <ActivationGradient p>
VN_KERNEL(256)
run_activation_gradient(Global<const Number<p.y.element>> y, Global<const Number<p.dy.element>> dy,
                        Global<Number<p.dx.element>> dx) {
  activation_gradient<p>(y, dy, dx);
}
template <uint64_t seed> struct CheckActivationGradient {
  static void run() {
    constexpr ActivationGradient p = randomActivationGradient(seed);
    BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.y) << ", " << textOf(p.dy) << ", "
                                  << textOf(p.dx)) {
      Random random{seed};
      emulation::setSeed(seed);
      const MapMemory y(p.y, "y", random, kNanPercent), dy(p.dy, "dy", random, kNanPercent), dx(p.dx, "dx");
      VN_LAUNCH(run_activation_gradient<p>, launch_of(p), y.first<Number<p.y.element>>(),
                dy.first<Number<p.dy.element>>(), dx.first<Number<p.dx.element>>());
      compare(dx, [&](int pixel, int channel) {
        return gradientInDouble(p.activation, number(y, pixel, channel), number(dy, pixel, channel));
      });
    }
  }
};

// --- affine

constexpr Affine randomAffine(uint64_t seed) {
  Random random{seed * 8 + 3};
  Affine p;
  p.y = randomMap(random);
  p.x = randomMapLike(random, p.y);
  p.activation = randomActivation(random);
  p.adds = random.chance(50);
  p.addend = p.adds ? randomMapLike(random, p.y) : Map{};
  p.parameters = random.chance(70) ? 4 : 1;
  p.shifts = random.chance(70);
  return p;
}
template <Affine p>
VN_KERNEL(256)
run_affine(Global<const Number<p.x.element>> x, Global<const float> scale, Global<const float> shift,
           Global<const Number<p.addend.element>> addend, Global<Number<p.y.element>> y) {
  affine<p>(x, scale, shift, addend, y);
}
template <Affine p> void checkAffine(uint64_t seed) {
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.x) << ", " << textOf(p.addend) << ", "
                                << textOf(p.y)) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory x(p.x, "x", random, kNanPercent), addend(p.addend, "addend", random, kNanPercent),
        y(p.y, "y");
    const Numbers<float> scale(size_t(p.y.c), "scale", random), shift(size_t(p.y.c), "shift", random);
    VN_LAUNCH(run_affine<p>, launch_of(p), x.first<Number<p.x.element>>(), static_cast<float *>(scale),
              p.shifts ? static_cast<float *>(shift) : nullptr,
              p.adds ? addend.first<Number<p.addend.element>>() : nullptr, y.first<Number<p.y.element>>());
    compare(y, [&](int pixel, int channel) {
      double value = number(x, pixel, channel) * scale.values[size_t(channel)];
      if (p.shifts)
        value += shift.values[size_t(channel)];
      if (p.adds)
        value += number(addend, pixel, channel);
      return activatedInDouble(p.activation, value);
    });
  }
}
template <uint64_t seed> struct CheckAffine {
  static void run() { checkAffine<randomAffine(seed)>(seed); }
};

// --- fill and copy

constexpr Fill randomFill(uint64_t seed) {
  Random random{seed * 8 + 4};
  Fill p;
  p.y = randomMap(random);
  p.value = random.chance(50) ? 0 : float(random.between(-100, 100)) / 8;
  return p;
}
template <Fill p> VN_KERNEL(256) run_fill(Global<Number<p.y.element>> y) { fill<p>(y); }
template <uint64_t seed> struct CheckFill {
  static void run() {
    constexpr Fill p = randomFill(seed);
    BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.y)) {
      emulation::setSeed(seed);
      const MapMemory y(p.y, "y");
      VN_LAUNCH(run_fill<p>, launch_of(p), y.first<Number<p.y.element>>());
      compare(y, [&](int, int) { return double(p.value); });
    }
  }
};

constexpr Copy randomCopy(uint64_t seed) {
  Random random{seed * 8 + 5};
  Copy p;
  p.x = randomMap(random);
  p.y = randomMapLike(random, p.x);
  return p;
}
template <Copy p>
VN_KERNEL(256)
run_copy(Global<const Number<p.x.element>> x, Global<Number<p.y.element>> y) {
  copy<p>(x, y);
}
template <Copy p> void checkCopy(uint64_t seed) {
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.x) << ", " << textOf(p.y)) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory x(p.x, "x", random, kNanPercent), y(p.y, "y");
    VN_LAUNCH(run_copy<p>, launch_of(p), x.first<Number<p.x.element>>(), y.first<Number<p.y.element>>());
    compare(y, [&](int pixel, int channel) { return number(x, pixel, channel); });
  }
}
template <uint64_t seed> struct CheckCopy {
  static void run() { checkCopy<randomCopy(seed)>(seed); }
};

// --- arrays

// Small planes and large ones, one channel and more than a tile has.
constexpr Array randomArray(uint64_t seed) {
  Random random{seed * 8 + 6};
  const int n = random.chance(50) ? 1 : 3, most = random.chance(50) ? 2 : 17;
  const int h = random.between(1, most), w = random.between(1, most);
  const int c = random.chance(30) ? random.between(1, 4) : random.between(1, 70);
  return {randomMap(random, n, h, w, c, cuda_tests::randomElement(random))};
}
template <Array p>
VN_KERNEL(256)
run_from_array(Global<const float> array, Global<Number<p.map.element>> map) {
  from_array<p>(array, map);
}
template <Array p> VN_KERNEL(256) run_to_array(Global<const Number<p.map.element>> map, Global<float> array) {
  to_array<p>(map, array);
}
template <Array p> void checkArray(uint64_t seed) {
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.map)) {
    Random random{seed};
    emulation::setSeed(seed);
    const size_t count = size_t(p.map.pixels() * p.map.c);
    const auto placeOf = [](int pixel, int channel) {
      const int plane = p.map.h * p.map.w;
      return size_t((pixel / plane * p.map.c + channel) * plane + pixel % plane);
    };
    const Numbers<float> array(count, "array", random), back(count, "back");
    const MapMemory map(p.map, "map"), there(p.map, "there", random, kNanPercent);
    VN_LAUNCH(run_from_array<p>, launch_of(p), static_cast<float *>(array),
              map.first<Number<p.map.element>>());
    compare(map, [&](int pixel, int channel) { return array.values[placeOf(pixel, channel)]; });

    constexpr Array alone{p.map, false, true};
    const MapMemory whole(p.map, "whole pixels");
    VN_LAUNCH(run_from_array<alone>, launch_of(alone), static_cast<float *>(array),
              whole.first<Number<p.map.element>>());
    const std::vector<float> tiles = map.stored(), pixels = whole.stored(alone.whole_pixels());
    BOOST_TEST(tiles == pixels);

    constexpr Array way_back{p.map, true};
    VN_LAUNCH(run_to_array<way_back>, launch_of(way_back), there.first<Number<p.map.element>>(),
              static_cast<float *>(back));
    const std::vector<float> found = back.stored();
    for (int pixel = 0; pixel < p.map.pixels(); ++pixel)
      for (int channel = 0; channel < p.map.c; ++channel) {
        const float value = float(number(there, pixel, channel)), stored = found[placeOf(pixel, channel)];
        if (std::isnan(value) ? !std::isnan(stored) : stored != value) {
          BOOST_TEST_ERROR("pixel " << pixel << " channel " << channel << ": " << stored << ", expected "
                                    << value);
          return;
        }
      }
  }
}
template <uint64_t seed> struct CheckArray {
  static void run() { checkArray<randomArray(seed)>(seed); }
};

} // namespace

BOOST_AUTO_TEST_CASE(two_maps) { checkAll<CheckBinary>(Seeds()); }
BOOST_AUTO_TEST_CASE(activations) { checkAll<CheckActivate>(Seeds()); }
BOOST_AUTO_TEST_CASE(gradients_of_activations) { checkAll<CheckActivationGradient>(Seeds()); }
BOOST_AUTO_TEST_CASE(affine_maps) { checkAll<CheckAffine>(Seeds()); }
// Several pixels a thread, whose number is no multiple of it.
BOOST_AUTO_TEST_CASE(affine_map_of_many_pixels) {
  constexpr Affine p{.x = {1, 513, 515, 1, 1, Element::F32, 1}, .y = {1, 513, 515, 1, 2, Element::BF16, 1}};
  static_assert(p.each() > 1 && p.y.pixels() % p.each() != 0, "what this case is for");
  checkAffine<p>(1);
}
BOOST_AUTO_TEST_CASE(two_maps_of_many_pixels) {
  constexpr Map slice{1, 513, 515, 1, 3, Element::F32, 1}, dense{1, 513, 515, 1, 1, Element::F32, 1};
  constexpr Binary p{.a = slice, .b = dense, .y = dense};
  static_assert(p.each() > 1 && p.y.pixels() % p.each() != 0, "what this case is for");
  checkBinary<p>(1);
}
BOOST_AUTO_TEST_CASE(copy_of_many_pixels) {
  constexpr Copy p{.x = {1, 513, 515, 1, 1, Element::F32, 1}, .y = {1, 513, 515, 1, 2, Element::BF16, 1}};
  static_assert(p.each() > 1 && p.y.pixels() % p.each() != 0, "what this case is for");
  checkCopy<p>(1);
}
BOOST_AUTO_TEST_CASE(fills) { checkAll<CheckFill>(Seeds()); }
BOOST_AUTO_TEST_CASE(copies) { checkAll<CheckCopy>(Seeds()); }
BOOST_AUTO_TEST_CASE(arrays) { checkAll<CheckArray>(Seeds()); }
// Several tiles of pixels of few channels.
BOOST_AUTO_TEST_CASE(arrays_of_images) {
  checkArray<Array{{2, 23, 31, 3, 3, Element::F32, 1}}>(1);
  constexpr Array image{{2, 23, 31, 3, 8, Element::BF16, 8}, false, true};
  static_assert(image.whole_pixels());
  checkArray<Array{image.map}>(2);
  checkArray<Array{{3, 47, 31, 2, 4, Element::F32, 4}}>(3);
}
