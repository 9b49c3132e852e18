// What the oracle makes of NaN and infinity: as IEEE 754 says, and where that leaves a choice as PyTorch 2
// does.
#define BOOST_TEST_MODULE NonFinite
#include "compiler/interpreter/Kernels.h"

#include <boost/test/included/unit_test.hpp>
#include <cmath>
#include <limits>

using vernier::Activation;
using namespace vernier::interpreter;
namespace dsl = vernier::dsl;
using vernier::Pointwise;

namespace {

constexpr double NotANumber = std::numeric_limits<double>::quiet_NaN();
constexpr double Infinite = std::numeric_limits<double>::infinity();

Tensor make(std::vector<int64_t> shape, std::vector<double> values) {
  Tensor t(std::move(shape));
  BOOST_TEST_REQUIRE(t.data.size() == values.size());
  t.data = std::move(values);
  return t;
}

Tensor row(std::vector<double> values) {
  const int64_t count = int64_t(values.size());
  return make({1, 1, count, 1}, std::move(values));
}

// NaN equals NaN here.
void checkSame(const Tensor &t, const std::vector<double> &expected) {
  BOOST_TEST_REQUIRE(t.data.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    BOOST_TEST((std::isnan(t.data[i])
                    ? std::isnan(expected[i])
                    : t.data[i] == expected[i] || std::abs(t.data[i] - expected[i]) < 1e-12),
               "number " << i << " is " << t.data[i] << ", not " << expected[i]);
}

} // namespace

BOOST_AUTO_TEST_CASE(activations) {
  const Tensor x = row({NotANumber, Infinite, -Infinite, -1, 7});
  checkSame(activate(x, Activation::Relu), {NotANumber, Infinite, 0, 0, 7});
  checkSame(activate(x, Activation::Relu6), {NotANumber, 6, 0, 0, 6});
  checkSame(activate(row({NotANumber, Infinite, -Infinite}), Activation::Sigmoid), {NotANumber, 1, 0});
  const Tensor ends = row({NotANumber, Infinite, -Infinite});
  checkSame(activate(ends, {Activation::LeakyRelu, 0.5}), {NotANumber, Infinite, -Infinite});
  checkSame(activate(ends, Activation::HardSigmoid), {NotANumber, 1, 0});
  checkSame(activate(ends, Activation::Tanh), {NotANumber, 1, -1});
  checkSame(activate(ends, Activation::Exp), {NotANumber, Infinite, 0});
  // Infinity times 0
  for (Activation::Kind kind :
       {Activation::Silu, Activation::HardSwish, Activation::Gelu, Activation::GeluTanh})
    checkSame(activate(ends, kind), {NotANumber, Infinite, NotANumber});
  checkSame(activate(ends, {Activation::ScaleShift, -2, 1}), {NotANumber, -Infinite, Infinite});
}

// From the results: a NaN lets the gradient pass, a closed activation stops even NaN.
BOOST_AUTO_TEST_CASE(gradients_of_activations) {
  const Tensor y = row({NotANumber, Infinite, 0, 0, 2}), dy = row({3, 3, NotANumber, Infinite, NotANumber});
  checkSame(activateGrad(y, dy, Activation::Relu), {3, 3, 0, 0, NotANumber});
  checkSame(
      activateGrad(row({NotANumber, 6, 0, 2}), row({3, NotANumber, Infinite, Infinite}), Activation::Relu6),
      {3, 0, 0, Infinite});
  checkSame(activateGrad(row({NotANumber, 1, 0, 0}), row({3, 3, 3, Infinite}), Activation::Sigmoid),
            {NotANumber, 0, 0, NotANumber});
}

BOOST_AUTO_TEST_CASE(max_pools) {
  const PoolGeometry pairs{.kernel = {1, 2}, .stride = {1, 2}};
  checkSame(
      maxPool(row({NotANumber, 1, 2, NotANumber, Infinite, NotANumber, -Infinite, -Infinite, Infinite, 3}),
              pairs),
      {NotANumber, NotANumber, NotANumber, -Infinite, Infinite});
  // The first of equal elements takes the gradient, the last NaN before all numbers.
  checkSame(
      maxPoolGrad(row({NotANumber, 1, NotANumber, NotANumber, Infinite, Infinite, -Infinite, -Infinite}),
                  row({1, 2, 3, 4}), pairs),
      {1, 0, 0, 2, 3, 0, 4, 0});
  // Overlapping, with padding, which is no element.
  const PoolGeometry triples{.kernel = {1, 3}, .stride = {1, 1}, .padding = {0, 0, 1, 1}};
  checkSame(maxPool(row({-Infinite, -Infinite, NotANumber, 1, 2}), triples),
            {-Infinite, NotANumber, NotANumber, NotANumber, 2});
}

BOOST_AUTO_TEST_CASE(averages) {
  const PoolGeometry triples{.kernel = {1, 3}, .stride = {1, 1}, .padding = {0, 0, 1, 1}};
  checkSame(avgPool(row({3, 0, Infinite, 1, -Infinite}), triples),
            {1, Infinite, Infinite, NotANumber, -Infinite});
  checkSame(globalAvgPool(row({Infinite, -Infinite, 1})), {NotANumber});
  checkSame(globalAvgPool(row({Infinite, 2, 1})), {Infinite});
}

BOOST_AUTO_TEST_CASE(resizes) {
  checkSame(resize(row({NotANumber, Infinite}), 1, 4, ResizeMode::Nearest, false),
            {NotANumber, NotANumber, Infinite, Infinite});
  // A weight of 0 counts, along an axis that keeps its size for the pixel itself.
  const auto bilinear = [](const Tensor &x, int64_t height, int64_t width) {
    return resize(x, height, width, ResizeMode::Bilinear, false);
  };
  checkSame(bilinear(row({1, Infinite, 2}), 1, 6),
            {NotANumber, NotANumber, NotANumber, NotANumber, NotANumber, 2});
  checkSame(bilinear(row({1, Infinite, 2}), 1, 3), {1, NotANumber, 2});
  checkSame(bilinear(make({1, 2, 2, 1}, {1, Infinite, 2, 3}), 4, 2),
            {1, NotANumber, 1.25, NotANumber, 1.75, NotANumber, 2, 3});
  checkSame(bilinear(make({1, 2, 2, 1}, {1, Infinite, 2, 3}), 4, 4),
            {NotANumber, Infinite, Infinite, Infinite, NotANumber, Infinite, Infinite, Infinite, NotANumber,
             Infinite, Infinite, Infinite, 2, 2.25, 2.75, 3});
  checkSame(resizeGrad(row({1, Infinite, 1}), {1, 1, 3, 1}, ResizeMode::Bilinear, false), {1, NotANumber, 1});
}

// A run's weight of 0 counts; what is outside the run does not.
BOOST_AUTO_TEST_CASE(resampling) {
  using enum dsl::Resampling;
  const Tensor x = row({1, Infinite, 2, 4, NotANumber});
  checkSame(resample(x, 1, 3, AdaptiveAverage), {Infinite, Infinite, NotANumber});
  checkSame(resample(x, 1, 3, NearestExact), {1, 2, NotANumber});
  checkSame(resample(row({1, 2, 3, 4, 5, 6, 7, 8, Infinite}), 1, 3, Bicubic), {2, 5, NotANumber});
  checkSame(resample(row({Infinite, 2, 4, 6, 8, 10}), 1, 2, BilinearAntialias), {Infinite, 7.5});
  checkSame(resampleGrad(row({1, Infinite, 1}), {1, 1, 5, 1}, AdaptiveAverage),
            {0.5, Infinite, Infinite, Infinite, 0.5});
}

BOOST_AUTO_TEST_CASE(sums_and_products) {
  checkSame(add(row({Infinite, Infinite, NotANumber}), row({-Infinite, 1, 1})),
            {NotANumber, Infinite, NotANumber});
  checkSame(multiply(row({Infinite, Infinite, NotANumber}), row({0, -2, 0})),
            {NotANumber, -Infinite, NotANumber});
}

// A tap outside the map adds nothing: not 0 times an infinite weight.
BOOST_AUTO_TEST_CASE(borders_of_convolutions) {
  const ConvolutionGeometry padded{.padding = {0, 0, 1, 1}};
  checkSame(convolution(row({1, 2, 3}), make({1, 1, 1, 3}, {1, 1, NotANumber}), nullptr, padded),
            {NotANumber, NotANumber, 5});
  checkSame(convolution(row({1, 2, Infinite}), make({1, 1, 1, 3}, {1, 0, -1}), nullptr, padded),
            {-2, -Infinite, NotANumber});
  checkSame(convolutionInputGrad(row({1, 2, 3}), make({1, 1, 1, 3}, {Infinite, 1, 1}), {1, 1, 3, 1}, padded),
            {Infinite, Infinite, 5});
}

BOOST_AUTO_TEST_CASE(batch_norms) {
  const Tensor one = make({1}, {1}), zero = make({1}, {0});
  const BatchNormTraining bad = batchNormTraining(row({1, NotANumber, 3}), one, zero, 1e-5);
  checkSame(bad.y, {NotANumber, NotANumber, NotANumber});
  checkSame(bad.var, {NotANumber});
  const BatchNormTraining infinite = batchNormTraining(row({1, Infinite, 3}), one, zero, 1e-5);
  checkSame(infinite.mean, {Infinite});
  checkSame(infinite.var, {NotANumber});
  checkSame(infinite.y, {NotANumber, NotANumber, NotANumber});
  checkSame(batchNorm(row({Infinite, NotANumber, 2}), one, zero, zero, make({1}, {Infinite}), 1e-5),
            {NotANumber, NotANumber, 0});
}

// The pixel that has it, and no other.
BOOST_AUTO_TEST_CASE(layer_norms) {
  const Tensor gamma = make({2}, {1, 1}), beta = make({2}, {0, 0});
  for (double bad : {NotANumber, Infinite}) {
    const Tensor y = layerNorm(make({1, 1, 2, 2}, {bad, 1, 5, 5}), gamma, beta, 1e-5);
    checkSame(y, {NotANumber, NotANumber, 0, 0});
  }
}

BOOST_AUTO_TEST_CASE(maxima_over_channels) {
  const auto most = [](double a, double b, double c) {
    return reduceChannels(make({1, 1, 1, 3}, {a, b, c}), ChannelReduction::Max);
  };
  checkSame(most(1, NotANumber, 3), {NotANumber});
  checkSame(most(NotANumber, 1, 3), {NotANumber});
  checkSame(most(-Infinite, -Infinite, -Infinite), {-Infinite});
  checkSame(most(1, Infinite, 3), {Infinite});
}

BOOST_AUTO_TEST_CASE(softmax_losses) {
  const Tensor label = make({1}, {0});
  checkSame(softmaxCrossEntropy(make({1, 3}, {0, NotANumber, 1}), label, 0), {NotANumber});
  checkSame(softmaxCrossEntropy(make({1, 3}, {Infinite, 0, 1}), label, 0), {NotANumber});
  checkSame(softmaxCrossEntropy(make({1, 3}, {-Infinite, 0, 0}), label, 0), {Infinite});
  // A class that cannot be takes no part, unless something is wanted of it.
  checkSame(softmaxCrossEntropy(make({1, 3}, {0, -Infinite, 0}), label, 0), {std::log(2.0)});
  checkSame(softmaxCrossEntropy(make({1, 3}, {0, -Infinite, 0}), label, 0.1), {Infinite});
  checkSame(softmaxCrossEntropyGrad(make({1, 3}, {0, -Infinite, 0}), label, 0), {-0.5, 0, 0.5});
  checkSame(softmaxCrossEntropyGrad(make({1, 3}, {0, NotANumber, 0}), label, 0),
            {NotANumber, NotANumber, NotANumber});
}

BOOST_AUTO_TEST_CASE(binary_losses) {
  const auto loss = [](double logit, double target) {
    const Tensor wanted = make({1, 1}, {target});
    return pointwiseLoss({Pointwise::Binary}, make({1, 1}, {logit}), &wanted).data;
  };
  const auto is = [&](double logit, double target, double expected) {
    checkSame(make({1}, loss(logit, target)), {expected});
  };
  is(NotANumber, 0, NotANumber);
  is(Infinite, 0, Infinite);
  is(Infinite, 1, NotANumber); // 0 times infinity, as in PyTorch's formula
  is(-Infinite, 1, NotANumber);
  is(-Infinite, 0, NotANumber);
  is(-800, 1, 800);
  const Tensor wanted = make({1, 3}, {1, 0, 0});
  checkSame(pointwiseLossGrad({Pointwise::Binary}, make({1, 3}, {Infinite, -Infinite, NotANumber}), &wanted),
            {0, 0, NotANumber});
  for (Pointwise kind : {Pointwise::Squared, Pointwise::Absolute, Pointwise::SmoothL1, Pointwise::Focal}) {
    const Tensor none = make({1, 1}, {NotANumber}), zero = make({1, 1}, {0});
    checkSame(pointwiseLoss({kind}, none, &zero), {NotANumber});
    checkSame(pointwiseLossGrad({kind}, none, &zero), {NotANumber});
    checkSame(pointwiseLoss({kind}, zero, &none), {NotANumber});
    checkSame(pointwiseLossGrad({kind}, zero, &none), {NotANumber});
  }
}
