// Forward kernels of the oracle: values worked out by hand, and laws between kernels.
#define BOOST_TEST_MODULE Kernels
#include "tests/unit/FiniteDifferences.h"

#include "compiler/interpreter/Kernels.h"

using namespace vernier::interpreter;
using namespace vernier::interpreter::testing;
namespace tt = boost::test_tools;

namespace {

Tensor make(std::vector<int64_t> shape, std::vector<double> values) {
  Tensor t(std::move(shape));
  BOOST_TEST_REQUIRE(t.data.size() == values.size());
  t.data = std::move(values);
  return t;
}

void checkValues(const Tensor &t, const std::vector<double> &expected) {
  BOOST_TEST(t.data == expected, tt::tolerance(1e-12) << tt::per_element());
}

// The definition, one sum per result element.
Tensor plainConvolution(const Tensor &x, const Tensor &w, const ConvolutionGeometry &g,
                        std::vector<int64_t> shape) {
  Tensor y(std::move(shape));
  int64_t inputs = w.shape[1], perGroup = w.shape[0] / g.groups;
  for (int64_t n = 0; n < y.batch(); ++n)
    for (int64_t oy = 0; oy < y.height(); ++oy)
      for (int64_t ox = 0; ox < y.width(); ++ox)
        for (int64_t o = 0; o < y.channels(); ++o)
          for (int64_t i = 0; i < inputs; ++i)
            for (int64_t kh = 0; kh < w.shape[2]; ++kh)
              for (int64_t kw = 0; kw < w.shape[3]; ++kw) {
                int64_t iy = oy * g.stride[0] - g.padding[0] + kh * g.dilation[0];
                int64_t ix = ox * g.stride[1] - g.padding[2] + kw * g.dilation[1];
                if (iy >= 0 && iy < x.height() && ix >= 0 && ix < x.width())
                  y.pixel(n, oy, ox)[o] += x.pixel(n, iy, ix)[o / perGroup * inputs + i] *
                                           w[((o * inputs + i) * w.shape[2] + kh) * w.shape[3] + kw];
              }
  return y;
}

} // namespace

BOOST_AUTO_TEST_CASE(convolution_is_its_definition) {
  struct Case {
    std::vector<int64_t> x, w, y;
    ConvolutionGeometry g;
  } cases[] = {
      {{2, 5, 7, 3}, {18, 3, 3, 3}, {2, 5, 7, 18}, {{1, 1}, {1, 1, 1, 1}, {1, 1}, 1}},
      {{1, 11, 9, 3}, {2, 3, 7, 7}, {1, 6, 5, 2}, {{2, 2}, {3, 3, 3, 3}, {1, 1}, 1}},
      {{1, 9, 10, 4}, {6, 2, 3, 3}, {1, 4, 6, 6}, {{2, 2}, {0, 2, 3, 3}, {2, 2}, 2}},
      {{1, 8, 9, 5}, {5, 1, 3, 3}, {1, 8, 9, 5}, {{1, 1}, {1, 1, 1, 1}, {1, 1}, 5}},
  };
  for (const Case &c : cases) {
    Tensor x = randomTensor(c.x, 1), w = randomTensor(c.w, 2), y = convolution(x, w, nullptr, c.g);
    BOOST_TEST_REQUIRE(y.shape == c.y);
    checkValues(y, plainConvolution(x, w, c.g, c.y).data);
  }
}

BOOST_AUTO_TEST_CASE(pooling_counts_what_it_is_told) {
  Tensor x = make({1, 1, 3, 1}, {1, 2, 4});
  PoolGeometry g{{1, 2}, {1, 2}, {0, 0, 1, 0}, false, true};
  checkValues(avgPool(x, g), {0.5, 3});
  g.countPadding = false;
  checkValues(avgPool(x, g), {1, 3});
  checkValues(maxPool(x, g), {1, 4});
}

// PyTorch: in ceil mode the last window may stand over the edge, but not start beyond it, and what it lacks
// beyond the padding isn't counted.
BOOST_AUTO_TEST_CASE(pooling_ceil) {
  Tensor x = make({1, 1, 5, 1}, {1, 2, 3, 4, 6});
  PoolGeometry g{{1, 2}, {1, 2}, {0, 0, 0, 0}, true, true};
  checkValues(avgPool(x, g), {1.5, 3.5, 6});
  Tensor y = make({1, 1, 4, 1}, {1, 2, 3, 4});
  g = {{1, 1}, {1, 4}, {0, 0, 0, 0}, true, true};
  checkValues(maxPool(y, g), {1}); // a second window would start at 4
}

BOOST_AUTO_TEST_CASE(resize_conventions) {
  Tensor x = make({1, 1, 2, 1}, {0, 4});
  checkValues(resize(x, 1, 5, ResizeMode::Nearest, false), {0, 0, 0, 4, 4});
  checkValues(resize(x, 1, 4, ResizeMode::Bilinear, false), {0, 1, 3, 4});
  checkValues(resize(x, 1, 5, ResizeMode::Bilinear, true), {0, 1, 2, 3, 4});
  Tensor wide = make({1, 1, 4, 1}, {0, 1, 2, 3});
  checkValues(resize(wide, 1, 2, ResizeMode::Bilinear, false), {0.5, 2.5});
}

// A per-channel affine map commutes with resizing, since the weights of a resized pixel sum to one: what lets
// batch norm be folded through a resize.
BOOST_AUTO_TEST_CASE(resize_commutes_with_affine) {
  Tensor x = randomTensor({2, 3, 4, 3}, 1), scale = randomTensor({3}, 2), shift = randomTensor({3}, 3);
  for (bool corners : {false, true})
    checkValues(affine(resize(x, 7, 9, ResizeMode::Bilinear, corners), scale, shift),
                resize(affine(x, scale, shift), 7, 9, ResizeMode::Bilinear, corners).data);
}

BOOST_AUTO_TEST_CASE(pad_and_crop) {
  Tensor x = make({1, 2, 2, 1}, {1, 2, 3, 4});
  checkValues(pad(x, {1, 0, 0, 1}, true), {1, 2, 2, 1, 2, 2, 3, 4, 4});
  checkValues(pad(x, {1, 0, 0, 1}, false), {0, 0, 0, 1, 2, 0, 3, 4, 0});
  checkValues(crop(pad(x, {1, 0, 0, 1}, false), 1, 0, 2, 2), x.data);
}

BOOST_AUTO_TEST_CASE(folding_is_batch_norm) {
  Tensor x = randomTensor({2, 4, 5, 3}, 1), w = randomTensor({6, 3, 3, 3}, 2), b = randomTensor({6}, 3);
  Tensor gamma = randomTensor({6}, 4), beta = randomTensor({6}, 5), mean = randomTensor({6}, 6),
         var({6}, 0.7);
  ConvolutionGeometry g{{1, 1}, {1, 1, 1, 1}, {1, 1}, 1};
  for (const Tensor *bias : {static_cast<const Tensor *>(nullptr), static_cast<const Tensor *>(&b)}) {
    Tensor foldedBias = foldBias(gamma, beta, mean, var, bias, 1e-5);
    checkValues(convolution(x, foldWeight(w, gamma, var, 1e-5), &foldedBias, g),
                batchNorm(convolution(x, w, bias, g), gamma, beta, mean, var, 1e-5).data);
  }
}

BOOST_AUTO_TEST_CASE(running_statistics) {
  Tensor mean({1}, 1.0), var({1}, 2.0);
  updateRunning(mean, var, Tensor({1}, 3.0), Tensor({1}, 4.0), 0.25, 5);
  checkValues(mean, {1.5});
  checkValues(var, {0.75 * 2 + 0.25 * 5});
}

BOOST_AUTO_TEST_CASE(losses) {
  Tensor logits = make({1, 2}, {1000, 1000}), label({1});
  checkValues(softmaxCrossEntropy(logits, label, 0.3), {std::log(2.0)});
  logits.data = {std::log(3.0), 0};
  checkValues(softmaxCrossEntropy(logits, label, 0.0), {std::log(4.0 / 3.0)});
  checkValues(softmaxCrossEntropy(logits, label, 0.2), {0.9 * std::log(4.0 / 3.0) + 0.1 * std::log(4.0)});
  logits.data = {-800, 800};
  checkValues(binaryCrossEntropy(logits, make({1, 2}, {0, 0.5})), {0.5 * 0.5 * 800});
}
