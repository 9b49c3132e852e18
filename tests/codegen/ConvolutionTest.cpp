// Convolutions forward: every attribute, on small shapes around the borders of tiles, blocks and vectors.
#include "tests/codegen/Check.h"

using namespace vernier;
using namespace vernier::tests;

namespace {

std::string describe(const char *what, const Map &x, const Convolution &o) {
  std::string text = what;
  for (int64_t value : {x.h, x.w, x.c, o.channels, o.groups})
    text += " " + std::to_string(value);
  for (const auto &[letter, pair] : {std::pair{'k', o.kernel}, {'s', o.strides}, {'d', o.dilations}})
    text += std::string(" ") + letter + std::to_string(pair[0]) + "x" + std::to_string(pair[1]);
  text += " p";
  for (int64_t p : o.padding)
    text += std::to_string(p) + ",";
  return text + (o.bias ? " bias" : "");
}

// At random; the window fits into the padded map.
Convolution randomConvolution(Choice &choose, const Map &x, int64_t channels, int64_t groups) {
  Convolution o{.channels = channels, .groups = groups, .bias = choose.yes()};
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t size = axis ? x.w : x.h;
    o.strides[axis] = choose.in(1, 3);
    o.kernel[axis] = choose.in(1, 7);
    o.dilations[axis] = choose.in(1, 3);
    int64_t &before = o.padding[2 * axis], &after = o.padding[2 * axis + 1];
    before = choose.in(0, 3);
    after = choose.in(0, 3);
    const auto window = [&] { return o.dilations[axis] * (o.kernel[axis] - 1) + 1; };
    while (window() > size + before + after)
      if (o.dilations[axis] > 1)
        --o.dilations[axis];
      else
        --o.kernel[axis];
  }
  return o;
}

// Now and then the result is written into a slice of a concat.
void outputSomehow(Network &net, Choice &choose, const Map &y, const std::string &name) {
  if (choose.in(0, 2) > 0 || y.h > net.image().h || y.w > net.image().w)
    return net.output(y, name);
  const Map before = net.part(y.h, y.w, choose.in(1, 5), false, 3);
  net.output(net.concat({before, y}), name + " in a concat");
}

Network denseConvolutions(unsigned seed, int count) {
  Choice choose(seed);
  Network net(choose.in(1, 3), 12, 33, 72);
  for (int i = 0; i < count; ++i) {
    const Map x = net.part(choose.in(1, 12), choose.in(1, 33), choose.in(1, 70), choose.yes(), unsigned(i));
    const Convolution o = randomConvolution(choose, x, choose.in(1, 70), 1);
    outputSomehow(net, choose, net.convolution(x, o), describe("conv", x, o));
  }
  return net;
}

Network groupedConvolutions(unsigned seed) {
  Choice choose(seed);
  Network net(choose.in(1, 3), 10, 19, 72);
  // Channels per group in and out; up to half of a vector they have a kernel of their own.
  const std::vector<std::array<int64_t, 3>> groups = {
      {1, 1, 1}, {1, 1, 3},   {1, 1, 16}, {1, 1, 37},  {1, 1, 70}, {2, 2, 8}, {2, 2, 13}, {4, 4, 4},
      {4, 4, 9}, {8, 8, 2},   {8, 8, 5},  {16, 16, 2}, {3, 3, 5},  {5, 5, 3}, {1, 2, 9},  {4, 2, 6},
      {2, 6, 4}, {17, 20, 3}, {3, 3, 21}, {5, 5, 7},   {6, 6, 5},  {7, 7, 4}, {3, 3, 2},  {1, 4, 5},
      {4, 1, 7}, {8, 1, 3},   {2, 1, 19}, {3, 5, 4},   {8, 4, 3},  {1, 8, 5}, {2, 4, 8}};
  for (const auto &[inputs, outputs, count] : groups) {
    const Map x =
        net.part(choose.in(3, 10), choose.in(2, 19), inputs * count, choose.yes(), unsigned(inputs + count));
    const Convolution o = randomConvolution(choose, x, outputs * count, count);
    outputSomehow(net, choose, net.convolution(x, o), describe("grouped", x, o));
  }
  return net;
}

} // namespace

BOOST_AUTO_TEST_SUITE(convolution)

BOOST_AUTO_TEST_CASE(every_attribute_at_random) {
  for (unsigned seed : {1u, 2u})
    checkNetwork(denseConvolutions(seed, 8), {.seed = seed}, kOneOp);
}

BOOST_AUTO_TEST_CASE(groups) {
  for (const std::string &target : runningTargets({"avx512", "avx2", "sse"}))
    checkNetwork(groupedConvolutions(3), {.target = target}, kOneOp);
}

BOOST_AUTO_TEST_CASE(output_widths_around_tile_borders) {
  Choice choose(5);
  Network net(1, 4, 30, 24);
  for (int64_t width = 1; width <= 30; ++width) {
    const Map x = net.part(3, width, 3 + width % 4, choose.yes(), unsigned(width));
    const Convolution o{.channels = choose.of<int64_t>({1, 15, 16, 17, 33}), .padding = {1, 1, 1, 1}};
    net.output(net.convolution(x, o), describe("conv", x, o));
  }
  checkNetwork(net, {}, kOneOp);
}

BOOST_AUTO_TEST_CASE(pointwise_over_rows_and_images) {
  Choice choose(6);
  Network net(3, 9, 13, 70);
  bool bias = false;
  for (const auto &[h, w, c, channels] : std::vector<std::array<int64_t, 4>>{{1, 1, 1, 1},
                                                                             {1, 1, 70, 65},
                                                                             {1, 7, 3, 16},
                                                                             {3, 5, 16, 17},
                                                                             {9, 13, 70, 70},
                                                                             {9, 13, 8, 33},
                                                                             {5, 6, 5, 48}}) {
    const Map x = net.part(h, w, c, choose.yes());
    const Convolution o{.channels = channels, .kernel = {1, 1}, .bias = bias};
    outputSomehow(net, choose, net.convolution(x, o), describe("pointwise", x, o));
    bias = !bias;
  }
  // With strides or padding it is no run of pixels.
  const Map x = net.part(9, 13, 20, true);
  for (const Convolution &o :
       std::vector<Convolution>{{.channels = 19, .kernel = {1, 1}, .strides = {2, 2}},
                                {.channels = 19, .kernel = {1, 1}, .strides = {1, 2}},
                                {.channels = 19, .kernel = {1, 1}, .padding = {1, 0, 2, 1}},
                                {.channels = 20, .kernel = {1, 1}, .groups = 20},
                                {.channels = 20, .kernel = {1, 1}, .groups = 4}})
    net.output(net.convolution(x, o), describe("pointwise", x, o));
  checkNetwork(net, {}, kOneOp);
}

// Rows from beyond a second-level cache: blocks of four vectors, the last one narrower, and a short last
// tile.
BOOST_AUTO_TEST_CASE(pointwise_over_long_rows) {
  Network net(1, 65, 65, 5);
  const Convolution o{.channels = 80, .kernel = {1, 1}};
  net.output(net.activate(net.add(net.convolution(net.image(), o), net.convolution(net.image(), o)), "relu"),
             "pointwise");
  checkNetwork(net, {}, kOneOp);

  const auto blockOf = [](int64_t side) {
    const auto spec = codegen::convolutionForward(codegen::denseView(1, side, side, 16),
                                                  codegen::denseView(1, side, side, 64), {1, 1}, {1, 1},
                                                  {0, 0}, {1, 1}, 1, *codegen::makeTarget("avx512"));
    return spec.weights.block();
  };
  BOOST_TEST(blockOf(65) == 64);
  BOOST_TEST(blockOf(32) == 32);
}

// Tasks along the rows, and how many of them pass over all weights before the next ones do.
std::pair<int64_t, int64_t> rowGroups(int64_t side, int64_t inputs, int64_t outputs, int64_t kernel) {
  const int64_t around = kernel / 2;
  const auto spec = codegen::convolutionForward(
      codegen::denseView(1, side, side, inputs), codegen::denseView(1, side, side, outputs), {kernel, kernel},
      {1, 1}, {around, around}, {1, 1}, 1, *codegen::makeTarget("avx512"));
  return {spec.rowTasks(), spec.rowGroup};
}

BOOST_AUTO_TEST_CASE(rows_in_groups) {
  using Pair = std::pair<int64_t, int64_t>;
  // Weights that stay in a cache are passed over for each task, so that its inputs come but once.
  BOOST_TEST((rowGroups(56, 256, 64, 1) == Pair(28, 1)));
  BOOST_TEST((rowGroups(56, 64, 64, 3) == Pair(56, 1)));
  // Neither stays as a whole: the inputs in pieces that do.
  BOOST_TEST((rowGroups(26, 320, 448, 1) == Pair(9, 3)));
  BOOST_TEST((rowGroups(64, 128, 128, 5) == Pair(64, 16)));
  // Weights that are larger than the inputs: these pass over each block of them, and there are no groups.
  BOOST_TEST((rowGroups(48, 128, 128, 5) == Pair(48, 0)));
  BOOST_TEST((rowGroups(7, 512, 512, 3) == Pair(7, 0)));

  Network net(1, 26, 26, 320);
  net.output(net.convolution(net.image(), {.channels = 448, .kernel = {1, 1}}), "pointwise");
  checkNetwork(net, {}, kOneOp);
}

// Equal shapes, other attributes: kernels that differ in nothing but what their names must tell apart.
BOOST_AUTO_TEST_CASE(same_shapes_other_attributes) {
  Network net(2, 9, 9, 16);
  const Map x = net.image();
  for (int64_t groups : {1, 2, 4, 16})
    for (const Four &padding : {Four{2, 0, 2, 0}, Four{1, 1, 1, 1}, Four{0, 2, 0, 2}, Four{0, 2, 2, 0}}) {
      const Convolution o{.channels = 16, .padding = padding, .groups = groups};
      net.output(net.convolution(x, o), describe("conv", x, o));
    }
  for (const Convolution &o : std::vector<Convolution>{
           {.channels = 16, .padding = {2, 2, 2, 2}, .dilations = {2, 2}},
           {.channels = 16, .kernel = {5, 5}, .padding = {2, 2, 2, 2}},
           {.channels = 16, .kernel = {5, 3}, .padding = {2, 2, 2, 2}, .dilations = {1, 2}},
           {.channels = 16, .kernel = {3, 5}, .padding = {2, 2, 2, 2}, .dilations = {2, 1}},
           {.channels = 16, .kernel = {1, 1}},
           {.channels = 16, .kernel = {1, 1}, .bias = true}})
    net.output(net.convolution(x, o), describe("conv", x, o));
  checkNetwork(net, {}, kOneOp);
}

BOOST_AUTO_TEST_CASE(linear_layers) {
  for (int64_t batch : {1, 5}) {
    Network net(batch, 2, 2, 70);
    for (const auto &[c, features] :
         std::vector<std::array<int64_t, 2>>{{1, 1}, {3, 17}, {70, 10}, {16, 65}, {33, 100}})
      for (const bool slice : {false, true})
        net.output(net.linear(net.part(1, 1, c, slice), features, slice), "linear " + std::to_string(c) +
                                                                              " " + std::to_string(features) +
                                                                              (slice ? " of a slice" : ""));
    checkNetwork(net, {}, kOneOp);
  }
}

// Pairs of channels: odd numbers of them, slices that begin at odd ones, borders, groups.
BOOST_AUTO_TEST_CASE(bfloat16) {
  checkBFloat16(denseConvolutions(7, 5), 1);
  checkBFloat16(groupedConvolutions(8), 1);
  Network net(3, 4, 14, 21);
  for (int64_t c : {1, 2, 3, 4, 5, 16, 17}) {
    const Map x = net.slice(net.image(), c % 4, c);
    for (const Convolution &o :
         std::vector<Convolution>{{.channels = 17, .padding = {1, 1, 1, 1}},
                                  {.channels = 33, .kernel = {1, 1}},
                                  {.channels = 5, .kernel = {2, 5}, .strides = {1, 2}}})
      net.output(net.convolution(x, o), describe("conv", x, o));
    net.output(net.linear(net.maxPool(x, {.kernel = {4, 14}}), 19), "linear " + std::to_string(c));
  }
  checkBFloat16(net, 1);
}

// What the passes put into a convolution's epilogue: batch norm or bias, a residual, an activation.
BOOST_AUTO_TEST_CASE(epilogues) {
  Network net(2, 7, 9, 40);
  const std::vector<std::pair<const char *, Convolution>> kinds = {
      {"3x3", {.channels = 20, .padding = {1, 1, 1, 1}}},
      {"pointwise", {.channels = 20, .kernel = {1, 1}}},
      {"strided", {.channels = 20, .strides = {2, 2}, .padding = {1, 1, 1, 1}}},
      {"depthwise", {.channels = 24, .padding = {1, 1, 1, 1}, .groups = 24}}};
  int combination = 0;
  for (const auto &[name, kind] : kinds)
    for (const char *activation : {"none", "relu", "relu6", "sigmoid", "gelu"})
      for (const bool residual : {false, true}) {
        const bool norm = combination % 3 > 0, sliced = combination % 2;
        Convolution o = kind;
        o.bias = combination++ % 4 < 2;
        Map y = net.convolution(net.part(7, 9, 24, sliced), o);
        std::string text = std::string(name) + " " + activation + (o.bias ? " bias" : "");
        if (norm) {
          y = net.batchNorm(y);
          text += " norm";
        }
        if (residual) {
          const Map other = net.part(y.h, y.w, y.c, sliced, 3);
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

// Smaller maps, enlarged while they are added: in tiles that end with a result row and such that do not, by
// factors that divide a tile and such that do not.
BOOST_AUTO_TEST_CASE(enlarged_addends) {
  for (const char *target : {"native", "avx2", "sse"})
    for (const int64_t width : {28, 12}) {
      Network net(2, 12, width, 40);
      const std::vector<std::pair<const char *, Convolution>> kinds = {
          {"3x3", {.channels = 20, .padding = {1, 1, 1, 1}}},
          {"pointwise", {.channels = 20, .kernel = {1, 1}, .bias = true}},
          {"strided", {.channels = 20, .kernel = {1, 1}, .strides = {2, 1}}},
          {"depthwise", {.channels = 24, .padding = {1, 1, 1, 1}, .groups = 24}}};
      int combination = 0;
      for (const auto &[name, kind] : kinds)
        for (const auto &[h, w] :
             std::vector<Pair>{{6, width / 2}, {3, width / 4}, {2, width}, {6, 4}, {1, 1}}) {
          const bool sliced = combination++ % 2;
          Map y = net.convolution(net.part(12, width, 24, sliced), kind);
          y = net.add(y, net.resize(net.part(h, w, y.c, sliced, 3), y.h, y.w, "nearest"));
          if (combination % 3 == 0)
            y = net.add(net.part(y.h, y.w, y.c, sliced, 5), y);
          net.output(net.activate(y, "relu"),
                     std::string(name) + " " + std::to_string(h) + "x" + std::to_string(w));
        }
      checkNetwork(net, {.target = target}, kOneOp);
      checkNetwork(net, {.target = target, .maps = codegen::Element::BF16}, kOneOpBFloat16);
    }
}

BOOST_AUTO_TEST_SUITE_END()
