// Every gradient kernel of the oracle against finite differences of its forward kernel: small random maps,
// odd sizes, every attribute.
#define BOOST_TEST_MODULE KernelGradients
#include "tests/unit/FiniteDifferences.h"

#include "compiler/interpreter/Kernels.h"

using vernier::Activation;
using namespace vernier::interpreter;
namespace dsl = vernier::dsl;
using vernier::Pointwise;
using vernier::PointwiseFunction;
using namespace vernier::interpreter::testing;

namespace {

Tensor randomLike(const Tensor &t, unsigned seed) { return randomTensor(t.shape, seed); }

// A random order of distinct, well separated values: max pooling has a derivative there.
Tensor distinctValues(std::vector<int64_t> shape, unsigned seed) {
  Tensor t(std::move(shape));
  for (int64_t i = 0; i < t.size(); ++i)
    t[i] = 0.1 * static_cast<double>(i) - 3.0;
  std::shuffle(t.data.begin(), t.data.end(), std::mt19937(seed));
  return t;
}

struct ConvolutionCase {
  const char *what;
  std::vector<int64_t> x, w;
  ConvolutionGeometry g;
};

const ConvolutionCase convolutionCases[] = {
    {"3x3", {2, 5, 7, 3}, {4, 3, 3, 3}, {{1, 1}, {1, 1, 1, 1}, {1, 1}, 1}},
    {"1x1", {2, 3, 9, 5}, {17, 5, 1, 1}, {}},
    {"1x1 stride 2", {1, 5, 6, 3}, {4, 3, 1, 1}, {{2, 2}, {0, 0, 0, 0}, {1, 1}, 1}},
    {"7x7 stride 2", {1, 11, 9, 3}, {2, 3, 7, 7}, {{2, 2}, {3, 3, 3, 3}, {1, 1}, 1}},
    {"unequal strides", {1, 9, 8, 2}, {3, 2, 3, 2}, {{3, 2}, {1, 1, 0, 1}, {1, 1}, 1}},
    {"dilation", {1, 9, 10, 2}, {3, 2, 3, 3}, {{1, 1}, {2, 2, 3, 3}, {2, 3}, 1}},
    {"dilation and stride", {1, 9, 10, 2}, {3, 2, 3, 3}, {{2, 2}, {2, 2, 2, 2}, {2, 2}, 1}},
    {"asymmetric padding", {2, 6, 5, 2}, {3, 2, 3, 3}, {{2, 2}, {0, 2, 1, 0}, {1, 1}, 1}},
    {"padding wider than the kernel", {1, 3, 2, 2}, {2, 2, 2, 2}, {{1, 1}, {3, 0, 0, 4}, {1, 1}, 1}},
    {"groups", {1, 5, 5, 6}, {8, 3, 3, 3}, {{1, 1}, {1, 1, 1, 1}, {1, 1}, 2}},
    {"groups with stride", {2, 5, 6, 4}, {40, 2, 3, 3}, {{2, 2}, {1, 1, 1, 1}, {1, 1}, 2}},
    {"depthwise", {1, 6, 5, 5}, {5, 1, 3, 3}, {{1, 1}, {1, 1, 1, 1}, {1, 1}, 5}},
    {"depthwise with multiplier", {1, 6, 5, 3}, {6, 1, 3, 3}, {{2, 1}, {1, 0, 0, 1}, {1, 1}, 3}},
    {"more than a tile", {1, 2, 15, 9}, {19, 9, 1, 3}, {{1, 1}, {0, 0, 1, 1}, {1, 1}, 1}},
};

struct PoolCase {
  const char *what;
  std::vector<int64_t> x;
  PoolGeometry g;
};

const PoolCase poolCases[] = {
    {"2x2", {2, 6, 4, 3}, {{2, 2}, {2, 2}, {0, 0, 0, 0}, false, true}},
    {"odd size floors", {1, 7, 5, 2}, {{2, 2}, {2, 2}, {0, 0, 0, 0}, false, true}},
    {"odd size with ceil", {1, 7, 5, 2}, {{2, 2}, {2, 2}, {0, 0, 0, 0}, true, true}},
    {"3x3 stride 2 padding 1", {2, 7, 8, 2}, {{3, 3}, {2, 2}, {1, 1, 1, 1}, false, true}},
    {"padding not counted", {1, 7, 8, 2}, {{3, 3}, {2, 2}, {1, 1, 1, 1}, false, false}},
    {"ceil and padding", {1, 6, 6, 2}, {{3, 3}, {2, 2}, {1, 1, 1, 1}, true, true}},
    {"ceil and padding not counted", {1, 6, 6, 2}, {{3, 3}, {2, 2}, {1, 1, 1, 1}, true, false}},
    {"ceil drops a window beyond the input", {1, 4, 4, 1}, {{2, 2}, {3, 3}, {0, 0, 0, 0}, true, true}},
    {"asymmetric", {1, 6, 7, 2}, {{3, 2}, {1, 2}, {0, 2, 1, 0}, false, false}},
    {"windows apart", {1, 9, 8, 2}, {{2, 2}, {3, 4}, {0, 0, 0, 0}, false, true}},
};

struct ResizeCase {
  const char *what;
  std::vector<int64_t> x;
  int64_t height, width;
  ResizeMode mode;
  bool alignCorners;
  double scale = 0;
};

const ResizeCase resizeCases[] = {
    {"nearest, whole factor", {2, 3, 2, 2}, 6, 4, ResizeMode::Nearest, false},
    {"nearest, 3 to 7", {1, 3, 3, 2}, 7, 7, ResizeMode::Nearest, false},
    {"nearest, smaller", {1, 7, 5, 2}, 3, 4, ResizeMode::Nearest, false},
    {"bilinear, whole factor", {1, 3, 4, 2}, 6, 8, ResizeMode::Bilinear, false},
    {"bilinear, 3 to 7", {1, 3, 4, 2}, 7, 9, ResizeMode::Bilinear, false},
    {"bilinear, smaller", {1, 7, 8, 2}, 4, 3, ResizeMode::Bilinear, false},
    {"bilinear from one pixel", {2, 1, 1, 3}, 4, 5, ResizeMode::Bilinear, false},
    {"aligned corners", {1, 3, 4, 2}, 7, 9, ResizeMode::Bilinear, true},
    {"aligned corners to one pixel", {1, 3, 4, 2}, 1, 1, ResizeMode::Bilinear, true},
    {"nearest, 26 to 22", {1, 26, 2, 1}, 22, 2, ResizeMode::Nearest, false},
    {"nearest, 2 to 82", {1, 2, 2, 1}, 82, 3, ResizeMode::Nearest, false},
    {"nearest by 0.75", {1, 7, 6, 2}, 5, 4, ResizeMode::Nearest, false, 0.75},
    {"bilinear by 0.75", {1, 7, 6, 2}, 5, 4, ResizeMode::Bilinear, false, 0.75},
    {"bilinear by 1.35: the width stays", {1, 7, 2, 2}, 9, 2, ResizeMode::Bilinear, false, 1.35},
};

} // namespace

BOOST_AUTO_TEST_CASE(convolution_gradients) {
  for (const auto &[what, xs, ws, geometry] : convolutionCases) {
    const ConvolutionGeometry &g = geometry;
    Tensor x = randomTensor(xs, 1), w = randomTensor(ws, 2), b = randomTensor({ws[0]}, 3);
    Tensor dy = randomLike(convolution(x, w, nullptr, g), 4);
    checkGradient(what, x, dy, convolutionInputGrad(dy, w, x.shape, g),
                  [&](const Tensor &t) { return convolution(t, w, nullptr, g); });
    checkGradient(what, w, dy, convolutionWeightGrad(x, dy, w.shape, g),
                  [&](const Tensor &t) { return convolution(x, t, nullptr, g); });
    checkGradient(what, b, dy, channelSum(dy), [&](const Tensor &t) { return convolution(x, w, &t, g); });
  }
}

// Of each convolution the transposed one, whose gradients are its own with operand and result exchanged.
BOOST_AUTO_TEST_CASE(transposed_convolution_gradients) {
  for (const auto &[what, ys, ws, geometry] : convolutionCases) {
    const ConvolutionGeometry &g = geometry;
    const Tensor w = randomTensor(ws, 2), b = randomTensor({ws[1] * g.groups}, 3), y = randomTensor(ys, 5);
    const Tensor x = randomLike(convolution(y, w, nullptr, g), 1);
    std::array<int64_t, 2> more; // that y's rows and columns are as many
    for (int axis : {0, 1})
      more[axis] = (ys[1 + axis] + g.padding[2 * axis] + g.padding[2 * axis + 1] -
                    g.dilation[axis] * (ws[2 + axis] - 1) - 1) %
                   g.stride[axis];
    const auto transposed = [&](const Tensor &x, const Tensor &w, const Tensor &b) {
      return transposedConvolution(x, w, nullptr, &b, g, more);
    };
    const Tensor dy = randomLike(transposed(x, w, b), 4);
    BOOST_TEST_REQUIRE(dy.shape == ys);
    checkGradient(what, x, dy, convolution(dy, w, nullptr, g),
                  [&](const Tensor &t) { return transposed(t, w, b); });
    checkGradient(what, w, dy, convolutionWeightGrad(dy, x, w.shape, g),
                  [&](const Tensor &t) { return transposed(x, t, b); });
    checkGradient(what, b, dy, channelSum(dy), [&](const Tensor &t) { return transposed(x, w, t); });
  }
}

BOOST_AUTO_TEST_CASE(linear_gradients) {
  Tensor x = randomTensor({3, 1, 1, 5}, 1), w = randomTensor({4, 5}, 2), b = randomTensor({4}, 3);
  Tensor dy = randomTensor({3, 1, 1, 4}, 4);
  checkGradient("input", x, dy, linearInputGrad(dy, w), [&](const Tensor &t) { return linear(t, w, &b); });
  checkGradient("weight", w, dy, linearWeightGrad(x, dy), [&](const Tensor &t) { return linear(x, t, &b); });
  checkGradient("bias", b, dy, channelSum(dy), [&](const Tensor &t) { return linear(x, w, &t); });
}

BOOST_AUTO_TEST_CASE(pool_gradients) {
  for (const auto &[what, xs, geometry] : poolCases) {
    const PoolGeometry &g = geometry;
    Tensor x = distinctValues(xs, 1), dy = randomLike(maxPool(x, g), 2);
    checkGradient(what, x, dy, maxPoolGrad(x, dy, g), [&](const Tensor &t) { return maxPool(t, g); });
    checkGradient(what, x, dy, avgPoolGrad(dy, x.shape, g), [&](const Tensor &t) { return avgPool(t, g); });
  }
  Tensor x = randomTensor({2, 3, 5, 3}, 1), dy = randomTensor({2, 1, 1, 3}, 2);
  checkGradient("global", x, dy, globalAvgPoolGrad(dy, x.shape),
                [](const Tensor &t) { return globalAvgPool(t); });
}

// Where values tie, the first in row-major order takes the gradient.
BOOST_AUTO_TEST_CASE(max_pool_tie) {
  Tensor dx =
      maxPoolGrad(Tensor({1, 2, 2, 1}, 1.0), Tensor({1, 1, 1, 1}, 5.0), {{2, 2}, {2, 2}, {}, false, true});
  BOOST_TEST(dx.data == (std::vector<double>{5, 0, 0, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(resize_gradients) {
  for (const ResizeCase &r : resizeCases) {
    auto forward = [&](const Tensor &t) {
      return resize(t, r.height, r.width, r.mode, r.alignCorners, r.scale);
    };
    Tensor x = randomTensor(r.x, 1), dy = randomLike(forward(x), 2);
    checkGradient(r.what, x, dy, resizeGrad(dy, x.shape, r.mode, r.alignCorners, r.scale), forward);
  }
}

BOOST_AUTO_TEST_CASE(resampling_gradients) {
  using enum dsl::Resampling;
  for (dsl::Resampling kind : {AdaptiveAverage, NearestExact, Bicubic, BilinearAntialias, BicubicAntialias})
    for (auto [height, width, scale] : {std::tuple(3, 4, 0.0), std::tuple(5, 11, 0.0), std::tuple(1, 1, 0.0),
                                        std::tuple(12, 8, 0.0), std::tuple(5, 4, 0.75)})
      for (const bool corners : {false, kind == Bicubic && scale == 0}) {
        const auto forward = [&, height = height, width = width, scale = scale](const Tensor &t) {
          return resample(t, height, width, kind, corners, scale);
        };
        const Tensor x = randomTensor({2, 7, 6, 2}, 1), dy = randomLike(forward(x), 2);
        checkGradient(dsl::nameOf(kind), x, dy, resampleGrad(dy, x.shape, kind, corners, scale), forward);
      }
}

BOOST_AUTO_TEST_CASE(spatial_gradients) {
  Tensor x = randomTensor({2, 3, 4, 2}, 1), dy = randomTensor({2, 6, 7, 2}, 2);
  std::array<int64_t, 4> padding{1, 2, 3, 0};
  checkGradient("zero padding", x, dy, crop(dy, 1, 3, 3, 4),
                [&](const Tensor &t) { return pad(t, padding, false); });
  checkGradient("replicated padding", x, dy, padReplicateGrad(dy, padding),
                [&](const Tensor &t) { return pad(t, padding, true); });
  checkGradient("crop", dy, x, pad(x, {1, 2, 2, 1}, false),
                [&](const Tensor &t) { return crop(t, 1, 2, 3, 4); });
}

BOOST_AUTO_TEST_CASE(channel_gradients) {
  Tensor x = randomTensor({2, 3, 2, 5}, 1), part = randomTensor({2, 3, 2, 2}, 2),
         dy = randomTensor({2, 3, 2, 7}, 3);
  checkGradient("slice", x, part, embedChannels(part, 2, 5), [](const Tensor &t) { return slice(t, 2, 2); });
  Tensor wide = randomTensor({2, 3, 2, 6}, 4);
  checkGradient("channel_shuffle", wide, randomLike(wide, 5), channelShuffle(randomLike(wide, 5), 3),
                [](const Tensor &t) { return channelShuffle(t, 2); });
  auto joined = [](const Tensor &a, const Tensor &b) {
    const Tensor *operands[] = {&a, &b};
    return concat(operands);
  };
  checkGradient("concat, first", x, dy, slice(dy, 0, 5), [&](const Tensor &t) { return joined(t, part); });
  checkGradient("concat, second", part, dy, slice(dy, 5, 2), [&](const Tensor &t) { return joined(x, t); });
}

BOOST_AUTO_TEST_CASE(batch_norm_gradients) {
  Tensor x = randomTensor({2, 3, 5, 9}, 1), gamma = randomTensor({9}, 2), beta = randomTensor({9}, 3);
  Tensor dy = randomLike(x, 4);
  constexpr double Epsilon = 1e-3;
  BatchNormTraining forward = batchNormTraining(x, gamma, beta, Epsilon);
  NormGrad grad = batchNormGrad(x, dy, gamma, forward.mean, forward.var, Epsilon);
  checkGradient("input", x, dy, grad.dx,
                [&](const Tensor &t) { return batchNormTraining(t, gamma, beta, Epsilon).y; });
  checkGradient("gamma", gamma, dy, grad.dgamma,
                [&](const Tensor &t) { return batchNormTraining(x, t, beta, Epsilon).y; });
  checkGradient("beta", beta, dy, grad.dbeta,
                [&](const Tensor &t) { return batchNormTraining(x, gamma, t, Epsilon).y; });
}

BOOST_AUTO_TEST_CASE(layer_norm_gradients) {
  const Tensor x = randomTensor({2, 3, 5, 9}, 1), gamma = randomTensor({9}, 2), beta = randomTensor({9}, 3),
               dy = randomLike(x, 4);
  constexpr double Epsilon = 1e-3;
  const NormGrad grad = layerNormGrad(x, dy, gamma, Epsilon);
  checkGradient("input", x, dy, grad.dx, [&](const Tensor &t) { return layerNorm(t, gamma, beta, Epsilon); });
  checkGradient("gamma", gamma, dy, grad.dgamma,
                [&](const Tensor &t) { return layerNorm(x, t, beta, Epsilon); });
  checkGradient("beta", beta, dy, grad.dbeta,
                [&](const Tensor &t) { return layerNorm(x, gamma, t, Epsilon); });
  checkGradient("scaled input", x, dy, scaleChannels(dy, gamma),
                [&](const Tensor &t) { return scaleChannels(t, gamma); });
  checkGradient("scale", gamma, dy, channelDot(dy, x), [&](const Tensor &t) { return scaleChannels(x, t); });
}

BOOST_AUTO_TEST_CASE(group_norm_gradients) {
  const Tensor x = randomTensor({2, 3, 5, 6}, 1), gamma = randomTensor({6}, 2), beta = randomTensor({6}, 3),
               dy = randomLike(x, 4);
  constexpr double Epsilon = 1e-3;
  for (const int64_t groups : {1, 2, 6}) {
    const NormGrad grad = groupNormGrad(x, dy, gamma, groups, Epsilon);
    checkGradient("input", x, dy, grad.dx,
                  [&](const Tensor &t) { return groupNorm(t, gamma, beta, groups, Epsilon); });
    checkGradient("gamma", gamma, dy, grad.dgamma,
                  [&](const Tensor &t) { return groupNorm(x, t, beta, groups, Epsilon); });
    checkGradient("beta", beta, dy, grad.dbeta,
                  [&](const Tensor &t) { return groupNorm(x, gamma, t, groups, Epsilon); });
  }
}

BOOST_AUTO_TEST_CASE(gradients_of_learned_slopes) {
  const Tensor x = randomTensor({2, 3, 4, 5}, 1), dy = randomLike(x, 2);
  for (const Tensor &slope : {randomTensor({5}, 3), randomTensor({1}, 4)}) {
    const PreluGrad grad = preluGrad(x, dy, slope);
    checkGradient("input", x, dy, grad.dx, [&](const Tensor &t) { return prelu(t, slope); });
    checkGradient("slope", slope, dy, grad.dslope, [&](const Tensor &t) { return prelu(x, t); });
  }
}

BOOST_AUTO_TEST_CASE(gradients_of_parameters_as_maps) {
  const Tensor w = randomTensor({5}, 1), dy = randomTensor({3, 1, 1, 5}, 2);
  checkGradient("parameter", w, dy, channelSum(dy), [](const Tensor &t) { return parameterMap(t, 3); });
}

BOOST_AUTO_TEST_CASE(gradients_over_channels) {
  const Tensor x = randomTensor({2, 3, 4, 5}, 1), each = randomTensor({2, 3, 4, 1}, 2),
               dy = randomLike(each, 3), dx = randomLike(x, 4);
  checkGradient("sum", x, dy, broadcastChannels(dy, 1, 5),
                [](const Tensor &t) { return reduceChannels(t, ChannelReduction::Sum); });
  checkGradient("mean", x, dy, broadcastChannels(dy, 0.2, 5),
                [](const Tensor &t) { return reduceChannels(t, ChannelReduction::Mean); });
  const auto most = [](const Tensor &t) { return reduceChannels(t, ChannelReduction::Max); };
  checkGradient("maximum", x, dy, channelMaxGrad(x, most(x), dy), most);
  checkGradient("number for each pixel", each, dx, pixelDot(dx, x),
                [&](const Tensor &t) { return multiply(x, t); });
  checkGradient("summand for each pixel", each, dx, reduceChannels(dx, ChannelReduction::Sum),
                [&](const Tensor &t) { return add(x, t); });
}

BOOST_AUTO_TEST_CASE(activation_gradients) {
  Tensor x = randomTensor({2, 3, 4, 3}, 1), dy = randomLike(x, 2);
  for (double &value : x.data)
    value *= 9; // both bends of relu6
  for (Activation::Kind kind : vernier::kActivations) {
    const Activation activation(kind, Activation(kind).hasSlope() ? 0.3 : 0,
                                Activation(kind).hasOffset() ? -2 : 0);
    const Tensor of = activation.derivativeNeedsInput() ? x : activate(x, activation);
    checkGradient(std::string("activation ") + nameOf(kind), x, dy, activateGrad(of, dy, activation),
                  [&](const Tensor &t) { return activate(t, activation); });
  }
}

BOOST_AUTO_TEST_CASE(arithmetic_gradients) {
  Tensor a = randomTensor({2, 3, 4, 3}, 1), b = randomLike(a, 2), s = randomTensor({2, 1, 1, 3}, 3),
         dy = randomLike(a, 4);
  checkGradient("multiply", a, dy, multiply(dy, b), [&](const Tensor &t) { return multiply(t, b); });
  checkGradient("multiply by 1x1", a, dy, multiply(dy, s), [&](const Tensor &t) { return multiply(t, s); });
  const Tensor quotient = divide(a, b), throughDivision = divide(dy, b);
  checkGradient("divide", a, dy, throughDivision, [&](const Tensor &t) { return divide(t, b); });
  Tensor divisor = multiply(throughDivision, quotient);
  for (double &value : divisor.data)
    value = -value;
  checkGradient("the divisor", b, dy, divisor, [&](const Tensor &t) { return divide(a, t); });
  checkGradient("the 1x1 factor", s, dy, spatialDot(dy, a), [&](const Tensor &t) { return multiply(a, t); });
  checkGradient("the 1x1 summand", s, dy, spatialSum(dy), [&](const Tensor &t) { return add(a, t); });
  checkGradient("affine", a, dy, affine(dy, Tensor({3}, 0.5), Tensor({3})),
                [](const Tensor &t) { return affine(t, Tensor({3}, 0.5), Tensor({3}, 2.0)); });
}

BOOST_AUTO_TEST_CASE(loss_gradients) {
  Tensor logits = randomTensor({3, 1, 1, 5}, 1), labels({3}), one({1}, 1.0),
         targets = randomTensor({3, 5}, 2);
  labels.data = {4, 0, 2};
  for (double smoothing : {0.0, 0.1})
    checkGradient("softmax cross-entropy", logits, one, softmaxCrossEntropyGrad(logits, labels, smoothing),
                  [&](const Tensor &t) { return softmaxCrossEntropy(t, labels, smoothing); });
  for (const PointwiseFunction &f :
       {PointwiseFunction{Pointwise::Mean}, PointwiseFunction{Pointwise::Binary},
        PointwiseFunction{Pointwise::Focal, 2, 0.25}, PointwiseFunction{Pointwise::Focal, 0.5, 0.5},
        PointwiseFunction{Pointwise::Focal, 0, 0.75}, PointwiseFunction{Pointwise::Squared},
        PointwiseFunction{Pointwise::Absolute}, PointwiseFunction{Pointwise::SmoothL1, 0.7}})
    checkGradient("pointwise " + std::to_string(int(f.kind)), logits, one,
                  pointwiseLossGrad(f, logits, &targets),
                  [&](const Tensor &t) { return pointwiseLoss(f, t, &targets); });
}
