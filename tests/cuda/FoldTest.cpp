// Batch norms folded into weights and biases, against the formulas in double.
#define BOOST_TEST_MODULE cuda_fold
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/fold.cuh"

namespace {

using namespace vn;
using cuda_tests::Numbers;
using cuda_tests::Random;

// As a variance is.
Numbers<float> positive(size_t count, Random &random) {
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i)
    values.push_back(random.chance(10) ? 0.0f : 1 + random.number());
  return Numbers<float>(values, "variance");
}

void compare(const std::vector<float> &found, const std::vector<double> &expected) {
  BOOST_REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    if (std::isnan(expected[i]) ? !std::isnan(found[i])
                                : !(std::abs(found[i] - expected[i]) <= 1e-6 * (1 + std::abs(expected[i])))) {
      BOOST_TEST_ERROR("number " << i << ": " << found[i] << ", expected " << expected[i]);
      return;
    }
}

template <FoldWeight p>
VN_KERNEL(256)
run_weight(Global<const float> weight, Global<const float> gamma, Global<const float> variance,
           Global<float> folded) {
  fold_weight<p>(weight, gamma, variance, folded);
}
template <FoldWeight p> void checkWeight() {
  BOOST_TEST_CONTEXT(p.outputs << " x " << p.per_output << " epsilon " << p.epsilon) {
    Random random{uint64_t(p.outputs)};
    const size_t outputs = size_t(p.outputs), each = size_t(p.per_output), count = outputs * each;
    const Numbers<float> weight(count, "weight", random), gamma(outputs, "gamma", random),
        variance = positive(outputs, random), folded(count, "folded");
    VN_LAUNCH(run_weight<p>, launch_of(p), static_cast<float *>(weight), static_cast<float *>(gamma),
              static_cast<float *>(variance), static_cast<float *>(folded));
    std::vector<double> expected;
    for (size_t i = 0; i < count; ++i)
      expected.push_back(weight.values[i] * double(gamma.values[i / each]) /
                         std::sqrt(variance.values[i / each] + p.epsilon));
    compare(folded.stored(), expected);
  }
}

template <FoldScale p>
VN_KERNEL(256)
run_scale(Global<const float> gamma, Global<const float> variance, Global<float> scale) {
  fold_scale<p>(gamma, variance, scale);
}
template <FoldScale p> void checkScale() {
  BOOST_TEST_CONTEXT(p.channels << " epsilon " << p.epsilon) {
    Random random{uint64_t(p.channels)};
    const size_t count = size_t(p.channels);
    const Numbers<float> gamma(count, "gamma", random), variance = positive(count, random),
                                                        scale(count, "scale");
    VN_LAUNCH(run_scale<p>, launch_of(p), static_cast<float *>(gamma), static_cast<float *>(variance),
              static_cast<float *>(scale));
    std::vector<double> expected;
    for (size_t i = 0; i < count; ++i)
      expected.push_back(gamma.values[i] / std::sqrt(variance.values[i] + p.epsilon));
    compare(scale.stored(), expected);
  }
}

template <FoldBias p>
VN_KERNEL(256)
run_bias(Global<const float> gamma, Global<const float> beta, Global<const float> mean,
         Global<const float> variance, Global<const float> bias, Global<float> folded) {
  fold_bias<p>(gamma, beta, mean, variance, bias, folded);
}
template <FoldBias p> void checkBias() {
  BOOST_TEST_CONTEXT(p.channels << " epsilon " << p.epsilon << (p.bias ? " with a bias" : "")) {
    Random random{uint64_t(p.channels)};
    const size_t count = size_t(p.channels);
    const Numbers<float> gamma(count, "gamma", random), beta(count, "beta", random),
        mean(count, "mean", random), variance = positive(count, random), bias(count, "bias", random),
                                     folded(count, "folded");
    VN_LAUNCH(run_bias<p>, launch_of(p), static_cast<float *>(gamma), static_cast<float *>(beta),
              static_cast<float *>(mean), static_cast<float *>(variance),
              p.bias ? static_cast<float *>(bias) : nullptr, static_cast<float *>(folded));
    std::vector<double> expected;
    for (size_t i = 0; i < count; ++i)
      expected.push_back(beta.values[i] + ((p.bias ? bias.values[i] : 0.0) - mean.values[i]) *
                                              gamma.values[i] / std::sqrt(variance.values[i] + p.epsilon));
    compare(folded.stored(), expected);
  }
}

template <ScaleParameter p>
VN_KERNEL(256)
run_parameter(Global<const float> parameter, Global<const float> scale, Global<float> scaled) {
  scale_parameter<p>(parameter, scale, scaled);
}
template <ScaleParameter p> void checkParameter() {
  BOOST_TEST_CONTEXT(p.outputs << " x " << p.per_output) {
    Random random{uint64_t(p.outputs)};
    const size_t outputs = size_t(p.outputs), each = size_t(p.per_output), count = outputs * each;
    const Numbers<float> parameter(count, "parameter", random), scale(outputs, "scale", random),
        scaled(count, "scaled");
    VN_LAUNCH(run_parameter<p>, launch_of(p), static_cast<float *>(parameter), static_cast<float *>(scale),
              static_cast<float *>(scaled));
    std::vector<double> expected;
    for (size_t i = 0; i < count; ++i)
      expected.push_back(parameter.values[i] * double(scale.values[i / each]));
    compare(scaled.stored(), expected);
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(parameters) {
  checkParameter<ScaleParameter{1, 1}>();
  checkParameter<ScaleParameter{96, 1}>();
  checkParameter<ScaleParameter{33, 576}>();
}
BOOST_AUTO_TEST_CASE(weights) {
  checkWeight<FoldWeight{1, 1, 1e-5}>();
  checkWeight<FoldWeight{7, 9, 1e-3}>();
  checkWeight<FoldWeight{64, 147, 1e-5}>();
  checkWeight<FoldWeight{33, 576, 0.5}>();
}
BOOST_AUTO_TEST_CASE(scales) {
  checkScale<FoldScale{1, 1e-5}>();
  checkScale<FoldScale{62, 1e-3}>();
  checkScale<FoldScale{256, 1e-5}>();
  checkScale<FoldScale{777, 1e-5}>();
}
BOOST_AUTO_TEST_CASE(biases) {
  checkBias<FoldBias{1, false, 1e-5}>();
  checkBias<FoldBias{62, true, 1e-3}>();
  checkBias<FoldBias{256, false, 1e-3}>();
  checkBias<FoldBias{777, true, 1e-5}>();
}
// A statistic that is no number is seen in every weight that it is for, and in no other.
BOOST_AUTO_TEST_CASE(nan_in_a_statistic) {
  constexpr FoldWeight p{3, 5, 1e-5};
  Random random{1};
  const Numbers<float> weight(15, "weight", random), gamma(3, "gamma", random),
      variance(std::vector<float>{1, NAN, 2}, "variance"), folded(15, "folded");
  VN_LAUNCH(run_weight<p>, launch_of(p), static_cast<float *>(weight), static_cast<float *>(gamma),
            static_cast<float *>(variance), static_cast<float *>(folded));
  const std::vector<float> found = folded.stored();
  for (size_t i = 0; i < found.size(); ++i)
    BOOST_TEST(std::isnan(found[i]) == (i / 5 == 1));
}
