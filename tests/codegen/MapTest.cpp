// Every other op forward: pooling, resampling, borders, channels, arithmetic, activations, normalisation.
#include "tests/codegen/Check.h"

using namespace vernier;
using namespace vernier::tests;

namespace {

std::string describe(const char *what, const Map &x, const Map &y) {
  std::string text = what;
  for (const Map *map : {&x, &y})
    text += " " + std::to_string(map->h) + "x" + std::to_string(map->w) + "x" + std::to_string(map->c);
  return text;
}

std::string describe(const char *what, const Map &x, const Pool &o) {
  std::string text = what;
  for (int64_t value : {x.h, x.w, x.c, o.kernel[0], o.kernel[1], o.strides[0], o.strides[1], o.padding[0],
                        o.padding[1], o.padding[2], o.padding[3]})
    text += " " + std::to_string(value);
  return text + (o.ceil ? " ceil" : "") + (o.countPadding ? "" : " inside");
}

Pool randomPool(Choice &choose, const Map &x) {
  Pool o{.ceil = choose.yes(), .countPadding = choose.yes()};
  for (int axis = 0; axis < 2; ++axis) {
    o.kernel[axis] = choose.in(1, std::min<int64_t>(5, axis ? x.w : x.h));
    o.strides[axis] = choose.in(1, 3);
    o.padding[2 * axis] = choose.in(0, o.kernel[axis] / 2);
    o.padding[2 * axis + 1] = choose.in(0, o.kernel[axis] / 2);
  }
  return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(maps)

BOOST_AUTO_TEST_CASE(pooling) {
  Choice choose(11);
  Network net(2, 11, 13, 40);
  for (int i = 0; i < 24; ++i) {
    const Map x = net.part(choose.in(1, 11), choose.in(1, 13), choose.in(1, 40), choose.yes(), unsigned(i));
    const Pool o = randomPool(choose, x);
    net.output(net.maxPool(x, o), describe("max", x, o));
    net.output(net.averagePool(x, o), describe("average", x, o));
    if (i % 4 == 0)
      net.output(net.globalPool(x), describe("global", x, x));
  }
  // Equal shapes, other attributes.
  const Map x = net.part(9, 9, 17, false);
  for (const Pool &o :
       std::vector<Pool>{{.kernel = {3, 3}, .padding = {1, 1, 1, 1}},
                         {.kernel = {3, 3}, .padding = {1, 1, 1, 1}, .countPadding = false},
                         {.kernel = {3, 3}, .padding = {1, 0, 1, 0}, .ceil = true},
                         {.kernel = {3, 3}, .padding = {0, 1, 0, 1}, .ceil = true},
                         {.kernel = {3, 3}, .padding = {0, 1, 0, 1}, .ceil = true, .countPadding = false},
                         {.kernel = {2, 2}, .ceil = true},
                         {.kernel = {2, 2}, .ceil = true, .countPadding = false}}) {
    net.output(net.maxPool(x, o), describe("max", x, o));
    net.output(net.averagePool(x, o), describe("average", x, o));
  }
  checkNetwork(net, {}, kOneOp);
  checkBFloat16(net, 100);
}

// Windows that are loops, and those that are taken along one axis after the other: of slices, of part of a
// vector, with padding and windows that reach beyond the map, and blocks of windows that do not divide.
BOOST_AUTO_TEST_CASE(large_windows) {
  Network net(2, 21, 23, 70);
  for (const Pool &o : std::vector<Pool>{
           {.kernel = {13, 13}, .strides = {1, 1}, .padding = {6, 6, 6, 6}},
           {.kernel = {9, 9}, .strides = {2, 2}, .padding = {4, 4, 4, 4}, .ceil = true},
           {.kernel = {9, 11}, .strides = {2, 3}, .padding = {4, 0, 1, 5}},
           {.kernel = {5, 20}, .strides = {1, 1}, .padding = {2, 2, 10, 10}},
           {.kernel = {1, 15}, .strides = {1, 1}, .padding = {0, 0, 7, 7}},
           {.kernel = {15, 1}, .strides = {1, 1}, .padding = {7, 7, 0, 0}},
           {.kernel = {1, 17}, .strides = {2, 1}},
           {.kernel = {12, 12}, .strides = {9, 7}},
           {.kernel = {10, 9}, .strides = {10, 9}, .ceil = true},
           {.kernel = {21, 23}, .strides = {21, 23}},
       })
    for (const int64_t c : {1, 37, 70})
      for (const bool slice : {false, true}) {
        const Map x = net.part(21, 23, c, slice, unsigned(c));
        const std::string of = slice ? " of a slice" : "";
        net.output(net.maxPool(x, o), describe("max", x, o) + of);
        if (c == 37) {
          Pool inside = o;
          inside.countPadding = false;
          net.output(net.averagePool(x, o), describe("average", x, o) + of);
          net.output(net.averagePool(x, inside), describe("average", x, inside) + of);
        }
      }
  // Into a slice of a concat.
  const Map pyramid = net.activate(net.part(21, 23, 19, false), "relu");
  std::vector<Map> levels = {pyramid};
  for (const int64_t side : {5, 9, 13})
    levels.push_back(net.maxPool(
        pyramid,
        {.kernel = {side, side}, .strides = {1, 1}, .padding = {side / 2, side / 2, side / 2, side / 2}}));
  net.output(net.concat(levels), "pyramid");
  for (const std::string &target : runningTargets({"avx512", "avx2", "sse"}))
    checkNetwork(net, {.target = target}, kOneOp);
  checkBFloat16(net, 100);
}

// From and to N x C x H x W, with pixels and channels that are no whole vectors, and planes that share cache
// sets.
BOOST_AUTO_TEST_CASE(channels_first) {
  for (const auto &[h, w, c] : std::vector<std::array<int64_t, 3>>{{1, 1, 40},
                                                                   {3, 5, 1},
                                                                   {3, 5, 3},
                                                                   {7, 7, 21},
                                                                   {32, 32, 3},
                                                                   {32, 64, 33},
                                                                   {5, 13, 16},
                                                                   {64, 64, 9}}) {
    Network net(2, h, w, c);
    net.output(net.image(), "copied");
    net.output(net.slice(net.image(), c / 2, c - c / 2), "slice");
    for (const std::string &target : runningTargets({"avx512", "avx2", "sse"}))
      checkNetwork(net, {.target = target}, 0);
    checkBFloat16(net, 100);
  }
}

BOOST_AUTO_TEST_CASE(resampling) {
  Choice choose(12);
  Network net(2, 9, 12, 36);
  const std::vector<std::array<int64_t, 4>> sizes = {
      {3, 4, 6, 8}, {3, 4, 9, 4},  {4, 4, 7, 9},  {9, 12, 4, 5}, {8, 12, 4, 6}, {1, 1, 5, 7},
      {5, 7, 1, 1}, {1, 6, 1, 11}, {7, 2, 13, 3}, {9, 9, 9, 9},  {5, 3, 17, 2}, {2, 11, 4, 10}};
  unsigned seed = 0;
  for (const auto &[h, w, toH, toW] : sizes)
    for (const auto &[mode, align] : {std::pair{"nearest", false}, {"bilinear", false}, {"bilinear", true}}) {
      const Map x = net.part(h, w, choose.in(1, 36), choose.yes(), seed++);
      const Map y = net.resize(x, toH, toW, mode, align);
      net.output(y, describe(mode, x, y) + (align ? " aligned" : ""));
    }
  checkNetwork(net, {}, kOneOp);
  checkBFloat16(net, 100);
}

// Windows, filters and cubics over the same sizes; a few pixels made of many.
BOOST_AUTO_TEST_CASE(weighted_runs) {
  Choice choose(15);
  Network net(2, 21, 26, 36);
  const std::vector<std::array<int64_t, 4>> sizes = {{5, 7, 3, 4},   {4, 4, 7, 9},  {9, 12, 4, 5},
                                                     {21, 26, 2, 3}, {1, 6, 1, 5},  {7, 2, 6, 2},
                                                     {1, 1, 5, 3},   {5, 26, 13, 1}};
  unsigned seed = 0;
  for (const auto &[h, w, toH, toW] : sizes)
    for (const char *kind :
         {"adaptive_average", "nearest_exact", "bicubic", "bilinear_antialias", "bicubic_antialias"})
      for (const bool align : {false, true}) {
        if (align && std::string(kind) != "bicubic")
          continue;
        const Map x = net.part(h, w, choose.in(1, 36), choose.yes(), seed++);
        const Map y = net.resample(x, toH, toW, kind, align ? " align_corners" : "");
        net.output(y, describe(kind, x, y) + (align ? " aligned" : ""));
      }
  for (const char *kind : {"nearest_exact", "bicubic", "bilinear_antialias", "bicubic_antialias"}) {
    const Map x = net.part(9, 14, 17, true, seed++);
    net.output(net.resample(x, 6, 10, kind, " scale 7.500000e-01"), std::string(kind) + " by 0.75");
  }
  checkNetwork(net, {}, kOneOp);
  checkBFloat16(net, 100);
}

// By a factor that is not the quotient of the sizes; 1.05 leaves the height of 9 and 2.05 doubles it.
BOOST_AUTO_TEST_CASE(resampling_by_a_factor) {
  Choice choose(14);
  Network net(2, 9, 26, 36);
  unsigned seed = 0;
  for (const double factor : {0.3, 0.65, 0.75, 0.85, 1.05, 1.3, 2.05, 3.7})
    for (const char *mode : {"nearest", "bilinear"}) {
      const Map x = net.part(9, choose.in(7, 26), choose.in(1, 36), choose.yes(), seed++);
      const Map y = net.scale(x, factor, mode);
      net.output(y, describe(mode, x, y) + " by " + std::to_string(factor));
    }
  checkNetwork(net, {}, kOneOp);
  checkBFloat16(net, 100);
}

// Sizes whose quotient float32 rounds across a whole number: another row or column than the exact one. Of 2
// to 82 the factor is whole and still one pixel is repeated 42 times.
BOOST_AUTO_TEST_CASE(nearest_rounds_as_float32) {
  Network net(1, 62, 62, 3);
  unsigned seed = 0;
  for (const auto &[from, to] :
       {std::pair{26, 22}, {52, 44}, {28, 46}, {14, 46}, {39, 33}, {62, 14}, {2, 82}, {3, 141}}) {
    const Map x = net.part(from, std::min(from + 1, 62), 3, false, seed++);
    net.output(net.resize(x, to, from + 1, "nearest"), std::to_string(from) + " to " + std::to_string(to));
  }
  checkNetwork(net, {}, kOneOp);
  checkBFloat16(net, 100);
}

BOOST_AUTO_TEST_CASE(borders) {
  Choice choose(13);
  Network net(2, 9, 12, 36);
  for (int i = 0; i < 10; ++i) {
    const Map x = net.part(choose.in(1, 9), choose.in(1, 12), choose.in(1, 36), choose.yes(), unsigned(i));
    const Four by{choose.in(0, 4), choose.in(0, 4), choose.in(0, 4), choose.in(0, 4)};
    for (const char *mode : {"zero", "replicate"}) {
      const Map y = net.pad(x, by, mode);
      net.output(y, describe(mode, x, y));
    }
    const Pair offset{choose.in(0, x.h - 1), choose.in(0, x.w - 1)};
    const Map y = net.crop(x, choose.in(1, x.h - offset[0]), choose.in(1, x.w - offset[1]), offset);
    net.output(y, describe("crop", x, y));
  }
  for (const Pair &offset : {Pair{0, 0}, Pair{1, 0}, Pair{0, 1}, Pair{2, 2}}) // equal shapes
    net.output(net.crop(net.image(), 7, 10, offset),
               "crop at " + std::to_string(offset[0]) + " " + std::to_string(offset[1]));
  for (const Four &by : {Four{2, 0, 0, 2}, Four{0, 2, 2, 0}, Four{1, 1, 1, 1}})
    for (const char *mode : {"zero", "replicate"})
      net.output(net.pad(net.image(), by, mode), std::string(mode) + " from " + std::to_string(by[0]));
  checkNetwork(net, {}, kOneOp);
  checkBFloat16(net, 100);
}

// Where a concat's operands live: made for it, shared with other users, slices, the same one twice, concats
// themselves.
BOOST_AUTO_TEST_CASE(concats_and_slices) {
  Network net(3, 5, 6, 40);
  const Map x = net.image();
  const Map a = net.convolution(x, {.channels = 7, .padding = {1, 1, 1, 1}}),
            b = net.activate(net.slice(x, 3, 18), "relu");
  const Map inner = net.concat({a, b});
  const Map outer =
      net.concat({net.slice(x, 1, 2), inner, net.convolution(inner, {.channels = 5, .kernel = {1, 1}})});
  net.output(outer, "nested");
  net.output(inner, "inner");
  net.output(net.concat({a, a}), "twice the same");
  net.output(net.concat({b, a}), "in a second concat");
  net.output(net.concat({inner, inner}), "a concat twice");
  net.output(net.slice(outer, 5, 17), "slice of a concat");
  net.output(net.concat({net.slice(outer, 20, 9), net.slice(outer, 0, 4), x}), "slices and the image");
  net.output(net.slice(net.slice(outer, 4, 20), 3, 9), "slice of a slice");
  net.output(net.concat({net.slice(x, 0, 1)}), "concat of one");
  net.output(net.globalPool(net.concat({net.slice(x, 7, 3), b})), "pooled concat");
  const Map late = net.activate(net.slice(outer, 9, 12), "sigmoid");
  net.output(net.add(net.concat({late, net.slice(late, 0, 5)}), net.slice(x, 11, 17)),
             "slice into its own concat");
  net.output(x, "the image");
  net.output(net.slice(x, 2, 9), "a slice of the image");
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

// Groups that vectors interleave, or separate, with tails; others; of a slice, into a concat.
BOOST_AUTO_TEST_CASE(channel_shuffles) {
  Network net(2, 3, 4, 74);
  for (const auto &[channels, groups] : {std::pair(74, 2),
                                         {74, 37},
                                         {64, 2},
                                         {64, 32},
                                         {6, 2},
                                         {6, 3},
                                         {66, 3},
                                         {66, 22},
                                         {60, 4},
                                         {12, 1},
                                         {12, 12},
                                         {2, 2}})
    for (const bool sliced : {false, true})
      net.output(net.channelShuffle(net.part(3, 4, channels, sliced), groups),
                 std::to_string(channels) + " channels in " + std::to_string(groups) +
                     (sliced ? " of a slice" : ""));
  const Map x = net.image();
  const Map y = net.convolution(x, {.channels = 40, .padding = {1, 1, 1, 1}});
  net.output(net.concat({net.slice(x, 3, 5), net.channelShuffle(y, 2), net.channelShuffle(y, 20)}),
             "in a concat");
  net.output(net.channelShuffle(net.concat({y, x}), 2), "of a concat");
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

BOOST_AUTO_TEST_CASE(arithmetic) {
  Choice choose(14);
  Network net(2, 7, 8, 40);
  for (int i = 0; i < 8; ++i) {
    const int64_t h = choose.in(1, 7), w = choose.in(1, 8), c = choose.in(1, 40);
    const Map x = net.part(h, w, c, choose.yes(), 1), y = net.part(h, w, c, choose.yes(), 2);
    const Map gate = net.part(1, 1, c, choose.yes(), 3);
    const std::string text = describe("", x, y);
    net.output(net.add(x, y), "add" + text);
    net.output(net.multiply(x, y), "multiply" + text);
    net.output(net.add(x, gate), "add broadcast" + text);
    net.output(net.multiply(x, gate), "multiply broadcast" + text);
    net.output(net.add(x, x), "twice" + text);
    net.output(net.subtract(x, y), "subtract" + text);
    net.output(net.subtract(x, gate), "subtract broadcast" + text);
    net.output(net.divide(x, net.activate(y, "exp")), "divide" + text);
    net.output(net.divide(x, net.activate(gate, "exp")), "divide broadcast" + text);
    const Map sum = net.add(x, y);
    const std::string function = choose.of(kActivationTexts);
    net.output(net.activate(sum, function), "add " + function + text);
    if (i % 2) // the sum itself is needed as well
      net.output(net.multiply(sum, gate), "of the sum" + text);
    net.output(net.activate(x, function), function + text);
  }
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

// Wide ranges: relu6 saturates, sigmoid's tails.
BOOST_AUTO_TEST_CASE(activations) {
  Network net(2, 3, 5, 19);
  Map x = net.image();
  for (int i = 0; i < 5; ++i) // to [-32, 32]
    x = net.add(x, x);
  for (const std::string &function : kActivationTexts)
    net.output(net.activate(x, function), function);
  for (int i = 0; i < 4; ++i) // to [-512, 512]: exp overflows
    x = net.add(x, x);
  for (const std::string &function : kActivationTexts)
    if (function != "exp")
      net.output(net.activate(x, function), function + " far out");
  checkNetwork(net, {}, kOneOp);
}

// One number for each pixel, from its channels and to them.
BOOST_AUTO_TEST_CASE(over_channels) {
  Network net(2, 5, 6, 90);
  for (const int64_t channels : {1, 2, 3, 8, 17, 32, 89})
    for (const bool slice : {false, true}) {
      const Map x = net.part(3, 5, channels, slice, unsigned(channels));
      const std::string text = " of " + std::to_string(channels) + (slice ? " sliced" : "");
      for (const char *reduction : {"sum", "mean", "max"})
        net.output(net.reduceChannels(x, reduction), reduction + text);
      net.output(net.reduceChannels(net.activate(x, "scale_shift(1.0, -9.0)"), "max"), "of negative" + text);
      const Map each = net.part(3, 5, 1, slice, unsigned(channels) + 1);
      net.output(net.add(x, each), "add" + text);
      net.output(net.subtract(x, each), "subtract" + text);
      net.output(net.activate(net.multiply(x, each), "relu"), "multiply" + text);
      net.output(net.divide(x, net.activate(each, "exp")), "divide" + text);
    }
  net.output(net.reduceChannels(net.globalPool(net.image()), "max"), "one pixel");
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

// Of pixels with few and many channels, of slices and of a single pixel; scales that fold into no layer, into
// one and into two.
BOOST_AUTO_TEST_CASE(layer_norms) {
  Network net(2, 5, 6, 90);
  for (const int64_t channels : {1, 3, 8, 17, 32, 89})
    for (const bool slice : {false, true}) {
      const Map x = net.part(3, 5, channels, slice, unsigned(channels));
      net.output(net.layerNorm(x, 1e-3), "norm of " + std::to_string(channels) + (slice ? " sliced" : ""));
      net.output(net.scaleChannels(x), "scale of " + std::to_string(channels) + (slice ? " sliced" : ""));
    }
  net.output(net.layerNorm(net.globalPool(net.image())), "one pixel");
  const auto layer = [&] { return net.convolution(net.image(), {.channels = 9, .bias = true}); };
  net.output(net.scaleChannels(layer()), "scaled convolution");
  net.output(net.scaleChannels(net.add(layer(), layer())), "scaled sum");
  net.output(net.scaleChannels(net.batchNorm(layer())), "scaled norm");
  net.output(net.batchNorm(net.scaleChannels(layer())), "norm of scaled");
  net.output(net.scaleChannels(net.linear(net.globalPool(net.image()), 7)), "scaled linear layer");
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

// Groups that begin within vectors and fill them, of maps in one part and in several.
BOOST_AUTO_TEST_CASE(group_norms) {
  Network net(3, 9, 7, 90);
  for (const auto &[channels, groups] :
       {std::pair{1, 1}, {6, 2}, {6, 6}, {16, 4}, {30, 1}, {35, 7}, {64, 2}, {88, 8}})
    for (const bool slice : {false, true}) {
      const Map x = net.part(9, 5, channels, slice, unsigned(channels));
      net.output(net.groupNorm(x, groups, 1e-3), std::to_string(groups) + " groups of " +
                                                     std::to_string(channels) + (slice ? " sliced" : ""));
    }
  net.output(net.groupNorm(net.globalPool(net.image()), 3, 1e-2), "one pixel");
  net.output(net.activate(net.groupNorm(net.convolution(net.image(), {.channels = 8}), 2), "relu"), "behind");
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

BOOST_AUTO_TEST_CASE(learned_slopes) {
  Network net(2, 5, 6, 90);
  for (const int64_t channels : {1, 3, 16, 37})
    for (const bool perChannel : {false, true})
      for (const bool slice : {false, true})
        net.output(net.prelu(net.part(5, 3, channels, slice, unsigned(channels)), perChannel),
                   std::to_string(channels) + (perChannel ? " slopes" : " one") + (slice ? " sliced" : ""));
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

// A number for each channel and one for all, read whole, in slices, within concats and behind functions.
BOOST_AUTO_TEST_CASE(parameters_as_maps) {
  Network net(3, 5, 6, 50);
  for (const int64_t channels : {1, 3, 16, 37})
    for (const bool slice : {false, true}) {
      const Map x = net.part(5, 3, channels, slice, unsigned(channels));
      const std::string name = " of " + std::to_string(channels) + (slice ? " sliced" : "");
      const Map w = net.activate(net.parameterMap(channels + 2), "relu");
      net.output(net.multiply(x, net.slice(w, 2, channels)), "channels" + name);
      net.output(net.activate(net.add(x, net.slice(w, 1, 1)), "relu"), "one" + name);
      net.output(net.concat({w, net.globalPool(x), net.parameterMap(3)}), "joined" + name);
      net.output(net.subtract(net.globalPool(x), net.parameterMap(1)), "of a pixel" + name);
    }
  net.output(net.parameterMap(4), "alone");
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

// Over all channels, fewer and more than a vector has, over runs that fill vectors and do not, and over
// pixels.
BOOST_AUTO_TEST_CASE(softmaxes) {
  Network net(2, 5, 6, 80);
  for (const int64_t channels : {1, 3, 16, 37, 76})
    for (const bool slice : {false, true}) {
      const Map x = net.part(5, 3, channels, slice, unsigned(channels));
      const std::string name = std::to_string(channels) + (slice ? " sliced" : "");
      net.output(net.softmax(x, channels), "channels " + name);
      net.output(net.softmax(x, channels, /*log=*/true), "logarithm " + name);
      net.output(net.spatialSoftmax(x), "space " + name);
      if (channels % 4 == 0)
        net.output(net.softmax(x, channels / 4), "runs of 4 of " + name);
      if (channels % 2 == 0) {
        net.output(net.softmax(x, 2), "two of " + name);
        net.output(net.softmax(x, 2, /*log=*/true), "logarithm of two of " + name);
      }
    }
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

// Rows and columns fewer than a tile has, whole tiles and rests, operands in all layouts and within wider
// maps, and sums that are cut.
BOOST_AUTO_TEST_CASE(products_of_maps) {
  Network net(2, 26, 25, 40);
  unsigned seed = 0;
  const auto part = [&](int64_t h, int64_t w, int64_t c) {
    ++seed;
    return net.part(h, w, c, seed % 2 == 0, seed);
  };
  for (const auto &[h, w, inner, columns] :
       {std::tuple{1, 1, 9, 7}, {3, 4, 7, 5}, {5, 5, 16, 16}, {4, 8, 20, 33}, {2, 13, 36, 38}}) {
    const std::string name =
        std::to_string(h * w) + "x" + std::to_string(inner) + "x" + std::to_string(columns);
    const Map a = part(h, w, inner), rows = part(1, inner > 25 ? 1 : inner, columns);
    net.output(net.matmul(a, part(1, 5, inner), false, true), name + " NT");
    net.output(net.matmul(a, part(h, w, columns), true), name + " TN");
    if (inner <= 25) {
      net.output(net.matmul(a, rows), name + " NN");
      net.output(net.matmul(rows, part(2, 3, inner), true, true), name + " TT");
    }
  }
  net.output(net.matmul(part(26, 25, 9), part(26, 25, 40), true), "long");
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

BOOST_AUTO_TEST_CASE(squares_of_pixels) {
  Network net(2, 12, 6, 90);
  for (const int64_t factor : {1, 2, 3})
    for (const int64_t channels : {1, 3, 8}) {
      const std::string name = std::to_string(channels) + " by " + std::to_string(factor);
      net.output(net.pixelShuffle(net.part(4, 3, channels * factor * factor, channels == 8), factor), name);
      net.output(net.pixelUnshuffle(net.part(12, 6, channels, channels == 8), factor), "back " + name);
    }
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

// Batch norms that fold into no convolution.
BOOST_AUTO_TEST_CASE(affine) {
  Network net(2, 5, 6, 40);
  const Map plain = net.batchNorm(net.part(5, 6, 17, false), 1e-3),
            slice = net.batchNorm(net.part(4, 5, 33, true), 1e-5);
  net.output(plain, "affine");
  net.output(net.activate(plain, "relu"), "affine, then relu of a shared value");
  net.output(net.activate(slice, "relu6"), "affine relu6");
  const Map shared = net.convolution(net.image(), {.channels = 9, .kernel = {1, 1}});
  net.output(net.activate(net.batchNorm(shared, 1e-5), "sigmoid"), "norm of a shared convolution");
  net.output(shared, "shared convolution");
  const Map up =
      net.resize(net.convolution(net.image(), {.channels = 8, .strides = {2, 2}}), 7, 5, "bilinear");
  net.output(net.batchNorm(up), "norm through a resize");
  checkNetwork(net, {}, kOneOp);
  checkNetwork(net, {.maps = codegen::Element::BF16}, kOneOpBFloat16);
}

BOOST_AUTO_TEST_SUITE_END()
