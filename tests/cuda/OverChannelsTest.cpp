// What looks at all channels of a pixel: layer normalisation, sums and maxima, and their gradients; random
// problems against plain loops in double. -DVERNIER_FIRST_PROBLEM=100 tries others.
#define BOOST_TEST_MODULE cuda_over_channels
#include <boost/test/included/unit_test.hpp>

#include "Expected.h"
#include "MapMemory.h"
#include "codegen/cuda/device/channel_reduction.cuh"
#include "codegen/cuda/device/layer_norm.cuh"

namespace {

using namespace vn;
using cuda_tests::checkAll;
using cuda_tests::compare;
using cuda_tests::Expected;
using cuda_tests::MapMemory;
using cuda_tests::Numbers;
using cuda_tests::Random;
using cuda_tests::randomElement;
using cuda_tests::randomMap;
using cuda_tests::randomMapLike;
using cuda_tests::textOf;

using Seeds = std::make_integer_sequence<uint64_t, 16>;

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

// --- one number of all channels

template <ChannelReduction p>
VN_KERNEL(256)
run_reduction(Global<const Number<p.a.element>> a, Global<const Number<p.b.element>> b,
              Global<Number<p.out.element>> out) {
  channel_reduction<p>(a, b, out);
}
constexpr Map onePerPixel(const Map &map, Random &random) {
  return randomMap(random, map.n, map.h, map.w, 1, randomElement(random));
}
template <uint64_t seed> struct CheckReduction {
  static constexpr ChannelReduction problem() {
    Random random{seed * 8 + 2};
    ChannelReduction p;
    p.reduction = Reduction(random.between(0, 2));
    p.a = randomPixels(random);
    p.dot = p.reduction == Reduction::Sum && random.chance(50);
    p.b = p.dot ? randomMapLike(random, p.a) : Map{};
    p.out = onePerPixel(p.a, random);
    return p;
  }
  static void run() {
    constexpr ChannelReduction p = problem();
    BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.a) << ", " << textOf(p.b) << ", "
                                  << textOf(p.out)) {
      Random random{seed};
      emulation::setSeed(seed);
      const size_t channels = size_t(p.a.c);
      const MapMemory a(p.a, "a", numbersOf(p.a, random, seed)), b(p.b, "b", random), out(p.out, "out");
      VN_LAUNCH(run_reduction<p>, launch_of(p), a.first<Number<p.a.element>>(),
                p.dot ? b.first<Number<p.b.element>>() : nullptr, out.first<Number<p.out.element>>());
      std::vector<Expected> expected(a.values.size() / channels);
      for (size_t i = 0; i < a.values.size(); ++i) {
        Expected &own = expected[i / channels];
        const double value = p.dot ? double(a.values[i]) * b.values[i] : a.values[i];
        if (p.reduction != Reduction::Max)
          own.add(p.reduction == Reduction::Mean ? value / double(channels) : value);
        else if (i % channels == 0 || std::isnan(value) || value > own.value)
          own = {value, std::abs(value)};
      }
      compare("number", out.stored(), expected, toleranceOf(p.out));
    }
  }
};

template <ChannelBroadcast p>
VN_KERNEL(256)
run_broadcast(Global<const Number<p.in.element>> in, Global<Number<p.out.element>> out) {
  channel_broadcast<p>(in, out);
}
template <ChannelMaxGradient p>
VN_KERNEL(256)
run_max_gradient(Global<const Number<p.x.element>> x, Global<const Number<p.y.element>> y,
                 Global<const Number<p.dy.element>> dy, Global<Number<p.dx.element>> dx) {
  channel_max_gradient<p>(x, y, dy, dx);
}
template <uint64_t seed> struct CheckBack {
  static constexpr ChannelBroadcast broadcast() {
    Random random{seed * 8 + 3};
    ChannelBroadcast p;
    p.out = randomPixels(random);
    p.in = onePerPixel(p.out, random);
    p.factor = random.chance(50) ? 1.0f : 1.0f / float(p.out.c);
    return p;
  }
  static constexpr ChannelMaxGradient problem() {
    Random random{seed * 8 + 4};
    ChannelMaxGradient p;
    p.x = randomPixels(random);
    p.dx = randomMapLike(random, p.x);
    p.y = onePerPixel(p.x, random);
    p.y.element = p.x.element; // as it was found
    p.dy = onePerPixel(p.x, random);
    return p;
  }
  static void run() {
    constexpr ChannelBroadcast b = broadcast();
    constexpr ChannelMaxGradient p = problem();
    BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(b.in) << ", " << textOf(b.out) << "; "
                                  << textOf(p.x) << ", " << textOf(p.dy) << ", " << textOf(p.dx)) {
      Random random{seed};
      emulation::setSeed(seed);
      const MapMemory in(b.in, "in", random), out(b.out, "out");
      VN_LAUNCH(run_broadcast<b>, launch_of(b), in.first<Number<b.in.element>>(),
                out.first<Number<b.out.element>>());
      std::vector<Expected> expected(size_t(b.out.pixels()) * size_t(b.out.c));
      for (size_t i = 0; i < expected.size(); ++i)
        expected[i].add(double(in.values[i / size_t(b.out.c)]) * b.factor);
      compare("copy", out.stored(), expected, toleranceOf(b.out));

      // Few different numbers, so that several channels are the largest.
      const size_t channels = size_t(p.x.c);
      std::vector<float> few, most;
      for (int i = 0; i < p.x.pixels() * p.x.c; ++i)
        few.push_back(float(random.between(-3, 3)));
      for (size_t i = 0; i < few.size(); i += channels)
        most.push_back(*std::max_element(few.begin() + int(i), few.begin() + int(i + channels)));
      const MapMemory x(p.x, "x", few), y(p.y, "y", most), dy(p.dy, "dy", random), dx(p.dx, "dx");
      VN_LAUNCH(run_max_gradient<p>, launch_of(p), x.first<Number<p.x.element>>(),
                y.first<Number<p.y.element>>(), dy.first<Number<p.dy.element>>(),
                dx.first<Number<p.dx.element>>());
      std::vector<Expected> gradient(few.size());
      for (size_t i = 0; i < few.size(); i += channels) {
        const auto first = std::find(few.begin() + int(i), few.end(), most[i / channels]);
        gradient[size_t(first - few.begin())].add(dy.values[i / channels]);
      }
      compare("gradient", dx.stored(), gradient, toleranceOf(p.dx));
    }
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(reductions) { checkAll<CheckReduction>(Seeds()); }
BOOST_AUTO_TEST_CASE(back_to_channels) { checkAll<CheckBack>(Seeds()); }
BOOST_AUTO_TEST_CASE(norms) { checkAll<CheckNorm>(Seeds()); }
BOOST_AUTO_TEST_CASE(gradients) { checkAll<CheckGradient>(Seeds()); }
