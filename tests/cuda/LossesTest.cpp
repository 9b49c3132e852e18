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

struct Problem {
  Map logits, gradient;
};

constexpr Problem randomProblem(uint64_t seed) {
  Random random{seed};
  const int n = random.between(1, 9);
  const int classes = random.chance(50) ? random.between(1, 40) : random.between(41, 700);
  const Map logits = cuda_tests::randomMap(random, n, 1, 1, classes, cuda_tests::randomElement(random));
  return {logits, cuda_tests::randomMapLike(random, logits)};
}

template <Loss p>
VN_KERNEL(p.threads())
run_softmax(Global<const Number<p.logits.element>> logits, Global<const int> labels,
            Global<const float> smoothing, Global<float> losses) {
  softmax_loss<p>(logits, labels, smoothing, losses);
}
template <Loss p>
VN_KERNEL(p.threads())
run_binary(Global<const Number<p.logits.element>> logits, Global<const float> targets, Global<float> losses) {
  binary_loss<p>(logits, targets, losses);
}
template <LossGradient p>
VN_KERNEL(p.threads())
run_softmax_gradient(Global<const Number<p.logits.element>> logits, Global<const int> labels,
                     Global<const float> smoothing, Global<Number<p.gradient.element>> gradient) {
  softmax_gradient<p>(logits, labels, smoothing, gradient);
}
template <LossGradient p>
VN_KERNEL(p.threads())
run_binary_gradient(Global<const Number<p.logits.element>> logits, Global<const float> targets,
                    Global<Number<p.gradient.element>> gradient) {
  binary_gradient<p>(logits, targets, gradient);
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
  constexpr Loss p{LossKind::Softmax, problem.logits};
  constexpr LossGradient g{LossKind::Softmax, problem.logits, problem.gradient};
  constexpr int n = problem.logits.n, classes = problem.logits.c;
  const MapMemory logits(problem.logits, "logits", numbers), gradient(problem.gradient, "gradient");
  const Numbers<int> labels(own, "labels");
  const Numbers<float> smoothing(std::vector<float>{smooth}, "smoothing"), losses(size_t(n), "losses");
  VN_LAUNCH(run_softmax<p>, launch_of(p), logits.first<Number<p.logits.element>>(),
            static_cast<int *>(labels), static_cast<float *>(smoothing), static_cast<float *>(losses));
  VN_LAUNCH(run_softmax_gradient<g>, launch_of(g), logits.first<Number<p.logits.element>>(),
            static_cast<int *>(labels), static_cast<float *>(smoothing),
            gradient.first<Number<g.gradient.element>>());
  std::vector<double> loss, slope;
  double largest = 1;
  for (int image = 0; image < n; ++image) {
    const auto logit = [&](int j) { return double(logits.at(image, 0, 0, j)); };
    double maximum = -INFINITY, sum = 0;
    for (int j = 0; j < classes; ++j)
      maximum = std::max(maximum, logit(j));
    for (int j = 0; j < classes; ++j)
      sum += std::exp(logit(j) - maximum);
    double value = 0;
    for (int j = 0; j < classes; ++j) {
      const double wanted = (j == own[size_t(image)] ? 1 - smooth : 0) + double(smooth) / classes;
      if (wanted != 0)
        value -= wanted * (logit(j) - maximum - std::log(sum));
      slope.push_back((std::exp(logit(j) - maximum) / sum - wanted) / n);
      if (std::isfinite(logit(j)))
        largest = std::max(largest, std::abs(logit(j)));
    }
    loss.push_back(value);
  }
  compare("loss", losses.stored(), loss, 1e-6, 2e-6 * largest);
  compare("gradient", gradient.stored(), slope, rounding(problem.gradient), 1e-6);
}

template <Problem problem>
void checkBinary(const std::vector<float> &numbers, const std::vector<float> &wanted) {
  constexpr Loss p{LossKind::Binary, problem.logits};
  constexpr LossGradient g{LossKind::Binary, problem.logits, problem.gradient};
  constexpr int n = problem.logits.n, classes = problem.logits.c;
  const MapMemory logits(problem.logits, "logits", numbers), gradient(problem.gradient, "gradient");
  const Numbers<float> targets(wanted, "targets"), losses(size_t(n), "losses");
  VN_LAUNCH(run_binary<p>, launch_of(p), logits.first<Number<p.logits.element>>(),
            static_cast<float *>(targets), static_cast<float *>(losses));
  VN_LAUNCH(run_binary_gradient<g>, launch_of(g), logits.first<Number<p.logits.element>>(),
            static_cast<float *>(targets), gradient.first<Number<g.gradient.element>>());
  std::vector<double> loss(size_t(n), 0.0), slope;
  for (int image = 0; image < n; ++image)
    for (int j = 0; j < classes; ++j) {
      const double z = logits.at(image, 0, 0, j), t = wanted[size_t(image * classes + j)];
      // -t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z))
      const auto softplus = [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); };
      loss[size_t(image)] += (t * softplus(-z) + (1 - t) * softplus(z)) / classes;
      slope.push_back((1 / (1 + std::exp(-z)) - t) / (double(n) * classes));
      if (std::isnan(z))
        loss[size_t(image)] = NAN;
    }
  compare("loss", losses.stored(), loss, 2e-6, 1e-6);
  compare("gradient", gradient.stored(), slope, rounding(problem.gradient), 1e-6);
}

// Logits up to `scale`; in every fourth problem one of them is no number.
template <uint64_t seed> void check() {
  constexpr Problem problem = randomProblem(seed);
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(problem.logits) << ", "
                                << textOf(problem.gradient)) {
    Random random{seed};
    emulation::setSeed(seed);
    const float scale = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 12 : 300;
    const int count = problem.logits.n * problem.logits.c;
    std::vector<float> numbers, targets;
    for (int i = 0; i < count; ++i) {
      numbers.push_back(scale * random.number());
      targets.push_back(random.chance(30) ? std::abs(random.number()) : float(random.between(0, 1)));
    }
    if (seed % 4 == 3)
      numbers[size_t(random.between(0, count - 1))] = NAN;
    std::vector<int> labels;
    for (int i = 0; i < problem.logits.n; ++i)
      labels.push_back(random.between(0, problem.logits.c - 1));
    checkSoftmax<problem>(numbers, labels, seed % 2 == 0 ? 0.0f : 0.125f);
    checkBinary<problem>(numbers, targets);
  }
}
template <uint64_t... seeds> void checkAll(std::integer_sequence<uint64_t, seeds...>) {
  (check<VERNIER_FIRST_PROBLEM + seeds>(), ...);
}

template <MeanLoss p> VN_KERNEL(p.threads()) run_mean(Global<const float> losses, Global<float> mean) {
  mean_loss<p>(losses, mean);
}
template <int count> void checkMean() {
  constexpr MeanLoss p{count};
  Random random{count};
  const Numbers<float> losses(size_t(count), "losses", random), mean(1, "mean");
  VN_LAUNCH(run_mean<p>, launch_of(p), static_cast<float *>(losses), static_cast<float *>(mean));
  double sum = 0;
  for (const float loss : losses.values)
    sum += loss;
  BOOST_TEST(std::abs(mean.stored()[0] - sum / count) <= 1e-7, count << " images");
}

constexpr Map kRow{1, 1, 1, 4, 4, Element::F32, 1};

} // namespace

BOOST_AUTO_TEST_CASE(random_problems) { checkAll(std::make_integer_sequence<uint64_t, 12>()); }
// A class that cannot be takes no part without smoothing; with it the loss is infinite.
BOOST_AUTO_TEST_CASE(impossible_class) {
  checkSoftmax<Problem{kRow, kRow}>({1, -INFINITY, 0.5f, 2}, {2}, 0);
  checkSoftmax<Problem{kRow, kRow}>({1, -INFINITY, 0.5f, 2}, {2}, 0.1f);
  checkSoftmax<Problem{kRow, kRow}>({1, -INFINITY, 0.5f, 2}, {1}, 0);
}
BOOST_AUTO_TEST_CASE(large_logits) {
  checkSoftmax<Problem{kRow, kRow}>({1e30f, -1e30f, 0.5f, 2}, {0}, 0);
  checkBinary<Problem{kRow, kRow}>({1000, -1000, 1000, -1000}, {1, 0, 0, 1});
}
BOOST_AUTO_TEST_CASE(means) {
  checkMean<1>();
  checkMean<7>();
  checkMean<128>();
  checkMean<1001>();
}
