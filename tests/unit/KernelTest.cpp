// Forward kernels of the oracle: values worked out by hand, and laws between kernels.
#define BOOST_TEST_MODULE Kernels
#include "tests/unit/FiniteDifferences.h"

#include "compiler/interpreter/Kernels.h"
#include "dsl/Sampling.h"

#include <cmath>
#include <numeric>

using namespace vernier::interpreter;
namespace dsl = vernier::dsl;
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

// Two pixels, three taps, two apart: their windows meet in the middle. Padding cuts the first column, output
// padding adds one that no window reaches.
BOOST_AUTO_TEST_CASE(transposed_convolution_by_hand) {
  Tensor x = make({1, 1, 2, 1}, {2, 3}), w = make({1, 1, 1, 3}, {1, 10, 100});
  checkValues(transposedConvolution(x, w, nullptr, nullptr, {{1, 2}}, {0, 0}), {2, 20, 203, 30, 300});
  Tensor scale = make({1}, {2}), bias = make({1}, {0.5});
  checkValues(transposedConvolution(x, w, &scale, &bias, {{1, 2}, {0, 0, 1, 0}}, {0, 1}),
              {40.5, 406.5, 60.5, 600.5, 0.5});
}

// In x out/groups x KH x KW, as PyTorch has the weights: input channel i of group g adds to the outputs of g.
BOOST_AUTO_TEST_CASE(transposed_convolution_in_groups) {
  Tensor x = make({1, 1, 1, 4}, {1, 2, 3, 4}), w = make({4, 2, 1, 1}, {1, 2, 3, 4, 5, 6, 7, 8});
  checkValues(transposedConvolution(x, w, nullptr, nullptr, {{1, 1}, {0, 0, 0, 0}, {1, 1}, 2}, {0, 0}),
              {1 * 1 + 2 * 3, 1 * 2 + 2 * 4, 3 * 5 + 4 * 7, 3 * 6 + 4 * 8});
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

// Values of torch 2.15's avg_pool2d with ceil_mode and count_include_pad: positions beyond the padding never
// count.
BOOST_AUTO_TEST_CASE(averages_of_padding_and_what_lies_beyond) {
  struct Case {
    int64_t kernel, stride, padding;
    std::vector<double> counted, uncounted;
  };
  const Tensor x = make({1, 1, 6, 1}, {1, 2, 3, 4, 6, 8});
  for (const Case &c :
       {Case{3, 2, 1, {1, 3, 6, 4}, {1.5, 3, 6, 8}}, Case{4, 3, 1, {1.5, 5.25, 4}, {2, 5.25, 8}},
        Case{4, 3, 2, {0.75, 3.75, 3.5}, {1.5, 3.75, 7}}, Case{2, 3, 1, {0.5, 3.5, 4}, {1, 3.5, 8}},
        Case{4, 4, 1, {1.5, 4.5}, {2, 6}}}) {
    PoolGeometry g{{1, c.kernel}, {1, c.stride}, {0, 0, c.padding, c.padding}, true, true};
    checkValues(avgPool(x, g), c.counted);
    g.countPadding = false;
    checkValues(avgPool(x, g), c.uncounted);
  }
}

BOOST_AUTO_TEST_CASE(resize_conventions) {
  Tensor x = make({1, 1, 2, 1}, {0, 4});
  checkValues(resize(x, 1, 5, ResizeMode::Nearest, false), {0, 0, 0, 4, 4});
  checkValues(resize(x, 1, 4, ResizeMode::Bilinear, false), {0, 1, 3, 4});
  checkValues(resize(x, 1, 5, ResizeMode::Bilinear, true), {0, 1, 2, 3, 4});
  Tensor wide = make({1, 1, 4, 1}, {0, 1, 2, 3});
  checkValues(resize(wide, 1, 2, ResizeMode::Bilinear, false), {0.5, 2.5});
}

namespace {

// PyTorch's nearest_idx (aten/src/ATen/native/UpSample.h), word for word in its order of roundings.
int64_t pytorchNearest(int64_t i, int64_t in, int64_t out, double scale) {
  if (out == in)
    return i;
  if (out == 2 * in)
    return i >> 1;
  volatile float step = scale > 0 ? float(1.0 / scale) : float(in) / float(out);
  volatile float position = float(i) * step;
  return std::min<int64_t>(int64_t(std::floor(position)), in - 1);
}

std::vector<double> counting(int64_t n) {
  std::vector<double> values(n);
  std::iota(values.begin(), values.end(), 0.0);
  return values;
}

} // namespace

BOOST_AUTO_TEST_CASE(nearest_takes_pytorchs_pixel_for_every_pair_of_sizes) {
  std::vector<std::pair<int64_t, int64_t>> inexact; // pairs of which exact arithmetic takes other pixels
  for (int64_t in = 1; in <= 64; ++in) {
    const Tensor x = make({1, 1, in, 1}, counting(in));
    for (int64_t out = 1; out <= 64; ++out) {
      std::vector<double> expected;
      bool exact = true;
      for (int64_t i = 0; i < out; ++i) {
        expected.push_back(double(pytorchNearest(i, in, out, 0)));
        exact &= int64_t(expected.back()) == i * in / out;
        BOOST_REQUIRE(dsl::nearestSource(i, in, out, 0) == int64_t(expected.back()));
      }
      if (!exact)
        inexact.emplace_back(in, out);
      BOOST_REQUIRE(resize(x, 1, out, ResizeMode::Nearest, false).data == expected);
      BOOST_REQUIRE(dsl::repeatsEqually(in, out, 0) == (out % in == 0));
      const double scale = (double(out) + 0.5) / double(in);
      std::vector<double> scaled;
      for (int64_t i = 0; i < out; ++i)
        scaled.push_back(double(pytorchNearest(i, in, out, scale)));
      BOOST_REQUIRE(resize(x, 1, out, ResizeMode::Nearest, false, scale).data == scaled);
    }
  }
  const std::vector<std::pair<int64_t, int64_t>> known = {{14, 46}, {26, 22}, {26, 44}, {28, 46}, {30, 58},
                                                          {39, 33}, {52, 22}, {52, 44}, {54, 38}, {56, 46},
                                                          {58, 54}, {60, 58}, {62, 14}, {62, 28}, {62, 56}};
  BOOST_TEST((inexact == known));
}

// Beyond 64 a whole factor does not repeat equally: 2 to 82 is 42 and 40.
BOOST_AUTO_TEST_CASE(nearest_by_a_whole_factor_may_repeat_unequally) {
  const Tensor y = resize(make({1, 1, 2, 1}, {0, 1}), 1, 82, ResizeMode::Nearest, false);
  BOOST_TEST(std::accumulate(y.data.begin(), y.data.end(), 0.0) == 40);
  BOOST_TEST(!dsl::repeatsEqually(2, 82, 0));
  BOOST_TEST(dsl::repeatsEqually(2, 80, 0));
  BOOST_TEST(dsl::repeatsEqually(10, 20, 2.05)); // doubling repeats, whatever the factor
  BOOST_TEST(!dsl::repeatsEqually(10, 30, 3.05));
}

// By a factor a step is its reciprocal, not the quotient of the sizes. Values of torch 2.15's interpolate.
BOOST_AUTO_TEST_CASE(resize_by_a_factor) {
  const Tensor x = make({1, 1, 14, 1}, counting(14));
  checkValues(resize(x, 1, 10, ResizeMode::Nearest, false, 0.75), {0, 1, 2, 4, 5, 6, 8, 9, 10, 12});
  std::vector<double> expected;
  for (int64_t i = 0; i < 10; ++i)
    expected.push_back((double(i) + 0.5) / 0.75 - 0.5);
  checkValues(resize(x, 1, 10, ResizeMode::Bilinear, false, 0.75), expected);
  checkValues(resize(x, 1, 14, ResizeMode::Bilinear, false, 1.05), x.data); // a size that stays is copied
  checkValues(resize(x, 1, 14, ResizeMode::Nearest, false, 1.05), x.data);
  const Tensor small = make({1, 1, 3, 1}, {0, 1, 2}); // the last position lies beyond the last pixel
  checkValues(resize(small, 1, 7, ResizeMode::Bilinear, false, 2.5), {0, 0.1, 0.5, 0.9, 1.3, 1.7, 2});
}

// Numbers that PyTorch computes, by adaptive_avg_pool2d and by interpolate.
BOOST_AUTO_TEST_CASE(resampling_conventions) {
  using enum dsl::Resampling;
  const Tensor x = make({1, 1, 5, 1}, {0, 1, 4, 9, 16});
  const auto values = [&](int64_t width, dsl::Resampling kind, bool alignCorners = false, double scale = 0) {
    std::vector<double> rounded = resample(x, 1, width, kind, alignCorners, scale).data;
    for (double &value : rounded)
      value = std::round(value * 1e9) / 1e9 + 0.0; // no negative zero
    return rounded;
  };
  using Values = std::vector<double>;
  BOOST_TEST(values(3, AdaptiveAverage) == (Values{0.5, 4.666666667, 12.5}));
  BOOST_TEST(values(2, AdaptiveAverage) == (Values{1.666666667, 9.666666667}));
  BOOST_TEST(values(3, NearestExact) == (Values{0, 4, 16}));
  BOOST_TEST(values(8, NearestExact) == (Values{0, 0, 1, 4, 4, 9, 16, 16}));
  BOOST_TEST(values(3, Bicubic) == (Values{0.148148148, 4, 14.074074074}));
  BOOST_TEST(values(8, Bicubic) == (Values{-0.092834473, 0.187561035, 1.176513672, 2.619384766, 5.441650391,
                                           8.471435547, 13.395080566, 16.649841309}));
  BOOST_TEST(values(7, Bicubic, true) ==
             (Values{0, 0.351851852, 1.777777778, 4, 6.814814815, 11.759259259, 16}));
  BOOST_TEST(values(1, Bicubic, true) == (Values{0}));
  BOOST_TEST(values(7, Bicubic, false, 1.5) ==
             (Values{-0.086805556, 0.21875, 1.430555556, 3.152777778, 6.125, 10.438657407, 15.082175926}));
  BOOST_TEST(values(2, BilinearAntialias) == (Values{1.727272727, 9.727272727}));
  BOOST_TEST(values(3, BilinearAntialias) == (Values{0.428571429, 4.444444444, 13}));
  BOOST_TEST(values(8, BilinearAntialias) ==
             (Values{0, 0.4375, 1.1875, 3.0625, 5.5625, 8.6875, 12.9375, 16}));
  BOOST_TEST(values(2, BicubicAntialias) == (Values{1.135135135, 10.280910832}));
  BOOST_TEST(values(3, BicubicAntialias) == (Values{0.169230769, 4.195348837, 13.338461538}));
  for (dsl::Resampling kind : {AdaptiveAverage, NearestExact, Bicubic, BilinearAntialias, BicubicAntialias})
    BOOST_TEST(values(5, kind, false, 1.1) == x.data); // a size that stays is copied
  const Tensor y = make({1, 3, 4, 1}, {0, 1, 4, 9, 3, -2, 5, 7, 8, 6, -1, 2});
  checkValues(resample(y, 2, 3, AdaptiveAverage), {0.5, 2, 6.25, 3.75, 2, 3.25});
}

// What kernels are made of says the same as these kernels do from the definition.
BOOST_AUTO_TEST_CASE(runs_of_resampling) {
  using enum dsl::Resampling;
  for (dsl::Resampling kind : {AdaptiveAverage, NearestExact, Bicubic, BilinearAntialias, BicubicAntialias})
    for (int64_t in = 1; in <= 24; ++in)
      for (int64_t out = 1; out <= 24; ++out)
        for (const bool byScale : {false, true}) {
          const double scale = byScale ? (double(out) + 0.4) / double(in) : 0;
          const bool corners = kind == Bicubic && !byScale && out % 2 == 0;
          const dsl::ResamplingAxis axis{kind, in, out, corners, scale};
          const auto runs = dsl::resamplingRuns(axis, false), readers = dsl::resamplingRuns(axis, true);
          std::vector<double> forward(in * out), backward = forward, expected(in * out);
          for (int64_t o = 0; o < out; ++o)
            for (size_t k = 0; k < runs[o].weights.size(); ++k)
              forward[o * in + runs[o].begin + int64_t(k)] = runs[o].weights[k];
          for (int64_t i = 0; i < in; ++i)
            for (size_t k = 0; k < readers[i].weights.size(); ++k)
              backward[(readers[i].begin + int64_t(k)) * in + i] = readers[i].weights[k];
          BOOST_REQUIRE(forward == backward);
          for (int64_t i = 0; i < in; ++i) {
            Tensor one({1, 1, in, 1});
            one[i] = 1;
            const Tensor column = resample(one, 1, out, kind, corners, scale);
            for (int64_t o = 0; o < out; ++o)
              expected[o * in + i] = column[o];
          }
          for (size_t i = 0; i < forward.size(); ++i)
            BOOST_REQUIRE_SMALL(forward[i] - expected[i], 1e-12);
        }
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

// Each pixel by itself: 1, 3 and 5 have the mean 3 and the variance 8 / 3.
BOOST_AUTO_TEST_CASE(layer_norms) {
  const Tensor x = make({1, 1, 2, 3}, {1, 3, 5, 7, 7, 7}), gamma = make({3}, {1, 10, 2}),
               beta = make({3}, {0, 1, -1});
  const double one = 2 / std::sqrt(8.0 / 3 + 1e-3);
  checkValues(layerNorm(x, gamma, beta, 1e-3), {-one, 1, 2 * one - 1, 0, 1, -1});
  checkValues(scaleChannels(x, gamma), {1, 30, 10, 7, 70, 14});
  checkValues(scaleParameter(make({3, 2}, {1, 2, 3, 4, 5, 6}), gamma), {1, 2, 30, 40, 10, 12});
  checkValues(channelDot(x, x), {50, 58, 74});
}

// Each group of an image by itself: 1, 3, 3 and 5 have the mean 3 and the variance 2.
BOOST_AUTO_TEST_CASE(group_norms) {
  const Tensor x = make({2, 1, 2, 3}, {1, 3, 7, 3, 5, 9, 2, 2, 4, 2, 2, 6}), gamma = make({3}, {1, 10, 2}),
               beta = make({3}, {0, 1, -1});
  const double one = 2 / std::sqrt(2 + 1e-3), whole = 1 / std::sqrt(1 + 1e-3);
  const Tensor each = groupNorm(x, gamma, beta, 3, 1e-3);
  BOOST_TEST(each[0] == -whole);
  BOOST_TEST(each[2] == -2 * whole - 1);
  BOOST_TEST(each[8] == -2 * whole - 1);
  BOOST_TEST(each[7] == 1); // both are alike
  const Tensor pairs = make({1, 1, 2, 4}, {1, 3, 7, 7, 3, 5, 7, 7});
  checkValues(groupNorm(pairs, make({4}, {1, 1, 3, 3}), make({4}, {0, 0, 5, 6}), 2, 1e-3),
              {-one, 0, 5, 6, 0, one, 5, 6});
}

BOOST_AUTO_TEST_CASE(learned_slopes) {
  const Tensor x = make({1, 1, 2, 2}, {1, -2, -3, 0});
  checkValues(prelu(x, make({2}, {0.5, -1})), {1, 2, -1.5, 0});
  checkValues(prelu(x, make({1}, {0.25})), {1, -0.5, -0.75, 0});
}

BOOST_AUTO_TEST_CASE(parameters_as_maps) {
  const Tensor map = parameterMap(make({2}, {3, -1}), 2);
  BOOST_TEST((map.shape == std::vector<int64_t>{2, 1, 1, 2}));
  checkValues(map, {3, -1, 3, -1});
  // One number for each image.
  checkValues(multiply(make({2, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), make({2, 1, 1, 1}, {2, -1})),
              {2, 4, 6, 8, -5, -6, -7, -8});
}

BOOST_AUTO_TEST_CASE(softmaxes) {
  const double third = 1 / (1 + std::exp(1.0)), rest = 1 - third;
  const Tensor x = make({1, 1, 2, 4}, {700, 701, 700, 701, 3, 3, 4, 2});
  const Tensor all = softmax(x, 4);
  checkValues(make({4}, {all[0], all[1], all[2], all[3]}), {third / 2, rest / 2, third / 2, rest / 2});
  checkValues(softmax(x, 2), {0.5, 0.5, 0.5, 0.5, third, rest, rest, third});
  checkValues(softmax(x, 1), std::vector<double>(8, 1));
  checkValues(softmax(make({1, 1, 1, 3}, {-2000, 0, 0}), 3, /*log=*/true),
              {-2000 - std::log(2.0), -std::log(2.0), -std::log(2.0)});
  checkValues(softmax(x, 1, /*log=*/true), std::vector<double>(8, 0));
  checkValues(spatialSoftmax(make({1, 2, 1, 2}, {5, 1, 5, 2})), {0.5, third, 0.5, rest});
}

// Of matrices of 2x3 and 3x2, in all layouts.
BOOST_AUTO_TEST_CASE(products_of_maps) {
  const Tensor a = make({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6}), b = make({1, 3, 1, 2}, {1, 0, 2, 1, 0, -1}),
               aT = make({1, 3, 1, 2}, {1, 4, 2, 5, 3, 6}), bT = make({1, 1, 2, 3}, {1, 2, 0, 0, 1, -1});
  const std::vector<double> expected = {5, -1, 14, -1};
  const std::vector<int64_t> shape = {1, 1, 2, 2};
  checkValues(matmul(a, b, false, false, shape), expected);
  checkValues(matmul(a, bT, false, true, shape), expected);
  checkValues(matmul(aT, b, true, false, shape), expected);
  checkValues(matmul(aT, bT, true, true, shape), expected);
}

BOOST_AUTO_TEST_CASE(squares_of_pixels) {
  const Tensor x = make({1, 1, 2, 8}, {0, 1, 2, 3, 10, 11, 12, 13, 4, 5, 6, 7, 14, 15, 16, 17});
  const std::vector<double> expected = {0, 10, 1, 11, 4, 14, 5, 15, 2, 12, 3, 13, 6, 16, 7, 17};
  const Tensor y = pixelShuffle(x, 2);
  BOOST_TEST((y.shape == std::vector<int64_t>{1, 2, 4, 2}));
  checkValues(y, expected);
  checkValues(pixelUnshuffle(y, 2), x.data);
}

BOOST_AUTO_TEST_CASE(reductions_over_channels) {
  const Tensor x = make({1, 1, 2, 3}, {1, -3, 5, -7, -7, -8});
  checkValues(reduceChannels(x, ChannelReduction::Sum), {3, -22});
  checkValues(reduceChannels(x, ChannelReduction::Mean), {1, -22.0 / 3});
  checkValues(reduceChannels(x, ChannelReduction::Max), {5, -7});
  checkValues(pixelDot(x, x), {35, 162});
  // A branch that an allocation leaves without channels, before it is dropped.
  const Tensor none({1, 1, 2, 0});
  BOOST_TEST(reduceChannels(none, ChannelReduction::Max).data == std::vector<double>(2, -INFINITY),
             boost::test_tools::per_element());
  BOOST_TEST(multiply(none, reduceChannels(none, ChannelReduction::Sum)).size() == 0);
  const Tensor each = make({1, 1, 2, 1}, {2, -1});
  checkValues(broadcastChannels(each, 0.5, 3), {1, 1, 1, -0.5, -0.5, -0.5});
  checkValues(channelMaxGrad(x, reduceChannels(x, ChannelReduction::Max), each), {0, 0, 2, -1, 0, 0});
  checkValues(multiply(x, each), {2, -6, 10, 7, 7, 8});
  checkValues(subtract(x, each), {-1, -5, 3, -6, -6, -7});
}

// To the nearest of two neighbours, between them to the even one; subnormal numbers have fewer digits.
BOOST_AUTO_TEST_CASE(rounding_to_bfloat16) {
  const Tensor x =
      make({1, 1, 1, 12}, {1, 1 + 0x1p-8, 1 + 3 * 0x1p-8, -(1 + 0x1p-8 + 0x1p-40), 0x1.fdp0, 3.0e38,
                           -0x1.ffp127, 0x1p-134, 3 * 0x1p-134, 0x1p-133, -0.0, INFINITY});
  const Tensor y = roundToBFloat16(x);
  const std::vector<double> expected = {1,         1,   1 + 0x1p-6, -(1 + 0x1p-7), 0x1.fcp0, 0x1.c4p127,
                                        -INFINITY, 0.0, 0x1p-132,   0x1p-133,      -0.0,     INFINITY};
  for (size_t i = 0; i < expected.size(); ++i)
    BOOST_TEST(y.data[i] == expected[i], i << ": " << y.data[i]);
  BOOST_TEST(std::signbit(y.data[10]));
  BOOST_TEST(std::isnan(roundToBFloat16(make({1, 1, 1, 1}, {NAN})).data[0]));
  BOOST_TEST((roundToBFloat16(y).data == y.data));
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
  const Tensor halves = make({1, 2}, {0, 0.5});
  checkValues(pointwiseLoss({vernier::Pointwise::Binary}, logits, &halves), {0.5 * 0.5 * 800});
}

BOOST_AUTO_TEST_CASE(ignored_labels_do_not_count) {
  // Two pixels of two classes: as the mean over the one that counts; the mean of none is 0.
  const Tensor logits = make({1, 1, 2, 2}, {0, std::log(3.0), 5, -5});
  const Tensor one = make({1, 1, 2}, {1, 255}), none = make({1, 1, 2}, {255, 255});
  checkValues(softmaxCrossEntropy(logits, one, 0, 255), {std::log(4.0 / 3.0)});
  checkValues(softmaxCrossEntropyGrad(logits, one, 0, 255), {0.25, -0.25, 0, 0});
  checkValues(softmaxCrossEntropy(logits, none, 0, 255), {0});
  checkValues(softmaxCrossEntropyGrad(logits, none, 0, 255), {0, 0, 0, 0});
}

BOOST_AUTO_TEST_CASE(losses_of_single_elements) {
  const Tensor x = make({1, 2}, {0, 3}), t = make({1, 2}, {1, 1});
  checkValues(pointwiseLoss({vernier::Pointwise::Mean}, x, nullptr), {1.5});
  checkValues(pointwiseLoss({vernier::Pointwise::Squared}, x, &t), {2.5});
  checkValues(pointwiseLoss({vernier::Pointwise::Absolute}, x, &t), {1.5});
  checkValues(pointwiseLoss({vernier::Pointwise::SmoothL1, 2}, x, &t), {(0.25 + 1) / 2});
  // Of p = 1/2: share * p^2 * log 2.
  checkValues(pointwiseLoss({vernier::Pointwise::Focal, 2, 0.25}, make({1, 1}, {0}), &t),
              {0.25 * 0.25 * std::log(2.0)});
}
