// Layer normalisation and its gradients, random problems against plain loops in double.
// -DVERNIER_FIRST_PROBLEM=100 tries others.
#define BOOST_TEST_MODULE cuda_layer_norm
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/layer_norm.cuh"

namespace {

using namespace vn;
using cuda_tests::MapMemory;
using cuda_tests::Numbers;
using cuda_tests::Random;
using cuda_tests::randomElement;
using cuda_tests::randomMap;
using cuda_tests::randomMapLike;
using cuda_tests::textOf;

template <template <uint64_t> class Check, uint64_t... seeds>
void checkAll(std::integer_sequence<uint64_t, seeds...>) {
  (Check<VERNIER_FIRST_PROBLEM + seeds>::run(), ...);
}
using Seeds = std::make_integer_sequence<uint64_t, 16>;

// A number and the magnitude of what it is made of.
struct Expected {
  double value = 0, magnitude = 0;
  void add(double term) { value += term, magnitude += std::abs(term); }
};

void compare(const char *what, const std::vector<float> &found, const std::vector<Expected> &expected,
             double tolerance) {
  BOOST_REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const double value = expected[i].value;
    if (std::isnan(value) ? std::isnan(found[i])
                          : std::abs(double(found[i]) - value) <= tolerance * (expected[i].magnitude + 1e-3))
      continue;
    BOOST_TEST_ERROR(what << " " << i << ": " << found[i] << ", expected " << value);
    return;
  }
}

double toleranceOf(const Map &map) { return map.element == Element::BF16 ? 1.0 / 256 : 2e-6; }

// Few channels, fewer than 32 vectors of them, and several vectors for each lane; around zero and far from
// it; one is no number in every third problem: its pixel shows it, the others do not.
constexpr Map randomPixels(Random &random) {
  const int c = random.chance(30)   ? random.between(1, 9)
                : random.chance(50) ? random.between(10, 130)
                                    : random.between(131, 1100);
  return randomMap(random, random.between(1, 3), random.between(1, 5), random.between(1, 5), c,
                   randomElement(random));
}
std::vector<float> numbersOf(const Map &map, Random &random, uint64_t seed) {
  std::vector<float> numbers;
  const float center = seed % 2 == 0 ? 0 : 50;
  for (int i = 0; i < map.pixels() * map.c; ++i)
    numbers.push_back(center + random.number());
  if (seed % 3 == 2)
    numbers[size_t(random.between(0, int(numbers.size()) - 1))] = NAN;
  return numbers;
}

// Of a pixel of x.
struct Statistics {
  double mean = 0, deviation = 0;
};
std::vector<Statistics> statisticsOf(const MapMemory &x, int channels, double epsilon) {
  std::vector<Statistics> all(x.values.size() / size_t(channels));
  for (size_t pixel = 0; pixel < all.size(); ++pixel) {
    double variance = 0;
    const float *first = x.values.data() + pixel * size_t(channels);
    for (int c = 0; c < channels; ++c)
      all[pixel].mean += double(first[c]) / channels;
    for (int c = 0; c < channels; ++c)
      variance += (first[c] - all[pixel].mean) * (first[c] - all[pixel].mean) / channels;
    all[pixel].deviation = std::sqrt(variance + epsilon);
  }
  return all;
}

template <LayerNorm p>
VN_KERNEL(256)
run_norm(Global<const Number<p.x.element>> x, Global<const float> gamma, Global<const float> beta,
         Global<Number<p.y.element>> y) {
  layer_norm<p>(x, gamma, beta, y);
}
template <uint64_t seed> struct CheckNorm {
  static constexpr LayerNorm problem() {
    Random random{seed * 8};
    LayerNorm p;
    p.x = randomPixels(random);
    p.y = randomMapLike(random, p.x);
    p.parameters = random.chance(50) ? 4 : 1;
    p.epsilon = random.chance(50) ? 1e-5 : 1e-2;
    return p;
  }
  static void run() {
    constexpr LayerNorm p = problem();
    BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.x) << ", " << textOf(p.y)) {
      Random random{seed};
      emulation::setSeed(seed);
      const size_t channels = size_t(p.x.c);
      const MapMemory x(p.x, "x", numbersOf(p.x, random, seed)), y(p.y, "y");
      const Numbers<float> gamma(channels, "gamma", random), beta(channels, "beta", random);
      VN_LAUNCH(run_norm<p>, launch_of(p), x.first<Number<p.x.element>>(), static_cast<float *>(gamma),
                static_cast<float *>(beta), y.first<Number<p.y.element>>());
      const auto statistics = statisticsOf(x, p.x.c, p.epsilon);
      std::vector<Expected> expected(x.values.size());
      for (size_t i = 0; i < x.values.size(); ++i) {
        const Statistics &own = statistics[i / channels];
        const double factor = gamma.values[i % channels] / own.deviation;
        expected[i].add(x.values[i] * factor);
        expected[i].add(-own.mean * factor);
        expected[i].add(beta.values[i % channels]);
      }
      compare("norm", y.stored(), expected, toleranceOf(p.y));
    }
  }
};

template <LayerNormGradient p>
VN_KERNEL(256)
run_gradient(Global<const Number<p.x.element>> x, Global<const Number<p.dy.element>> dy,
             Global<const float> gamma, Global<Number<p.dx.element>> dx, Global<float> statistics) {
  layer_norm_gradient<p>(x, dy, gamma, dx, statistics);
}
template <LayerNormGradientSums p>
VN_KERNEL(256)
run_sums(Global<const Number<p.x.element>> x, Global<const Number<p.dy.element>> dy,
         Global<const float> statistics, Global<double> parts) {
  layer_norm_gradient_sums<p>(x, dy, statistics, parts);
}
template <LayerNormGradientFinish p>
VN_KERNEL(p.all().threads())
run_finish(Global<const double> sums, Global<float> dgamma, Global<float> dbeta) {
  layer_norm_gradient_finish<p>(sums, dgamma, dbeta);
}
template <uint64_t seed> struct CheckGradient {
  static constexpr LayerNormGradient problem() {
    Random random{seed * 8 + 1};
    LayerNormGradient p;
    p.x = randomPixels(random);
    p.dy = randomMapLike(random, p.x);
    p.dx = randomMapLike(random, p.x);
    p.parameters = random.chance(50) ? 4 : 1;
    p.epsilon = random.chance(50) ? 1e-5 : 1e-2;
    return p;
  }
  static void run() {
    constexpr LayerNormGradient p = problem();
    constexpr LayerNormGradientSums sums{p.x, p.dy};
    constexpr LayerNormGradientFinish finish{p.x.c, parts_of(sums)};
    BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.x) << ", " << textOf(p.dy) << ", "
                                  << textOf(p.dx) << ", parts " << parts_of(sums)) {
      Random random{seed};
      emulation::setSeed(seed);
      const size_t channels = size_t(p.x.c), pixels = size_t(p.x.pixels());
      const MapMemory x(p.x, "x", numbersOf(p.x, random, seed)), dy(p.dy, "dy", random), dx(p.dx, "dx");
      const Numbers<float> gamma(channels, "gamma", random), statistics(2 * pixels, "statistics"),
          dgamma(channels, "dgamma"), dbeta(channels, "dbeta");
      const Numbers<double> parts(size_t(parts_of(sums)) * 2 * channels, "parts");
      VN_LAUNCH(run_gradient<p>, launch_of(p), x.first<Number<p.x.element>>(),
                dy.first<Number<p.dy.element>>(), static_cast<float *>(gamma),
                dx.first<Number<p.dx.element>>(), static_cast<float *>(statistics));
      VN_LAUNCH(run_sums<sums>, launch_of(sums), x.first<Number<p.x.element>>(),
                dy.first<Number<p.dy.element>>(), static_cast<float *>(statistics),
                static_cast<double *>(parts));
      VN_LAUNCH(run_finish<finish>, launch_of(finish), static_cast<double *>(parts),
                static_cast<float *>(dgamma), static_cast<float *>(dbeta));

      const auto all = statisticsOf(x, p.x.c, p.epsilon);
      std::vector<Expected> gradient(x.values.size()), slope(channels), shift(channels), sum(pixels),
          product(pixels);
      const auto at = [&](size_t i) {
        const Statistics &own = all[i / channels];
        struct {
          double g, h, scale;
        } values = {double(dy.values[i]) * gamma.values[i % channels],
                    (x.values[i] - own.mean) / own.deviation,
                    (std::abs(x.values[i]) + std::abs(own.mean)) / own.deviation};
        return values;
      };
      for (size_t i = 0; i < x.values.size(); ++i) {
        const auto [g, h, scale] = at(i);
        sum[i / channels].add(g / double(channels));
        product[i / channels].value += g * h / double(channels);
        product[i / channels].magnitude += std::abs(g) * scale / double(channels);
        slope[i % channels].value += dy.values[i] * h;
        slope[i % channels].magnitude += std::abs(dy.values[i]) * scale;
        shift[i % channels].add(dy.values[i]);
      }
      for (size_t i = 0; i < x.values.size(); ++i) {
        const auto [g, h, scale] = at(i);
        const size_t pixel = i / channels;
        const double deviation = all[pixel].deviation;
        gradient[i].value = (g - sum[pixel].value - h * product[pixel].value) / deviation;
        gradient[i].magnitude =
            (std::abs(g) + sum[pixel].magnitude + scale * product[pixel].magnitude) / deviation;
      }
      compare("gradient", dx.stored(), gradient, toleranceOf(p.dx));
      compare("dgamma", dgamma.stored(), slope, 2e-6);
      compare("dbeta", dbeta.stored(), shift, 2e-6);
    }
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(norms) { checkAll<CheckNorm>(Seeds()); }
BOOST_AUTO_TEST_CASE(gradients) { checkAll<CheckGradient>(Seeds()); }
