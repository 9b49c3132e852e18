// Losses and their gradients, random problems against the formulas in double. -DVERNIER_FIRST_PROBLEM=100
// tries others.
#define BOOST_TEST_MODULE cuda_losses
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/losses.cuh"

namespace {

using namespace vn;
using cuda_tests::MapMemory;
using cuda_tests::Numbers;
using cuda_tests::Random;
using cuda_tests::textOf;

// Rows of pixels or, at h = w = 1, of logits without a map. `ignored` is a label that does not count.
struct Problem {
  Map logits, gradient, target;
  int ignored = 0;
  bool ignores = false, weighted = false;
  PointwiseFunction function;
  double weight = 1;
};

constexpr Problem randomProblem(uint64_t seed) {
  Random random{seed};
  const bool pixels = random.chance(60);
  const int n = random.between(1, pixels ? 3 : 9);
  const int h = pixels ? random.between(1, 9) : 1, w = pixels ? random.between(2, 40) : 1;
  const int classes = pixels              ? random.between(1, 25)
                      : random.chance(50) ? random.between(1, 40)
                                          : random.between(41, 700);
  Problem problem;
  problem.logits = cuda_tests::randomMap(random, n, h, w, classes, cuda_tests::randomElement(random));
  problem.gradient = cuda_tests::randomMapLike(random, problem.logits);
  problem.target = cuda_tests::randomMapLike(random, problem.logits);
  problem.target.element = Element::F32;
  problem.ignores = random.chance(50);
  problem.weighted = random.chance(50);
  problem.ignored = random.chance(50) ? 255 : -1;
  problem.function = {Pointwise(int(seed % 6)), random.chance(50) ? 2.0f : 0.5f, 0.25f};
  problem.weight = random.chance(50) ? 1 : 0.4;
  return problem;
}

template <SoftmaxLoss p>
VN_KERNEL(p.threads())
run_softmax(Global<const Number<p.logits.element>> logits, Global<const int> labels,
            Global<const float> smoothing, Global<const float> weights, Global<float> sums) {
  softmax_loss<p>(logits, labels, smoothing, weights, sums);
}
template <SoftmaxGradient p>
VN_KERNEL(p.threads())
run_softmax_gradient(Global<const Number<p.logits.element>> logits, Global<const int> labels,
                     Global<const float> smoothing, Global<const float> count, Global<const float> weights,
                     Global<Number<p.gradient.element>> gradient) {
  softmax_gradient<p>(logits, labels, smoothing, count, weights, gradient);
}
template <CountLabels p>
VN_KERNEL(p.threads())
run_count(Global<const int> labels, Global<const float> weights, Global<float> number) {
  count_labels<p>(labels, weights, number);
}
template <PointwiseLoss p>
VN_KERNEL(p.threads())
run_pointwise(Global<const Number<p.x.element>> x, Global<const Number<p.target.element>> target,
              Global<float> sums) {
  pointwise_loss<p>(x, target, sums);
}
template <PointwiseGradient p>
VN_KERNEL(p.threads())
run_pointwise_gradient(Global<const Number<p.x.element>> x, Global<const Number<p.target.element>> target,
                       Global<Number<p.gradient.element>> gradient) {
  pointwise_gradient<p>(x, target, gradient);
}

bool isNear(float found, double expected, double tolerance) {
  return std::isnan(expected)   ? std::isnan(found)
         : std::isinf(expected) ? double(found) == expected
                                : std::abs(found - expected) <= tolerance;
}

void compare(const char *what, const std::vector<float> &found, const std::vector<double> &expected,
             double relative, double absolute) {
  BOOST_REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    if (!isNear(found[i], expected[i], relative * std::abs(expected[i]) + absolute)) {
      BOOST_TEST_ERROR(what << " " << i << ": " << found[i] << ", expected " << expected[i]);
      return;
    }
}

double rounding(const Map &map) { return map.element == Element::BF16 ? 1.0 / 256 : 1e-6; }

template <Problem problem>
void checkSoftmax(const std::vector<float> &numbers, const std::vector<int> &own, float smooth) {
  constexpr Map map = problem.logits;
  constexpr SoftmaxLoss p{map, problem.ignored, problem.ignores, problem.weighted};
  constexpr SoftmaxGradient g{
      map, problem.gradient, problem.ignored, problem.ignores, problem.weighted, problem.weight};
  constexpr CountLabels c{map.pixels(), problem.ignored, 1, problem.ignores, problem.weighted};
  constexpr int rows = map.n * map.h, classes = map.c;
  const MapMemory logits(map, "logits", numbers), gradient(problem.gradient, "gradient");
  const Numbers<int> labels(own, "labels");
  const Numbers<float> smoothing(std::vector<float>{smooth}, "smoothing"), sums(size_t(rows), "sums"),
      count(1, "count");
  std::vector<float> given;
  for (int j = 0; j < classes; ++j)
    given.push_back(0.25f * float(1 + (3 * j + 1) % 5));
  const Numbers<float> weights(given, "weights");
  float *const read = problem.weighted ? static_cast<float *>(weights) : nullptr;
  const auto weightOf = [&](int j) { return problem.weighted ? double(given[size_t(j)]) : 1.0; };
  VN_LAUNCH(run_softmax<p>, launch_of(p), logits.first<Number<map.element>>(), static_cast<int *>(labels),
            static_cast<float *>(smoothing), read, static_cast<float *>(sums));
  VN_LAUNCH(run_count<c>, launch_of(c), static_cast<int *>(labels), read, static_cast<float *>(count));
  VN_LAUNCH(run_softmax_gradient<g>, launch_of(g), logits.first<Number<map.element>>(),
            static_cast<int *>(labels), static_cast<float *>(smoothing),
            problem.ignores || problem.weighted ? static_cast<float *>(count) : nullptr, read,
            gradient.first<Number<g.gradient.element>>());
  double counted = 0;
  for (const int label : own)
    counted += problem.ignores && label == problem.ignored ? 0 : weightOf(label);
  if (counted == 0)
    counted = 1;
  BOOST_TEST(count.stored()[0] == counted); // quarters are exact
  const double pixels = problem.ignores || problem.weighted ? counted : map.pixels();
  std::vector<double> loss(size_t(rows), 0.0), slope;
  double largest = 1;
  for (int pixel = 0; pixel < map.pixels(); ++pixel) {
    const int x = pixel % map.w, row = pixel / map.w, label = own[size_t(pixel)];
    const auto logit = [&](int j) { return double(logits.at(row / map.h, row % map.h, x, j)); };
    const bool counts = !problem.ignores || label != problem.ignored;
    double maximum = -INFINITY, sum = 0, all = 0;
    const auto wantedOf = [&](int j) {
      return ((j == label ? 1 - smooth : 0) + double(smooth) / classes) * weightOf(j);
    };
    for (int j = 0; j < classes; ++j)
      maximum = std::max(maximum, logit(j)), all += wantedOf(j);
    for (int j = 0; j < classes; ++j)
      sum += std::exp(logit(j) - maximum);
    for (int j = 0; j < classes; ++j) {
      const double wanted = wantedOf(j);
      if (wanted != 0 && counts)
        loss[size_t(row)] -= wanted * (logit(j) - maximum - std::log(sum));
      slope.push_back(counts ? problem.weight * (all * std::exp(logit(j) - maximum) / sum - wanted) / pixels
                             : 0);
      if (std::isfinite(logit(j)))
        largest = std::max(largest, std::abs(logit(j)));
    }
  }
  compare("loss", sums.stored(), loss, 1e-6, 2e-6 * largest * map.w);
  compare("gradient", gradient.stored(), slope, rounding(problem.gradient), 1e-6);
}

double softplus(double x) { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x))); }

// -t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z)), and the others as the dialect has them.
double valueOf(const PointwiseFunction &f, double z, double t) {
  const double d = std::abs(z - t), p = 1 / (1 + std::exp(-z));
  switch (f.kind) {
  case Pointwise::Mean:
    return z;
  case Pointwise::Binary:
    return f.sharpness * t * softplus(-z) + (1 - t) * softplus(z);
  case Pointwise::Focal:
    return f.share * t * std::pow(1 - p, f.sharpness) * softplus(-z) +
           (1 - f.share) * (1 - t) * std::pow(p, f.sharpness) * softplus(z);
  case Pointwise::Squared:
    return d * d;
  case Pointwise::Absolute:
    return d;
  case Pointwise::SmoothL1:
    return d < f.sharpness ? d * d / (2 * f.sharpness) : d - f.sharpness / 2;
  }
  return NAN;
}

// By differences: what the kernels compute is a formula of its own.
double slopeOf(const PointwiseFunction &f, double z, double t) {
  const double step = 1e-5 * std::max(1.0, std::abs(z));
  return (valueOf(f, z + step, t) - valueOf(f, z - step, t)) / (2 * step);
}

template <Problem problem>
void checkPointwise(const std::vector<float> &numbers, const std::vector<float> &wanted) {
  constexpr Map map = problem.logits;
  constexpr PointwiseLoss p{map, problem.target, problem.function};
  constexpr PointwiseGradient g{map, problem.target, problem.gradient, problem.function, problem.weight};
  constexpr int rows = map.n * map.h;
  const MapMemory x(map, "x", numbers), target(problem.target, "target", wanted),
      gradient(problem.gradient, "gradient");
  const Numbers<float> sums(size_t(rows), "sums");
  constexpr bool targets = problem.function.kind != Pointwise::Mean;
  float *const read = targets ? target.first<float>() : nullptr;
  VN_LAUNCH(run_pointwise<p>, launch_of(p), x.first<Number<map.element>>(), read, static_cast<float *>(sums));
  VN_LAUNCH(run_pointwise_gradient<g>, launch_of(g), x.first<Number<map.element>>(), read,
            gradient.first<Number<g.gradient.element>>());
  std::vector<double> loss(size_t(rows), 0.0), slope;
  double magnitude = 0;
  for (int row = 0; row < rows; ++row)
    for (int i = 0; i < map.w * map.c; ++i) {
      const double z = x.at(row / map.h, row % map.h, i / map.c, i % map.c),
                   t = target.at(row / map.h, row % map.h, i / map.c, i % map.c);
      loss[size_t(row)] += std::isnan(z) ? NAN : valueOf(problem.function, z, t);
      slope.push_back((std::isnan(z) && targets ? NAN
                       : targets                ? slopeOf(problem.function, z, t)
                                                : 1.0) *
                      problem.weight / (double(map.pixels()) * map.c));
      if (!std::isnan(z))
        magnitude = std::max(magnitude, valueOf(problem.function, z, t));
    }
  compare("loss", sums.stored(), loss, 2e-6, 1e-6 * (1 + magnitude));
  compare("gradient", gradient.stored(), slope, rounding(problem.gradient) + 1e-4,
          1e-5 * (1 + std::sqrt(magnitude)));
}

// Logits up to `scale`; in every fourth problem one of them is no number.
template <uint64_t seed> void check() {
  constexpr Problem problem = randomProblem(seed);
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(problem.logits) << ", "
                                << textOf(problem.gradient)) {
    Random random{seed};
    emulation::setSeed(seed);
    const float scale = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 12 : 300;
    const int count = problem.logits.pixels() * problem.logits.c;
    std::vector<float> numbers, targets;
    for (int i = 0; i < count; ++i) {
      numbers.push_back(scale * random.number());
      targets.push_back(random.chance(30) ? std::abs(random.number()) : float(random.between(0, 1)));
    }
    if (seed % 4 == 3)
      numbers[size_t(random.between(0, count - 1))] = NAN;
    std::vector<int> labels;
    for (int i = 0; i < problem.logits.pixels(); ++i)
      labels.push_back(problem.ignores && random.chance(30) ? problem.ignored
                                                            : random.between(0, problem.logits.c - 1));
    checkSoftmax<problem>(numbers, labels, seed % 2 == 0 ? 0.0f : 0.125f);
    checkPointwise<problem>(numbers, targets);
  }
}
template <uint64_t... seeds> void checkAll(std::integer_sequence<uint64_t, seeds...>) {
  (check<VERNIER_FIRST_PROBLEM + seeds>(), ...);
}

template <MeanLoss p>
VN_KERNEL(p.threads())
run_mean(Global<const float> sums, Global<const float> count, Global<float> mean) {
  mean_loss<p>(sums, count, mean);
}
template <int sums, bool counted, int parts = 1> void checkMean() {
  constexpr MeanLoss p{sums, 3 * sums, parts, counted};
  Random random{sums};
  const Numbers<float> losses(size_t(sums * parts), "losses", random), mean(size_t(parts), "mean"),
      count(std::vector<float>(size_t(parts), 5), "count");
  VN_LAUNCH(run_mean<p>, launch_of(p), static_cast<float *>(losses),
            counted ? static_cast<float *>(count) : nullptr, static_cast<float *>(mean));
  for (int part = 0; part < parts; ++part) {
    double sum = 0;
    for (int i = 0; i < sums; ++i)
      sum += losses.values[size_t(part * sums + i)];
    sum /= counted ? 5 : 3 * sums;
    BOOST_TEST(std::abs(mean.stored()[size_t(part)] - sum) <= 1e-7 * (1 + std::abs(sum)), sums << " rows");
  }
}

template <WeightedSum p>
VN_KERNEL(1)
run_weighted(Global<const float> first, Global<const float> second, Global<const float> third,
             Global<const float> fourth, Global<const float> other, Global<float> sum) {
  weighted_sum<p>(first, second, third, fourth, other, sum);
}

constexpr Map kRow{1, 1, 1, 4, 4, Element::F32, 1};

} // namespace

BOOST_AUTO_TEST_CASE(random_problems) { checkAll(std::make_integer_sequence<uint64_t, 18>()); }
// A class that cannot be takes no part without smoothing; with it the loss is infinite.
BOOST_AUTO_TEST_CASE(impossible_class) {
  checkSoftmax<Problem{kRow, kRow}>({1, -INFINITY, 0.5f, 2}, {2}, 0);
  checkSoftmax<Problem{kRow, kRow}>({1, -INFINITY, 0.5f, 2}, {2}, 0.1f);
  checkSoftmax<Problem{kRow, kRow}>({1, -INFINITY, 0.5f, 2}, {1}, 0);
}
BOOST_AUTO_TEST_CASE(large_logits) {
  checkSoftmax<Problem{kRow, kRow}>({1e30f, -1e30f, 0.5f, 2}, {0}, 0);
  checkPointwise<Problem{.logits = kRow, .gradient = kRow, .target = kRow, .function = {Pointwise::Binary}}>(
      {1000, -1000, 1000, -1000}, {1, 0, 0, 1});
  checkPointwise<Problem{
      .logits = kRow, .gradient = kRow, .target = kRow, .function = {Pointwise::Focal, 2}}>(
      {100, -100, 80, -80}, {1, 0, 0, 1});
}
// The mean of nothing is 0.
BOOST_AUTO_TEST_CASE(everything_is_ignored) {
  checkSoftmax<Problem{.logits = kRow, .gradient = kRow, .ignored = 255, .ignores = true}>({1, 2, 3, 4},
                                                                                           {255}, 0.1f);
}
BOOST_AUTO_TEST_CASE(means) {
  checkMean<1, false>();
  checkMean<7, false>();
  checkMean<128, true>();
  checkMean<1001, true>();
  checkMean<28, false, 3>();
  checkMean<200, true, 4>();
}
BOOST_AUTO_TEST_CASE(weighted_sums) {
  const Numbers<float> a(std::vector<float>{3}, "a"), b(std::vector<float>{5}, "b"), sum(1, "sum"),
      first(1, "first");
  constexpr WeightedSum two{2, 1, false, 0.5, -2}, four{4, 1, true, 1, 10, 100, 1000};
  float *const x = static_cast<float *>(a), *const y = static_cast<float *>(b);
  VN_LAUNCH(run_weighted<two>, launch_of(two), x, y, nullptr, nullptr, nullptr, static_cast<float *>(first));
  BOOST_TEST(first.stored()[0] == 0.5f * 3 - 2 * 5);
  VN_LAUNCH(run_weighted<four>, launch_of(four), x, y, y, x, static_cast<float *>(first),
            static_cast<float *>(sum));
  BOOST_TEST(sum.stored()[0] == 3 + 50 + 500 + 3000 + 0.5f * 3 - 2 * 5);
}
