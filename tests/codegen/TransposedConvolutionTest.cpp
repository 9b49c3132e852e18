// Transposed convolutions: every attribute, what passes put into their epilogues, and training.
#include "tests/codegen/Check.h"

using namespace vernier;
using namespace vernier::tests;

namespace {

std::string describe(const Map &x, const Convolution &o) {
  std::string text = "transposed";
  for (int64_t value : {x.h, x.w, x.c, o.channels, o.groups})
    text += " " + std::to_string(value);
  for (const auto &[letter, pair] :
       {std::pair{'k', o.kernel}, {'s', o.strides}, {'d', o.dilations}, {'o', o.outputPadding}})
    text += std::string(" ") + letter + std::to_string(pair[0]) + "x" + std::to_string(pair[1]);
  text += " p";
  for (int64_t p : o.padding)
    text += std::to_string(p) + ",";
  return text + (o.bias ? " bias" : "");
}

// At random, with something left of the result.
Convolution randomConvolution(Choice &choose, const Map &x, int64_t channels, int64_t groups) {
  Convolution o{.channels = channels, .groups = groups, .bias = choose.yes()};
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t size = axis ? x.w : x.h;
    o.strides[axis] = choose.in(1, 3);
    o.kernel[axis] = choose.in(1, 5);
    o.dilations[axis] = choose.in(1, 3);
    o.outputPadding[axis] = choose.in(0, std::max(o.strides[axis], o.dilations[axis]) - 1);
    int64_t &before = o.padding[2 * axis], &after = o.padding[2 * axis + 1];
    before = choose.in(0, 2);
    after = choose.in(0, 3);
    while ((size - 1) * o.strides[axis] - before - after + o.dilations[axis] * (o.kernel[axis] - 1) +
               o.outputPadding[axis] <
           0)
      ++o.kernel[axis];
  }
  return o;
}

Network dense(unsigned seed, int count) {
  Choice choose(seed);
  Network net(choose.in(1, 3), 8, 17, 72);
  for (int i = 0; i < count; ++i) {
    const Map x = net.part(choose.in(1, 8), choose.in(1, 17), choose.in(1, 70), choose.yes(), unsigned(i));
    const Convolution o = randomConvolution(choose, x, choose.in(1, 70), 1);
    net.output(net.transposedConvolution(x, o), describe(x, o));
  }
  return net;
}

// Channels per group in and out, groups; those of one size up to half of a vector have a kernel of their own.
const std::vector<std::array<int64_t, 3>> kGroups = {{1, 1, 3}, {1, 1, 37}, {2, 2, 8}, {4, 4, 9},
                                                     {8, 8, 2}, {3, 3, 21}, {1, 2, 9}, {4, 2, 6},
                                                     {2, 6, 4}, {17, 20, 3}};

Network grouped(unsigned seed) {
  Choice choose(seed);
  Network net(choose.in(1, 3), 7, 9, 72);
  for (const auto &[inputs, outputs, count] : kGroups) {
    const Map x =
        net.part(choose.in(2, 7), choose.in(2, 9), inputs * count, choose.yes(), unsigned(inputs + count));
    const Convolution o = randomConvolution(choose, x, outputs * count, count);
    net.output(net.transposedConvolution(x, o), describe(x, o));
  }
  return net;
}

// What networks use: doubling with a kernel of 4 or 2, fourfold, a stride of 1 that Winograd's algorithm
// takes over, a 1x1 one with and without a stride.
const std::vector<Convolution> kUsual = {
    {.channels = 20, .kernel = {4, 4}, .strides = {2, 2}, .padding = {1, 1, 1, 1}},
    {.channels = 20, .kernel = {2, 2}, .strides = {2, 2}},
    {.channels = 20, .kernel = {8, 8}, .strides = {4, 4}, .padding = {2, 2, 2, 2}},
    {.channels = 20, .padding = {1, 1, 1, 1}},
    {.channels = 20, .strides = {2, 2}, .padding = {1, 1, 1, 1}, .outputPadding = {1, 1}},
    {.channels = 20, .kernel = {1, 1}},
    {.channels = 20, .kernel = {1, 1}, .strides = {2, 2}, .outputPadding = {1, 1}},
    {.channels = 24, .kernel = {4, 4}, .strides = {2, 2}, .padding = {1, 1, 1, 1}, .groups = 24}};

} // namespace

BOOST_AUTO_TEST_SUITE(transposed_convolution)

BOOST_AUTO_TEST_CASE(every_attribute_at_random) {
  for (unsigned seed : {1u, 2u})
    checkNetwork(dense(seed, 8), {.seed = seed}, kOneOp);
}

BOOST_AUTO_TEST_CASE(groups) {
  for (const std::string &target : runningTargets({"avx512", "avx2", "sse"}))
    checkNetwork(grouped(3), {.target = target}, kOneOp);
}

BOOST_AUTO_TEST_CASE(bfloat16) {
  checkBFloat16(dense(4, 5), 1);
  checkBFloat16(grouped(5), 1);
}

// Batch norm, bias, additions of maps of the result's size and of smaller ones, an activation.
BOOST_AUTO_TEST_CASE(epilogues) {
  Network net(2, 16, 24, 40);
  int combination = 0;
  for (const Convolution &usual : kUsual)
    for (const char *activation : {"none", "relu", "sigmoid"})
      for (const bool residual : {false, true}) {
        Convolution o = usual;
        const bool norm = combination % 3 > 0, sliced = combination % 2;
        o.bias = combination++ % 4 < 2;
        Map y = net.transposedConvolution(net.part(4, 6, 24, sliced), o);
        std::string text = describe(net.image(), o) + " " + activation;
        if (norm) {
          y = net.batchNorm(y);
          text += " norm";
        }
        if (residual && y.h % 2 == 0) {
          const Map other = combination % 4 < 2
                                ? net.resize(net.part(y.h / 2, y.w / 2, y.c, sliced, 3), y.h, y.w, "nearest")
                                : net.part(y.h, y.w, y.c, sliced, 3);
          y = combination % 5 ? net.add(y, other) : net.add(other, y);
          text += sliced ? " residual slice" : " residual";
        }
        if (activation != std::string("none"))
          y = net.activate(y, activation);
        net.output(y, text);
      }
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

// The gradient of the input and of all parameters; a batch norm behind takes its sums from the kernel, where
// one kernel writes the map.
BOOST_AUTO_TEST_CASE(training) {
  Choice choose(6);
  Network net(3, 6, 8, 40);
  std::vector<Map> results;
  const auto trained = [&](int64_t h, int64_t w, int64_t c, unsigned seed) {
    return net.convolution(net.part(h, w, 3, false, seed), {.channels = c, .kernel = {1, 1}, .bias = true});
  };
  // Output padding of a stride or more, too.
  results.push_back(net.transposedConvolution(
      trained(3, 4, 5, 0), {.channels = 6, .kernel = {2, 3}, .dilations = {3, 2}, .outputPadding = {2, 1}}));
  for (int i = 0; i < 5; ++i) {
    const Map x = trained(choose.in(1, 3), choose.in(1, 4), choose.in(1, 20), unsigned(i));
    results.push_back(net.transposedConvolution(x, randomConvolution(choose, x, choose.in(1, 20), 1)));
  }
  for (const auto &[inputs, outputs, count] : {kGroups[0], kGroups[2], kGroups[6]}) {
    const Map x = trained(2, 3, inputs * count, unsigned(count));
    results.push_back(net.transposedConvolution(x, randomConvolution(choose, x, outputs * count, count)));
  }
  for (const Convolution &usual : {kUsual[0], kUsual[3]})
    results.push_back(
        net.activate(net.batchNorm(net.transposedConvolution(trained(3, 4, 9, 7), usual)), "relu"));
  net.outputLogits(results, 5);
  checkNetwork(net, {.train = true}, kOneOp);
}

BOOST_AUTO_TEST_SUITE_END()
