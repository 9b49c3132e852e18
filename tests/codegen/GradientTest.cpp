// Training steps: loss, logits, the gradient of every parameter and the running statistics. Each network has
// many branches of one op behind a convolution, so that the gradients of the op's input and of its parameters
// are both seen.
#include "tests/codegen/Check.h"

using namespace vernier::tests;

namespace {

// A map that depends on parameters of its own.
Map trained(Network &net, int64_t h, int64_t w, int64_t c, unsigned seed = 0) {
  return net.convolution(net.part(h, w, 3, false, seed), {.channels = c, .kernel = {1, 1}, .bias = true});
}

void checkTraining(Network &net, const std::vector<Map> &results, const std::string &loss = "softmax",
                   double tolerance = kOneOp) {
  net.outputLogits(results, 5);
  checkNetwork(net, {.train = true, .loss = loss}, tolerance);
}

Convolution randomConvolution(Choice &choose, const Map &x, int64_t channels, int64_t groups) {
  Convolution o{.channels = channels, .groups = groups, .bias = choose.yes()};
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t size = axis ? x.w : x.h;
    o.strides[axis] = choose.in(1, 3);
    o.kernel[axis] = choose.in(1, 5);
    o.dilations[axis] = choose.in(1, 2);
    int64_t &before = o.padding[2 * axis], &after = o.padding[2 * axis + 1];
    before = choose.in(0, 2);
    after = choose.in(0, 3);
    while (o.dilations[axis] * (o.kernel[axis] - 1) + 1 > size + before + after)
      --o.kernel[axis];
  }
  return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(gradients)

BOOST_AUTO_TEST_CASE(dense_convolutions) {
  Choice choose(21);
  Network net(3, 9, 14, 40);
  std::vector<Map> results;
  for (int i = 0; i < 5; ++i) {
    const Map x = trained(net, choose.in(2, 9), choose.in(2, 14), choose.in(1, 36), unsigned(i));
    results.push_back(net.convolution(x, randomConvolution(choose, x, choose.in(1, 36), 1)));
  }
  // A stride wider than the kernel: input positions that no output saw have gradient zero.
  results.push_back(
      net.convolution(trained(net, 7, 8, 6), {.channels = 9, .kernel = {1, 2}, .strides = {3, 3}}));
  // The last rows and columns take no part.
  results.push_back(net.convolution(trained(net, 8, 8, 6), {.channels = 9, .strides = {2, 2}}));
  results.push_back(net.convolution(trained(net, 5, 6, 19), {.channels = 18, .kernel = {1, 1}}));
  results.push_back(
      net.convolution(trained(net, 5, 6, 19), {.channels = 18, .kernel = {1, 1}, .strides = {2, 2}}));
  results.push_back(
      net.convolution(trained(net, 5, 6, 5), {.channels = 7, .kernel = {1, 1}, .padding = {1, 0, 0, 2}}));
  checkTraining(net, results);
}

BOOST_AUTO_TEST_CASE(grouped_convolutions) {
  Choice choose(22);
  Network net(2, 8, 11, 40);
  std::vector<Map> results;
  const std::vector<std::array<int64_t, 3>> groups = {
      {1, 1, 5}, {1, 1, 33}, {2, 2, 8}, {4, 4, 5},  {8, 8, 3}, {3, 3, 7}, {5, 5, 4}, {6, 6, 3}, {7, 7, 2},
      {3, 3, 4}, {1, 2, 6},  {4, 2, 3}, {17, 5, 2}, {1, 4, 5}, {4, 1, 7}, {3, 5, 4}, {8, 4, 3}};
  for (const auto &[inputs, outputs, count] : groups) {
    const Map x = trained(net, choose.in(3, 8), choose.in(3, 11), inputs * count, unsigned(count));
    results.push_back(net.convolution(x, randomConvolution(choose, x, outputs * count, count)));
  }
  results.push_back(
      net.convolution(trained(net, 5, 6, 12), {.channels = 12, .kernel = {1, 1}, .groups = 12}));
  results.push_back(net.convolution(trained(net, 6, 6, 12), {.channels = 12, .kernel = {1, 1}, .groups = 3}));
  results.push_back(net.convolution(
      trained(net, 8, 11, 8), {.channels = 8, .strides = {2, 2}, .padding = {1, 1, 1, 1}, .groups = 8}));
  checkTraining(net, results);
}

// Equal shapes, other attributes.
BOOST_AUTO_TEST_CASE(same_shapes_other_attributes) {
  Network net(2, 7, 7, 16);
  std::vector<Map> results;
  const Map x = trained(net, 7, 7, 8);
  for (int64_t groups : {1, 4, 8})
    for (const Four &padding : {Four{2, 0, 2, 0}, Four{0, 2, 0, 2}})
      results.push_back(net.convolution(x, {.channels = 8, .padding = padding, .groups = groups}));
  results.push_back(net.convolution(x, {.channels = 8, .padding = {2, 2, 2, 2}, .dilations = {2, 2}}));
  results.push_back(net.convolution(x, {.channels = 8, .kernel = {5, 5}, .padding = {2, 2, 2, 2}}));
  for (const Pool &o : std::vector<Pool>{{.kernel = {3, 3}, .padding = {1, 1, 1, 1}},
                                         {.kernel = {3, 3}, .padding = {1, 1, 1, 1}, .countPadding = false},
                                         {.kernel = {3, 3}, .padding = {1, 0, 1, 0}, .ceil = true},
                                         {.kernel = {2, 2}, .ceil = true},
                                         {.kernel = {2, 2}, .ceil = true, .countPadding = false}}) {
    results.push_back(net.maxPool(x, o));
    results.push_back(net.averagePool(x, o));
  }
  for (const Pair &offset : {Pair{0, 1}, Pair{1, 0}})
    results.push_back(net.crop(x, 5, 5, offset));
  for (const Four &by : {Four{1, 0, 0, 1}, Four{0, 1, 1, 0}})
    for (const char *mode : {"zero", "replicate"})
      results.push_back(net.pad(x, by, mode));
  for (const auto &[mode, align] : {std::pair{"nearest", false}, {"bilinear", false}, {"bilinear", true}})
    results.push_back(net.resize(x, 5, 9, mode, align));
  checkTraining(net, results);
}

BOOST_AUTO_TEST_CASE(pooling_and_resampling) {
  Choice choose(23);
  Network net(2, 9, 10, 36);
  std::vector<Map> results;
  for (int i = 0; i < 6; ++i) {
    const Map x = trained(net, choose.in(2, 9), choose.in(2, 10), choose.in(1, 36), unsigned(i));
    Pool o{.ceil = choose.yes(), .countPadding = choose.yes()};
    for (int axis = 0; axis < 2; ++axis) {
      o.kernel[axis] = choose.in(1, std::min<int64_t>(4, axis ? x.w : x.h));
      o.strides[axis] = choose.in(1, 3);
      o.padding[2 * axis] = choose.in(0, o.kernel[axis] / 2);
      o.padding[2 * axis + 1] = choose.in(0, o.kernel[axis] / 2);
    }
    results.push_back(i % 2 ? net.maxPool(x, o) : net.averagePool(x, o));
    results.push_back(
        net.resize(x, choose.in(1, 9), choose.in(1, 10), i % 3 ? "bilinear" : "nearest", i % 3 == 1));
    results.push_back(net.scale(x, 0.55 + 0.35 * i, i % 2 ? "bilinear" : "nearest"));
    if (i % 3 == 0)
      results.push_back(net.globalPool(x));
  }
  int i = 20;
  for (const char *kind :
       {"adaptive_average", "nearest_exact", "bicubic", "bilinear_antialias", "bicubic_antialias"})
    for (const auto &[h, w] : {std::pair{4, 5}, {9, 8}, {1, 14}, {13, 2}})
      results.push_back(net.resample(trained(net, 7, 6, choose.in(1, 36), unsigned(i++)), h, w, kind));
  results.push_back(net.resample(trained(net, 7, 6, 9, unsigned(i++)), 5, 9, "bicubic", " align_corners"));
  results.push_back(
      net.resample(trained(net, 7, 6, 9, unsigned(i++)), 5, 4, "bicubic_antialias", " scale 7.500000e-01"));
  // Ties: relu leaves windows of zeros, of which the first element gets the gradient.
  const Map flat = net.activate(trained(net, 6, 6, 20), "relu");
  results.push_back(net.maxPool(flat, {.kernel = {3, 3}, .strides = {1, 1}, .padding = {1, 1, 1, 1}}));
  checkTraining(net, results, "binary");
}

// More windows share an element than the gradient along an axis takes at once, and lines have several blocks
// of them.
BOOST_AUTO_TEST_CASE(windows_of_many_rows) {
  Network net(2, 150, 3, 37);
  std::vector<Map> results;
  unsigned seed = 0;
  for (const Pool &o : std::vector<Pool>{{.kernel = {90, 1}, .strides = {1, 1}, .padding = {45, 44, 0, 0}},
                                         {.kernel = {140, 2}, .strides = {1, 1}, .padding = {70, 70, 1, 1}},
                                         {.kernel = {141, 3}, .strides = {2, 1}, .padding = {70, 70, 1, 1}},
                                         {.kernel = {29, 1}, .strides = {5, 1}, .padding = {3, 9, 0, 0}}})
    for (const char *function : {"relu", "sigmoid"})
      results.push_back(net.maxPool(net.activate(trained(net, 150, 3, 37, seed++), function), o));
  checkTraining(net, results);
}

// Windows that are loops, and those whose gradient goes back along one axis after the other; with ties.
BOOST_AUTO_TEST_CASE(large_windows) {
  Network net(2, 13, 15, 40);
  std::vector<Map> results;
  unsigned seed = 0;
  for (const Pool &o : std::vector<Pool>{
           {.kernel = {7, 7}, .strides = {1, 1}, .padding = {3, 3, 3, 3}},
           {.kernel = {9, 8}, .strides = {2, 3}, .padding = {4, 4, 3, 0}, .ceil = true},
           {.kernel = {1, 13}, .strides = {1, 1}, .padding = {0, 0, 6, 6}},
           {.kernel = {13, 1}, .strides = {1, 1}, .padding = {6, 6, 0, 0}},
           {.kernel = {9, 10}, .strides = {9, 10}, .ceil = true},
           {.kernel = {13, 15}, .strides = {13, 15}},
       })
    for (const int64_t c : {5, 35})
      for (const char *function : {"relu", "sigmoid"})
        results.push_back(net.maxPool(net.activate(trained(net, 13, 15, c, seed++), function), o));
  for (const bool countPadding : {true, false})
    for (Pool o : std::vector<Pool>{
             {.kernel = {7, 7}, .strides = {1, 1}, .padding = {3, 3, 3, 3}},
             {.kernel = {11, 13}, .strides = {2, 2}, .padding = {5, 4, 0, 6}, .ceil = true},
             {.kernel = {9, 14}, .strides = {1, 3}, .padding = {4, 4, 3, 0}},
             {.kernel = {1, 13}, .strides = {1, 1}, .padding = {0, 0, 6, 6}},
             {.kernel = {13, 1}, .strides = {1, 1}, .padding = {6, 6, 0, 0}},
             {.kernel = {12, 11}, .strides = {1, 1}}, // rows that fewer windows cover than the window is high
         }) {
      o.countPadding = countPadding;
      results.push_back(net.averagePool(trained(net, 13, 15, 35, seed++), o));
    }
  checkTraining(net, results, "binary");
}

BOOST_AUTO_TEST_CASE(borders_and_channels) {
  Choice choose(24);
  Network net(2, 8, 9, 36);
  std::vector<Map> results;
  for (int i = 0; i < 3; ++i) {
    const Map x = trained(net, choose.in(2, 8), choose.in(2, 9), choose.in(1, 36), unsigned(i));
    const Four by{choose.in(0, 3), choose.in(0, 3), choose.in(0, 3), choose.in(0, 3)};
    results.push_back(net.pad(x, by, "zero"));
    results.push_back(net.pad(x, by, "replicate"));
    const Pair offset{choose.in(0, x.h - 1), choose.in(0, x.w - 1)};
    results.push_back(net.crop(x, choose.in(1, x.h - offset[0]), choose.in(1, x.w - offset[1]), offset));
  }
  const Map a = trained(net, 5, 6, 20, 4), b = trained(net, 5, 6, 7, 5);
  const Map inner = net.concat({a, b});
  results.push_back(net.concat({inner, net.activate(b, "sigmoid"), a})); // nested; b and a in two concats
  results.push_back(net.concat({b, b}));
  results.push_back(net.slice(inner, 15, 9)); // across the two operands
  results.push_back(net.slice(net.slice(a, 3, 12), 2, 5));
  // Slices that cover a map exactly, overlapping ones, and one alone.
  const Map whole = trained(net, 5, 6, 23, 6);
  results.push_back(net.activate(net.slice(whole, 0, 8), "sigmoid"));
  results.push_back(net.activate(net.slice(whole, 8, 15), "relu6"));
  const Map overlapped = trained(net, 5, 6, 23, 7);
  results.push_back(net.activate(net.slice(overlapped, 0, 18), "sigmoid"));
  results.push_back(net.activate(net.slice(overlapped, 6, 17), "sigmoid"));
  // A slice covers it, and the map is used as a whole too.
  const Map both = trained(net, 5, 6, 11, 8);
  results.push_back(net.slice(both, 0, 11));
  results.push_back(net.activate(both, "sigmoid"));
  for (int64_t groups : {2, 3, 11, 33, 66})
    results.push_back(net.channelShuffle(trained(net, 3, 4, 66, 9), groups));
  results.push_back(
      net.concat({net.image(), net.pad(both, {3, 0, 3, 0}, "zero")})); // beside what has no gradient
  checkTraining(net, results);
}

BOOST_AUTO_TEST_CASE(arithmetic_and_activations) {
  Network net(2, 6, 7, 36);
  std::vector<Map> results;
  unsigned seed = 0;
  for (int64_t c : {17, 32}) {
    const auto map = [&](int64_t h, int64_t w) { return trained(net, h, w, c, seed++); };
    const Map a = map(6, 7), b = map(6, 7), gate = net.activate(map(1, 1), "sigmoid");
    results.push_back(net.multiply(a, b));
    results.push_back(net.multiply(a, gate));
    results.push_back(net.add(b, gate));
    results.push_back(net.activate(net.add(a, b), c == 17 ? "relu" : "sigmoid"));
    results.push_back(net.multiply(b, b));
    results.push_back(net.add(a, a));
    results.push_back(
        net.multiply(net.part(6, 7, c, true, seed), net.globalPool(b))); // only the gate is trained
    results.push_back(net.subtract(a, b));
    results.push_back(net.subtract(a, gate));
    const Map positive = net.activate(b, "exp"), each = net.activate(map(1, 1), "exp");
    results.push_back(net.divide(a, positive));
    results.push_back(net.divide(a, each));
    for (const std::string &function : kActivationTexts)
      results.push_back(net.activate(map(3, 5), function));
  }
  // relu6 from both sides.
  Map wide = trained(net, 4, 5, 19, seed);
  for (int i = 0; i < 4; ++i)
    wide = net.add(wide, wide);
  results.push_back(net.activate(wide, "relu6"));
  checkTraining(net, results, "binary");
}

// With the activations that become part of it, shared and unshared; in a concat; of slices.
BOOST_AUTO_TEST_CASE(batch_norms) {
  for (const auto &[batch, c] : {std::pair{1, 19}, {5, 16}}) {
    Network net(batch, 7, 9, 40);
    std::vector<Map> results;
    unsigned seed = 0;
    const auto map = [&, c = c] {
      return net.convolution(net.part(7, 9, 4, false, seed++), {.channels = c});
    };
    results.push_back(net.batchNorm(map(), 1e-3, 0.3));
    for (const std::string &function : kActivationTexts)
      results.push_back(net.activate(net.batchNorm(map()), function));
    const Map norm = net.batchNorm(map(), 1e-5, 0.01);
    results.push_back(net.activate(norm, "relu"));
    results.push_back(net.activate(net.add(norm, map()), "relu"));
    const Map x = net.convolution(net.image(), {.channels = 30});
    const Map part = net.activate(net.batchNorm(net.slice(x, 5, 11)), "relu");
    results.push_back(net.concat({part, net.batchNorm(net.slice(x, 16, 14)), part}));
    // Of the image itself: no gradient flows on.
    results.push_back(net.activate(net.batchNorm(net.part(5, 5, 9, true)), "relu"));
    checkTraining(net, results, "softmax", kWholeNetwork);
  }
}

// Both operands of products with one number for each pixel; maxima of equal channels.
BOOST_AUTO_TEST_CASE(over_channels) {
  for (const int64_t c : {2, 3, 17, 40}) {
    Network net(2, 6, 7, 80);
    std::vector<Map> results;
    unsigned seed = 0;
    const auto map = [&](int64_t channels) { return trained(net, 6, 7, channels, seed++); };
    const Map x = map(c), each = map(1);
    results.push_back(net.multiply(x, each));
    results.push_back(net.subtract(x, each));
    results.push_back(net.add(map(c), net.activate(each, "sigmoid")));
    results.push_back(net.divide(x, net.activate(map(1), "exp")));
    for (const char *reduction : {"sum", "mean", "max"})
      results.push_back(net.reduceChannels(map(c), reduction));
    results.push_back(net.reduceChannels(net.activate(map(c), "relu"), "max")); // often several zeros
    results.push_back(net.multiply(x, net.concat({net.reduceChannels(x, "mean")})));
    checkTraining(net, results, "softmax", kWholeNetwork);
  }
}

// Of slices, one pixel and what has two readers; the scale's own gradient where that is all that is wanted.
BOOST_AUTO_TEST_CASE(layer_norms) {
  for (const auto &[batch, c] : {std::pair{1, 19}, {5, 16}, {3, 70}}) {
    Network net(batch, 7, 9, 80);
    std::vector<Map> results;
    unsigned seed = 0;
    const auto map = [&, c = c] {
      return net.convolution(net.part(7, 9, 4, false, seed++), {.channels = c});
    };
    results.push_back(net.layerNorm(map(), 1e-3));
    const Map norm = net.layerNorm(map());
    results.push_back(net.add(net.activate(norm, "gelu"), net.scaleChannels(norm)));
    const Map x = net.convolution(net.image(), {.channels = 30});
    results.push_back(
        net.concat({net.layerNorm(net.slice(x, 5, 11)), net.scaleChannels(net.slice(x, 16, 14))}));
    results.push_back(net.layerNorm(net.globalPool(map())));
    results.push_back(net.scaleChannels(net.part(5, 5, 9, true)));
    results.push_back(net.layerNorm(net.part(5, 5, 9, true)));
    checkTraining(net, results, "softmax", kWholeNetwork);
  }
}

// Of slices, one pixel and what has two readers.
BOOST_AUTO_TEST_CASE(group_norms_and_learned_slopes) {
  for (const auto &[batch, c] : {std::pair{1, 18}, {5, 16}, {3, 72}}) {
    Network net(batch, 7, 9, 80);
    std::vector<Map> results;
    unsigned seed = 0;
    const auto map = [&, c = c] {
      return net.convolution(net.part(7, 9, 4, false, seed++), {.channels = c});
    };
    results.push_back(net.groupNorm(map(), 2, 1e-3));
    const Map norm = net.groupNorm(map(), c);
    results.push_back(net.add(net.prelu(norm, true), net.prelu(norm, false)));
    const Map x = net.convolution(net.image(), {.channels = 30});
    results.push_back(
        net.concat({net.groupNorm(net.slice(x, 5, 9), 3), net.prelu(net.slice(x, 16, 14), true)}));
    results.push_back(net.prelu(net.globalPool(map()), false));
    results.push_back(net.groupNorm(net.part(5, 5, 9, true), 1));
    results.push_back(net.prelu(net.part(5, 5, 9, true), true));
    checkTraining(net, results, "softmax", kWholeNetwork);
  }
}

// A number for each channel, one for all, and what is computed of them.
BOOST_AUTO_TEST_CASE(parameters_as_maps) {
  for (const auto &[batch, c] : {std::pair{1, 18}, {5, 16}}) {
    Network net(batch, 7, 9, 20);
    std::vector<Map> results;
    unsigned seed = 0;
    const auto map = [&, c = c] {
      return net.convolution(net.part(7, 9, 4, false, seed++), {.channels = c});
    };
    const Map w = net.activate(net.parameterMap(3), "sigmoid");
    const Map share = net.divide(w, net.reduceChannels(w, "mean"));
    results.push_back(
        net.add(net.multiply(map(), net.slice(share, 0, 1)), net.multiply(map(), net.slice(share, 2, 1))));
    results.push_back(net.subtract(map(), net.parameterMap(1)));
    results.push_back(net.divide(map(), net.activate(net.parameterMap(1), "exp")));
    results.push_back(net.add(net.multiply(map(), net.parameterMap(c)), net.parameterMap(c)));
    results.push_back(net.parameterMap(4)); // only it is trained
    checkTraining(net, results, "softmax", kWholeNetwork);
  }
}

// Products in all layouts, of which both operands have gradients, and softmax over channels, runs and pixels.
BOOST_AUTO_TEST_CASE(attention) {
  Network net(3, 6, 8, 20);
  unsigned seed = 0;
  const auto map = [&](int64_t h, int64_t w, int64_t c) {
    return net.convolution(net.part(h, w, 4, false, seed++), {.channels = c, .kernel = {1, 1}});
  };
  std::vector<Map> results;
  results.push_back(net.matmul(map(6, 8, 7), map(1, 7, 18)));
  results.push_back(net.matmul(map(6, 8, 7), map(3, 4, 7), false, true));
  results.push_back(net.matmul(map(6, 8, 7), map(6, 8, 5), true));
  results.push_back(net.matmul(map(3, 2, 7), map(2, 5, 6), true, true));
  const Map x = map(6, 8, 18);
  results.push_back(net.multiply(x, net.softmax(x, 18)));
  results.push_back(net.multiply(x, net.softmax(map(6, 8, 18), 3)));
  results.push_back(net.multiply(x, net.softmax(map(6, 8, 18), 18, /*log=*/true)));
  results.push_back(net.multiply(x, net.softmax(map(6, 8, 18), 3, /*log=*/true)));
  results.push_back(net.multiply(x, net.spatialSoftmax(map(6, 8, 18))));
  results.push_back(net.multiply(net.pixelUnshuffle(x, 2), net.pixelUnshuffle(map(6, 8, 18), 2)));
  results.push_back(net.pixelShuffle(map(3, 4, 12), 2));
  checkTraining(net, results, "softmax", kWholeNetwork);
}

// ScaleNet's block: batch norms, relu and slices of the 1x1 convolution run below the resizes that allow it.
// One convolution has nothing that stays above.
BOOST_AUTO_TEST_CASE(sunk_convolutions) {
  Network net(3, 12, 12, 40);
  // A bias before a batch norm has no gradient.
  const auto branch = [&](int64_t side, int64_t c) {
    return net.convolution(net.part(side, side, 3, false, unsigned(side)), {.channels = c, .kernel = {1, 1}});
  };
  const auto scale = [&](int64_t side, const std::string &mode) {
    return net.batchNorm(net.resize(branch(side, 16), 12, 12, mode));
  };
  std::vector<Map> scales = {net.batchNorm(branch(12, 17))};
  for (const int64_t side : {6, 4, 2})
    scales.push_back(scale(side, "nearest"));
  for (const char *mode : {"bilinear", "nearest"}) // the latter without a whole factor
    scales.push_back(scale(5, mode));
  const Map joined = net.activate(net.concat(scales), "relu");
  const Map y = net.convolution(joined, {.channels = 20, .kernel = {1, 1}, .bias = true});
  const Map pair = net.concat({scale(3, "nearest"), scale(3, "nearest")});
  const Map z = net.convolution(pair, {.channels = 9, .kernel = {1, 1}, .bias = true});
  checkTraining(net, {y, z}, "softmax", kWholeNetwork);
}

// What becomes part of the kernel before it, in all orders: residuals, masks and sums of batch norms behind
// convolutions of every kind, with odd widths and tails of channels.
BOOST_AUTO_TEST_CASE(joined_gradients) {
  for (const auto &[batch, c] : {std::pair{2, 19}, {3, 32}}) {
    Network net(batch, 9, 17, 40);
    std::vector<Map> results;
    unsigned seed = 0;
    const auto stem = [&, c = c](const char *function) {
      const Map x =
          net.convolution(net.part(9, 17, 4, false, seed++), {.channels = c, .padding = {1, 1, 1, 1}});
      return net.activate(net.batchNorm(x), function);
    };
    for (const Convolution &o : std::vector<Convolution>{
             {.channels = c, .kernel = {1, 1}},
             {.channels = c, .padding = {1, 1, 1, 1}},
             {.channels = c, .kernel = {3, 3}, .padding = {1, 1, 1, 1}, .groups = c},
         }) {
      // A mean that is large beside the deviation.
      const Map x = net.activate(net.convolution(stem("sigmoid"), o), "sigmoid");
      const Map y = net.activate(net.add(net.batchNorm(net.convolution(x, o)), x), "relu");
      results.push_back(net.activate(net.add(y, net.batchNorm(net.convolution(y, o))), "relu6"));
    }
    // Steps with a stride, each with its part of the mask and of the residual.
    const Map x = stem("relu");
    results.push_back(net.add(net.convolution(x, {.channels = c, .strides = {2, 2}}),
                              net.convolution(x, {.channels = c, .strides = {2, 2}, .groups = c})));
    // Waiting for what comes later, among it another pool of the same map.
    const Map y = stem("relu6");
    results.push_back(net.averagePool(y, {.kernel = {2, 2}, .strides = {1, 1}}));
    results.push_back(net.convolution(y, {.channels = 3}));
    results.push_back(net.convolution(y, {.channels = 2, .kernel = {1, 1}}));
    // Disjoint windows: rows and columns that no window covers, or part of one; several pools of one map.
    const Map z = stem("relu");
    for (const bool ceil : {false, true})
      for (const int64_t side : {2, 4, 7})
        results.push_back(net.maxPool(z, {.kernel = {side, side}, .strides = {side, side}, .ceil = ceil}));
    results.push_back(
        net.maxPool(stem("relu"), {.kernel = {2, 3}, .strides = {2, 3}, .padding = {0, 1, 0, 0}}));
    results.push_back(net.add(z, net.maxPool(z, {.kernel = {1, 1}, .strides = {1, 1}})));
    checkTraining(net, results, "softmax", kWholeNetwork);
  }
}

// One weight in three places, parameters that the loss does not depend on, a linear layer within.
BOOST_AUTO_TEST_CASE(parameters) {
  Network net(3, 6, 7, 20);
  std::vector<Map> results;
  const std::string shared = net.weight(8, 8, {3, 3});
  const Map x = trained(net, 6, 7, 8);
  Map once = x;
  for (int i = 0; i < 2; ++i)
    once = net.convolution(once, {.channels = 8, .padding = {1, 1, 1, 1}}, shared);
  results.push_back(net.convolution(net.activate(once, "relu"), {.channels = 8}, shared));
  const Map hidden = net.activate(net.linear(net.globalPool(x), 33), "relu");
  results.push_back(net.linear(hidden, 19, false));
  net.output(net.batchNorm(net.convolution(net.image(), {.channels = 6, .bias = true})), "aside");
  net.output(net.linear(net.globalPool(net.image()), 4), "aside linear");
  checkTraining(net, results);
}

// Both losses, at once with very large logits, and with few and many classes.
BOOST_AUTO_TEST_CASE(losses) {
  for (int64_t classes : {2, 37})
    for (const char *loss : {"softmax", "binary"}) {
      Network net(5, 2, 2, 20);
      Map x = net.globalPool(net.image());
      for (int i = 0; i < 6; ++i)
        x = net.add(x, x);
      net.output(net.linear(x, classes), "logits");
      checkNetwork(net, {.train = true, .loss = loss}, kOneOp);
    }
}

BOOST_AUTO_TEST_SUITE_END()
