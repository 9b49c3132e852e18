// Batch norms in training and gradients of biases, random problems against plain loops in double.
// -DVERNIER_FIRST_PROBLEM=100 tries others.
#define BOOST_TEST_MODULE cuda_batch_norm
#include <boost/test/included/unit_test.hpp>

#include "Expected.h"
#include "MapMemory.h"
#include "codegen/cuda/device/batch_norm.cuh"
#include "codegen/cuda/device/batch_norm_gradient.cuh"

namespace {

using namespace vn;
using cuda_tests::checkAll;
using cuda_tests::compare;
using cuda_tests::Expected;
using cuda_tests::gradientInDouble;
using cuda_tests::MapMemory;
using cuda_tests::Numbers;
using cuda_tests::Random;
using cuda_tests::randomActivation;
using cuda_tests::randomMap;
using cuda_tests::randomMapLike;
using cuda_tests::textOf;

using Seeds = std::make_integer_sequence<uint64_t, 12>;

// The sum of the parts, [2][channels] or [channels].
std::vector<double> added(const std::vector<double> &parts, int numbers) {
  std::vector<double> sums(size_t(numbers), 0.0);
  for (size_t i = 0; i < parts.size(); ++i)
    sums[i % sums.size()] += parts[i];
  return sums;
}

// Random numbers, of which one is none in every third problem: its channel shows it, the others do not.
std::vector<float> numbersOf(const Map &map, Random &random, uint64_t seed, float center = 0) {
  std::vector<float> numbers;
  for (int i = 0; i < map.pixels() * map.c; ++i)
    numbers.push_back(center + random.number());
  if (seed % 3 == 2)
    numbers[size_t(random.between(0, int(numbers.size()) - 1))] = NAN;
  return numbers;
}

std::vector<float> positive(int count, Random &random) {
  std::vector<float> numbers;
  for (int i = 0; i < count; ++i)
    numbers.push_back(1.001f + random.number());
  return numbers;
}

// Small maps, maps of several parts, and few channels of many pixels.
constexpr Map randomStatisticsMap(Random &random) {
  if (random.chance(50))
    return randomMap(random);
  const int n = random.between(1, 3), c = random.chance(50) ? random.between(1, 8) : random.between(1, 150);
  const int side = c <= 8 ? 41 : 17;
  return randomMap(random, n, random.between(side / 2, side), random.between(side / 2, side), c,
                   cuda_tests::randomElement(random));
}

// --- sums

template <BatchSums p> VN_KERNEL(256) run_sums(Global<const Number<p.x.element>> x, Global<double> parts) {
  batch_sums<p>(x, parts);
}
template <uint64_t seed> struct CheckSums {
  static constexpr BatchSums problem() {
    Random random{seed * 8};
    return {randomStatisticsMap(random)};
  }
  static void run() {
    constexpr BatchSums p = problem();
    BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.x) << ", parts " << parts_of(p)) {
      Random random{seed};
      emulation::setSeed(seed);
      const MapMemory x(p.x, "x", numbersOf(p.x, random, seed, seed % 2 == 0 ? 0 : 100));
      const Numbers<double> parts(size_t(parts_of(p) * 2 * p.x.c), "parts");
      VN_LAUNCH(run_sums<p>, launch_of(p), x.first<Number<p.x.element>>(), static_cast<double *>(parts));
      std::vector<Expected> sums(size_t(2 * p.x.c));
      for (size_t i = 0; i < x.values.size(); ++i) {
        const double value = x.values[i];
        sums[i % size_t(p.x.c)].add(value);
        sums[size_t(p.x.c) + i % size_t(p.x.c)].add(value * value);
      }
      compare("sum", added(parts.stored(), 2 * p.x.c), sums, 1e-14);
    }
  }
};

// --- what normalises

template <BatchFinish p>
VN_KERNEL(p.all().threads())
run_finish(Global<const double> sums, Global<const float> gamma, Global<const float> beta, Global<float> mean,
           Global<float> variance, Global<float> scale, Global<float> shift) {
  batch_finish<p>(sums, gamma, beta, mean, variance, scale, shift);
}
// The moments of numbers around `center`, in parts.
template <BatchFinish p> void checkFinish(uint64_t seed, double center) {
  BOOST_TEST_CONTEXT("problem " << seed << ": " << p.parts << " parts of " << p.x.c) {
    Random random{seed};
    emulation::setSeed(seed);
    const int channels = p.x.c, pixels = p.x.pixels();
    std::vector<double> sums(size_t(p.parts * 2 * channels), 0.0);
    std::vector<Expected> mean(size_t(channels), Expected{}), variance = mean, scale = mean, shift = mean;
    const Numbers<float> gamma(size_t(channels), "gamma", random), beta(size_t(channels), "beta", random);
    for (int c = 0; c < channels; ++c) {
      std::vector<double> values;
      for (int pixel = 0; pixel < pixels; ++pixel) {
        double value = center + random.number();
        if (seed % 3 == 2 && c == channels / 2 && pixel == 0)
          value = NAN;
        const int part = random.between(0, p.parts - 1);
        sums[size_t((part * 2) * channels + c)] += value;
        sums[size_t((part * 2 + 1) * channels + c)] += value * value;
        values.push_back(value);
      }
      double total = 0, spread = 0;
      for (const double value : values)
        total += value;
      total /= pixels;
      for (const double value : values)
        spread += (value - total) * (value - total) / pixels;
      const double factor = gamma.values[size_t(c)] / std::sqrt(spread + p.epsilon);
      mean[size_t(c)] = {total, std::abs(total)};
      variance[size_t(c)] = {spread, spread};
      scale[size_t(c)] = {factor, std::abs(factor)};
      shift[size_t(c)] = {beta.values[size_t(c)] - total * factor, 1 + std::abs(total * factor)};
    }
    const Numbers<double> parts(sums, "sums");
    const Numbers<float> foundMean(size_t(channels), "mean"), foundVariance(size_t(channels), "variance"),
        foundScale(size_t(channels), "scale"), foundShift(size_t(channels), "shift");
    VN_LAUNCH(run_finish<p>, launch_of(p), static_cast<double *>(parts), static_cast<float *>(gamma),
              static_cast<float *>(beta), static_cast<float *>(foundMean),
              static_cast<float *>(foundVariance), static_cast<float *>(foundScale),
              static_cast<float *>(foundShift));
    compare("mean", foundMean.stored(), mean, 1e-6);
    compare("variance", foundVariance.stored(), variance, 1e-5);
    compare("scale", foundScale.stored(), scale, 1e-5);
    compare("shift", foundShift.stored(), shift, 1e-5);
  }
}
template <uint64_t seed> struct CheckFinish {
  static constexpr BatchFinish problem() {
    Random random{seed * 8 + 1};
    BatchFinish p;
    p.x = randomMap(random);
    p.parts = random.chance(50) ? random.between(1, 9) : random.between(10, 300);
    p.epsilon = random.chance(50) ? 1e-5 : 1e-3;
    return p;
  }
  static void run() { checkFinish<problem()>(seed, 0.5); }
};

template <UpdateRunning p>
VN_KERNEL(256)
run_update(Global<const float> mean, Global<const float> variance, Global<float> running_mean,
           Global<float> running_variance) {
  update_running<p>(mean, variance, running_mean, running_variance);
}
template <UpdateRunning p> void checkUpdate() {
  BOOST_TEST_CONTEXT(p.channels << " momentum " << p.momentum << " count " << p.count) {
    Random random{uint64_t(p.channels)};
    const size_t channels = size_t(p.channels);
    const Numbers<float> mean(channels, "mean", random), variance(channels, "variance", random),
        runningMean(channels, "running mean", random), runningVariance(channels, "running variance", random);
    VN_LAUNCH(run_update<p>, launch_of(p), static_cast<float *>(mean), static_cast<float *>(variance),
              static_cast<float *>(runningMean), static_cast<float *>(runningVariance));
    std::vector<Expected> means, variances;
    for (size_t c = 0; c < channels; ++c) {
      const double unbiased = p.count > 1 ? p.count / (p.count - 1.0) : 1.0;
      means.push_back({(1 - p.momentum) * runningMean.values[c] + p.momentum * mean.values[c], 1});
      variances.push_back(
          {(1 - p.momentum) * runningVariance.values[c] + p.momentum * unbiased * variance.values[c], 1});
    }
    compare("mean", runningMean.stored(), means, 1e-6);
    compare("variance", runningVariance.stored(), variances, 1e-6);
  }
}

// --- gradients

constexpr double kEpsilon = 1e-3;

template <BatchGradientSums p>
VN_KERNEL(256)
run_gradient_sums(Global<const Number<p.x.element>> x, Global<const Number<p.dy.element>> dy,
                  Global<const Number<p.y.element>> y, Global<const float> mean, Global<double> parts) {
  batch_gradient_sums<p>(x, dy, y, mean, parts);
}
template <uint64_t seed> struct CheckGradientSums {
  static constexpr BatchGradientSums problem() {
    Random random{seed * 8 + 2};
    BatchGradientSums p;
    p.x = randomStatisticsMap(random);
    p.dy = randomMapLike(random, p.x);
    p.activation = randomActivation(random);
    p.y = p.activation == Activation::None ? Map{} : randomMapLike(random, p.x);
    return p;
  }
  static void run() {
    constexpr BatchGradientSums p = problem();
    BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.x) << ", " << textOf(p.dy) << ", "
                                  << textOf(p.y) << ", parts " << parts_of(p)) {
      Random random{seed};
      emulation::setSeed(seed);
      const MapMemory x(p.x, "x", numbersOf(p.x, random, seed)), dy(p.dy, "dy", random), y(p.y, "y", random);
      const Numbers<float> mean(size_t(p.x.c), "mean", random);
      const Numbers<double> parts(size_t(parts_of(p) * 2 * p.x.c), "parts");
      constexpr bool activated = p.activation != Activation::None;
      VN_LAUNCH(run_gradient_sums<p>, launch_of(p), x.first<Number<p.x.element>>(),
                dy.first<Number<p.dy.element>>(), activated ? y.first<Number<p.y.element>>() : nullptr,
                static_cast<float *>(mean), static_cast<double *>(parts));
      std::vector<Expected> sums(size_t(2 * p.x.c));
      for (size_t i = 0; i < x.values.size(); ++i) {
        const size_t c = i % size_t(p.x.c);
        const double g = gradientInDouble(p.activation, activated ? y.values[i] : 0, dy.values[i]);
        sums[c].add(g);
        sums[size_t(p.x.c) + c].add(g * (x.values[i] - double(mean.values[c])));
      }
      compare("sum", added(parts.stored(), 2 * p.x.c), sums, 1e-6);
    }
  }
};

template <BatchGradientFinish p>
VN_KERNEL(p.all().threads())
run_gradient_finish(Global<const double> sums, Global<const float> gamma, Global<const float> mean,
                    Global<const float> variance, Global<float> dgamma, Global<float> dbeta,
                    Global<float> coefficients) {
  batch_gradient_finish<p>(sums, gamma, mean, variance, dgamma, dbeta, coefficients);
}
template <BatchGradientApply p>
VN_KERNEL(256)
run_gradient_apply(Global<const Number<p.x.element>> x, Global<const Number<p.dy.element>> dy,
                   Global<const Number<p.y.element>> y, Global<const float> coefficients,
                   Global<Number<p.dx.element>> dx) {
  batch_gradient_apply<p>(x, dy, y, coefficients, dx);
}
// Sums in parts that are random, which the coefficients are of: the gradient that they give is that of the
// formula.
template <BatchGradientApply p, int parts> void checkGradient(uint64_t seed) {
  constexpr BatchGradientFinish finish{p.x, parts, kEpsilon};
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.x) << ", " << textOf(p.dy) << ", " << textOf(p.y)
                                << ", " << textOf(p.dx) << ", parts " << parts) {
    Random random{seed};
    emulation::setSeed(seed);
    const size_t channels = size_t(p.x.c);
    constexpr bool activated = p.activation != Activation::None;
    const MapMemory x(p.x, "x", random), dy(p.dy, "dy", numbersOf(p.dy, random, seed)), y(p.y, "y", random),
        dx(p.dx, "dx");
    std::vector<double> some;
    for (size_t i = 0; i < size_t(parts) * 2 * channels; ++i)
      some.push_back(random.number());
    const Numbers<double> sums(some, "sums");
    const Numbers<float> gamma(channels, "gamma", random), mean(channels, "mean", random),
        variance(positive(p.x.c, random), "variance"), dgamma(channels, "dgamma"), dbeta(channels, "dbeta"),
        coefficients(4 * channels, "coefficients");
    VN_LAUNCH(run_gradient_finish<finish>, launch_of(finish), static_cast<double *>(sums),
              static_cast<float *>(gamma), static_cast<float *>(mean), static_cast<float *>(variance),
              static_cast<float *>(dgamma), static_cast<float *>(dbeta), static_cast<float *>(coefficients));
    VN_LAUNCH(run_gradient_apply<p>, launch_of(p), x.first<Number<p.x.element>>(),
              dy.first<Number<p.dy.element>>(), activated ? y.first<Number<p.y.element>>() : nullptr,
              static_cast<float *>(coefficients), dx.first<Number<p.dx.element>>());
    std::vector<Expected> first(channels), second(channels);
    for (size_t i = 0; i < some.size(); ++i)
      (i / channels % 2 == 0 ? first : second)[i % channels].add(some[i]);
    std::vector<double> deviation;
    for (size_t c = 0; c < channels; ++c) {
      deviation.push_back(std::sqrt(variance.values[c] + kEpsilon));
      second[c].value /= deviation[c], second[c].magnitude /= deviation[c];
    }
    compare("dbeta", dbeta.stored(), first, 1e-6);
    compare("dgamma", dgamma.stored(), second, 1e-6);
    std::vector<Expected> gradient;
    for (size_t i = 0; i < dx.map.pixels() * channels; ++i) {
      const size_t c = i % channels;
      const double g = gradientInDouble(p.activation, activated ? y.values[i] : 0, dy.values[i]);
      const double m = p.x.pixels(), distance = x.values[i] - double(mean.values[c]);
      const double factor = gamma.values[c] / deviation[c];
      Expected e;
      e.add(factor * g);
      e.add(-factor * first[c].value / m);
      e.add(-factor * distance * second[c].value / (deviation[c] * m));
      gradient.push_back(e);
    }
    compare("gradient", dx.stored(), gradient, p.dx.element == Element::BF16 ? 1.0 / 256 : 1e-5);
  }
}
template <uint64_t seed> struct CheckGradient {
  static constexpr BatchGradientApply problem() {
    Random random{seed * 8 + 3};
    BatchGradientApply p;
    p.x = randomMap(random);
    p.dy = randomMapLike(random, p.x);
    p.dx = randomMapLike(random, p.x);
    p.activation = randomActivation(random);
    p.y = p.activation == Activation::None ? Map{} : randomMapLike(random, p.x);
    return p;
  }
  static constexpr int parts() {
    Random random{seed};
    return random.chance(50) ? random.between(1, 9) : random.between(10, 300);
  }
  static void run() { checkGradient<problem(), parts()>(seed); }
};

// --- of biases

template <ChannelSums p>
VN_KERNEL(256)
run_channel_sums(Global<const Number<p.dy.element>> dy, Global<double> parts) {
  channel_sums<p>(dy, parts);
}
template <ChannelSumsFinish p>
VN_KERNEL(p.all().threads())
run_channel_sums_finish(Global<const double> parts, Global<float> result) {
  channel_sums_finish<p>(parts, result);
}
template <uint64_t seed> struct CheckChannelSums {
  static constexpr ChannelSums problem() {
    Random random{seed * 8 + 4};
    return {randomStatisticsMap(random)};
  }
  static void run() {
    constexpr ChannelSums p = problem();
    constexpr ChannelSumsFinish finish{p.dy.c, parts_of(p)};
    BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(p.dy) << ", parts " << parts_of(p)) {
      Random random{seed};
      const MapMemory dy(p.dy, "dy", numbersOf(p.dy, random, seed));
      const Numbers<double> parts(size_t(parts_of(p) * p.dy.c), "parts");
      const Numbers<float> result(size_t(p.dy.c), "result");
      std::vector<float> found;
      for (uint64_t order = 0; order < 2; ++order) {
        emulation::setSeed(2 * seed + order);
        VN_LAUNCH(run_channel_sums<p>, launch_of(p), dy.first<Number<p.dy.element>>(),
                  static_cast<double *>(parts));
        VN_LAUNCH(run_channel_sums_finish<finish>, launch_of(finish), static_cast<double *>(parts),
                  static_cast<float *>(result));
        const std::vector<float> again = result.stored();
        BOOST_TEST((order == 0 || std::memcmp(found.data(), again.data(), 4 * found.size()) == 0),
                   "the order of blocks changes the result");
        found = again;
      }
      std::vector<Expected> sums(size_t(p.dy.c));
      for (size_t i = 0; i < dy.values.size(); ++i)
        sums[i % size_t(p.dy.c)].add(dy.values[i]);
      compare("sum", found, sums, 1e-6);
    }
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(moments) { checkAll<CheckSums>(Seeds()); }
BOOST_AUTO_TEST_CASE(what_normalises) { checkAll<CheckFinish>(Seeds()); }
// As the epilogue of a convolution leaves them for a large map.
BOOST_AUTO_TEST_CASE(thousands_of_parts) {
  checkFinish<BatchFinish{{1, 30, 30, 3, 3}, 2501, 1e-5}>(0, 0);
  checkFinish<BatchFinish{{1, 130, 100, 5, 5}, 20000, 1e-5}>(1, 0);
}
// The variance is the difference of two numbers of 10^6 times its size.
BOOST_AUTO_TEST_CASE(a_large_mean) { checkFinish<BatchFinish{{2, 20, 20, 6, 6}, 11, 1e-5}>(3, 1000); }
// Of numbers that are all the same the variance is 0, not less.
BOOST_AUTO_TEST_CASE(no_variance) {
  constexpr BatchFinish p{{1, 3, 1, 1, 1}, 1, 0.25};
  const double value = 0.1;
  const Numbers<double> sums(std::vector<double>{3 * value, 3 * value * value * (1 - 1e-9)}, "sums");
  const Numbers<float> one(std::vector<float>{1}, "one"), mean(1, "mean"), variance(1, "variance"),
      scale(1, "scale"), shift(1, "shift");
  VN_LAUNCH(run_finish<p>, launch_of(p), static_cast<double *>(sums), static_cast<float *>(one),
            static_cast<float *>(one), static_cast<float *>(mean), static_cast<float *>(variance),
            static_cast<float *>(scale), static_cast<float *>(shift));
  BOOST_TEST(variance.stored()[0] == 0.0f);
  BOOST_TEST(scale.stored()[0] == 2.0f);
}
BOOST_AUTO_TEST_CASE(running_statistics) {
  checkUpdate<UpdateRunning{1, 1, 0.1}>();
  checkUpdate<UpdateRunning{62, 2, 0.1}>();
  checkUpdate<UpdateRunning{256, 98, 0.25}>();
  checkUpdate<UpdateRunning{777, 100352, 0.03}>();
}
BOOST_AUTO_TEST_CASE(sums_of_gradients) { checkAll<CheckGradientSums>(Seeds()); }
BOOST_AUTO_TEST_CASE(gradients) { checkAll<CheckGradient>(Seeds()); }
BOOST_AUTO_TEST_CASE(gradient_from_thousands_of_parts) {
  constexpr Map map{1, 9, 9, 7, 7, Element::F32, 1};
  checkGradient<BatchGradientApply{map, map, {}, map}, 20000>(1);
}
BOOST_AUTO_TEST_CASE(gradients_of_biases) { checkAll<CheckChannelSums>(Seeds()); }
