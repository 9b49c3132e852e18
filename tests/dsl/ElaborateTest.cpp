// What a specification means: values, places, shapes and holes of the graph.
#include "TestSupport.h"

#include "dsl/ShapeRules.h"

#include <boost/test/unit_test.hpp>

using namespace vernier::dsl;
using test::graphOf;
using test::graphOfBody;
using vernier::Activation;

namespace {

// The value of an int expression, seen as a number of channels.
int64_t valueOf(const std::string &expression, const std::string &before = "") {
  return graphOfBody(before + "\nimage |> conv(" + expression + ", 1)").nodes.back().channels;
}

std::vector<std::string> places(const Graph &graph) {
  std::vector<std::string> out;
  for (const Node &node : graph.nodes)
    out.push_back(node.place);
  return out;
}

const Node &nodeAt(const Graph &graph, const std::string &place) {
  for (const Node &node : graph.nodes)
    if (node.place == place)
      return node;
  throw std::runtime_error("no node at " + place);
}

using Strings = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(elaborate_)

BOOST_AUTO_TEST_CASE(arithmetic) {
  BOOST_TEST(valueOf("1 + 2 * 3") == 7);
  BOOST_TEST(valueOf("(1 + 2) * 3") == 9);
  BOOST_TEST(valueOf("10 - 3 - 2") == 5);
  BOOST_TEST(valueOf("7 / 2") == 3);
  BOOST_TEST(valueOf("10 + -7 / 2") == 6);
  BOOST_TEST(valueOf("10 + -7 % 3") == 12);
  BOOST_TEST(valueOf("10 + 7 % -3") == 8);
  BOOST_TEST(valueOf("int(7 / 2.0)") == 3);
  BOOST_TEST(valueOf("10 + int(-1.5)") == 9);
  BOOST_TEST(valueOf("10 + floor(-1.5)") == 8);
  BOOST_TEST(valueOf("ceil(1.2)") == 2);
  BOOST_TEST(valueOf("round(2.5)") == 3);
  BOOST_TEST(valueOf("max(1, 5, 3) + min([4, 2])") == 7);
  BOOST_TEST(valueOf("sum([1, 2, 3]) + len([0, 0])") == 8);
  BOOST_TEST(valueOf("sum(even(10, 4)) * 100 + even(10, 4)[1] * 10 + even(10, 4)[2]") == 1032);
  BOOST_TEST(valueOf("reverse([1, 2, 3])[0]") == 3);
  BOOST_TEST(valueOf("range(2, 5)[2] + len(range(3))") == 7);
  BOOST_TEST(valueOf("zip([1, 2], [3, 4])[1][0] * 10 + enumerate([7, 8])[1][1]") == 28);
  BOOST_TEST(valueOf("([1] + [2, 3])[2]") == 3);
  BOOST_TEST(valueOf("sum(for (a, b) in zip([1, 2], [3, 4]): a * b)") == 11);
  BOOST_TEST(valueOf("sum(for a in range(6) if a % 2 == 1: a)") == 9);
}

BOOST_AUTO_TEST_CASE(logic) {
  BOOST_TEST(valueOf("if 1 < 2 and not 2 < 1 then 3 else 4") == 3);
  BOOST_TEST(valueOf("if 1 == 1.0 and \"a\" != \"b\" then 3 else 4") == 3);
  BOOST_TEST(valueOf("if [1, [2]] == [1, [2]] then 3 else 4") == 3);
  // Only what is needed is evaluated.
  BOOST_TEST(valueOf("if false and 1 / 0 == 1 then 3 else 4") == 4);
  BOOST_TEST(valueOf("if true or 1 / 0 == 1 then 3 else 1 / 0") == 3);
}

BOOST_AUTO_TEST_CASE(names_are_bound_again) {
  BOOST_TEST(valueOf("n", "n = 1\nfor i in range(5) {\n  n = n + i\n}") == 11);
  BOOST_TEST(valueOf("n", "if 1 < 2 {\n  n = 3\n} else {\n  n = 4\n}") == 3);
  BOOST_TEST(valueOf("i", "i = 9\nfor i in range(3) {\n  j = i\n}") == 9);
  BOOST_TEST(valueOf("a * 10 + b", "a, (b, c) = [4, [5, 6]]") == 45);
}

BOOST_AUTO_TEST_CASE(places_without_labels) {
  Graph graph = graphOf("block pair(x) {\n  x |> conv(4, 3) |> batch_norm |> relu6 |> conv(4, 3)\n}\n"
                        "network net() {\n  input image: [3, 8, 8]\n"
                        "  image |> pair |> pair |> global_avg_pool |> linear(2)\n}\nmodel m = net()\n");
  BOOST_TEST(places(graph) ==
             (Strings{"image", "pair1.conv1", "pair1.bn1", "pair1.relu6_1", "pair1.conv2", "pair2.conv1",
                      "pair2.bn1", "pair2.relu6_1", "pair2.conv2", "global_avg_pool1", "fc1"}));
  BOOST_REQUIRE(graph.nodes[6].scopes.size() == 1);
  BOOST_TEST(graph.nodes[6].scopes[0].place == "pair2");
  BOOST_TEST(graph.nodes[6].scopes[0].block == "pair");
  BOOST_TEST(graph.nodes[6].scopes[0].call.line == 6);
  BOOST_TEST(graph.nodes[6].location.line == 2);
  BOOST_TEST(graph.nodes[6].location.column == 22);
}

BOOST_AUTO_TEST_CASE(places_with_labels) {
  Graph graph = graphOf(
      "block helper(x, i: int) {\n  x |> \"conv{i}\": conv(4, 3) |> relu\n}\n"
      "block outer(x) {\n  x |> inline: helper(1) |> inline: helper(2) |> tail.0: sigmoid\n}\n"
      "network net() {\n  input image: [3, 8, 8]\n  x = image\n"
      "  for i in range(2) {\n    x = x |> \"layer{i + 1}.0\": outer\n  }\n  x\n}\nmodel m = net()\n");
  BOOST_TEST(places(graph) ==
             (Strings{"image", "layer1.0.conv1", "layer1.0.relu1", "layer1.0.conv2", "layer1.0.relu2",
                      "layer1.0.tail.0", "layer2.0.conv1", "layer2.0.relu1", "layer2.0.conv2",
                      "layer2.0.relu2", "layer2.0.tail.0"}));
  BOOST_TEST(graph.nodes[1].scopes.size() == 1u); // inlined calls are no scopes
}

BOOST_AUTO_TEST_CASE(split_places) {
  Graph graph = graphOfBody("a, b = image |> conv(5, 1) |> parts: split([2, 3])\n"
                            "c = split(a, 2)\nconcat([a, b, c[1]])");
  BOOST_TEST(places(graph) ==
             (Strings{"image", "conv1", "parts.0", "parts.1", "split1.0", "split1.1", "concat1"}));
  BOOST_TEST(nodeAt(graph, "parts.1").begin == 2);
  BOOST_TEST(nodeAt(graph, "parts.1").shape.channels == 3);
}

BOOST_AUTO_TEST_CASE(one_number_for_each_pixel) {
  Graph graph = graphOfBody("m = channel_mean(image)\nadd(image * m, channel_max(image)) - m");
  BOOST_TEST(places(graph) ==
             (Strings{"image", "channel_mean1", "multiply1", "channel_max1", "add1", "subtract1"}));
  BOOST_TEST(nodeAt(graph, "channel_mean1").shape.channels == 1);
  BOOST_TEST(nodeAt(graph, "channel_max1").shape.height == nodeAt(graph, "image").shape.height);
  BOOST_TEST((nodeAt(graph, "subtract1").shape == nodeAt(graph, "image").shape));
}

BOOST_AUTO_TEST_CASE(layer_norms_and_scales) {
  Graph graph = graphOfBody("a = image |> layer_norm |> layer_norm(epsilon = 1e-6)\n"
                            "a |> layer_scale |> layer_scale(initial = 0.5) |> add(a)");
  BOOST_TEST(places(graph) == (Strings{"image", "ln1", "ln2", "scale1", "scale2", "add1"}));
  BOOST_TEST(nodeAt(graph, "ln1").epsilon == 1e-5);
  BOOST_TEST(nodeAt(graph, "ln2").epsilon == 1e-6);
  BOOST_TEST(nodeAt(graph, "scale1").initial == 1e-6);
  BOOST_TEST(nodeAt(graph, "scale2").initial == 0.5);
  BOOST_TEST((nodeAt(graph, "ln1").shape == nodeAt(graph, "image").shape));
}

BOOST_AUTO_TEST_CASE(group_norms_and_learned_slopes) {
  Graph graph =
      graphOfBody("a = image |> conv(8, 1) |> group_norm(4) |> group_norm(groups = 8, epsilon = 1e-6)\n"
                  "a |> prelu |> prelu(per_channel = true, initial = 0.1)");
  BOOST_TEST(places(graph) == (Strings{"image", "conv1", "gn1", "gn2", "prelu1", "prelu2"}));
  BOOST_TEST(nodeAt(graph, "gn1").groups == 4);
  BOOST_TEST(nodeAt(graph, "gn2").epsilon == 1e-6);
  BOOST_TEST(parameterCount(nodeAt(graph, "gn1"), 8) == 16);
  BOOST_TEST(parameterCount(nodeAt(graph, "prelu1"), 8) == 1);
  BOOST_TEST(parameterCount(nodeAt(graph, "prelu2"), 8) == 8);
  BOOST_TEST(nodeAt(graph, "prelu1").initial == 0.25);
  BOOST_TEST(nodeAt(graph, "prelu2").initial == 0.1);
}

BOOST_AUTO_TEST_CASE(parameters_as_maps) {
  Graph graph = graphOfBody("w = parameter(3, initial = 0.5) |> relu\n"
                            "a, b, c = w / (sum(split(w, 3)) + 1e-4) |> split(3)\n"
                            "image * a + image * b + channel_mean(image) * c + fine: parameter(3)");
  BOOST_TEST(nodeAt(graph, "parameter1").initial == 0.5);
  BOOST_TEST(nodeAt(graph, "fine").initial == 1);
  BOOST_TEST((nodeAt(graph, "fine").shape == Shape{3, 1, 1}));
  BOOST_TEST(nodeAt(graph, "parameter1").operands.empty());
  BOOST_TEST(parameterCount(nodeAt(graph, "parameter1"), 0) == 3);
  // Of one number for all channels and pixels.
  BOOST_TEST((nodeAt(graph, "multiply1").shape == nodeAt(graph, "image").shape));
  BOOST_TEST((nodeAt(graph, "multiply3").shape == nodeAt(graph, "channel_mean1").shape));
}

BOOST_AUTO_TEST_CASE(softmax_and_products_of_maps) {
  Graph graph = graphOfBody("q = image |> conv(8, 1)\nk = image |> conv(8, 1) |> max_pool(2)\n"
                            "scores = matmul(q, k, transpose_b = true) |> channel_softmax\n"
                            "v = scores |> matmul(k)\n"
                            "gram = matmul(q, image, transpose_a = true) |> spatial_softmax\n"
                            "a, b = softmax([q, v])\na + channel_softmax(b, runs = 4)");
  const Shape image = nodeAt(graph, "image").shape;
  const int64_t keys = (image.height / 2) * (image.width / 2);
  BOOST_TEST((nodeAt(graph, "matmul1").shape == Shape{keys, image.height, image.width}));
  BOOST_TEST((nodeAt(graph, "matmul2").shape == Shape{8, image.height, image.width}));
  BOOST_TEST((nodeAt(graph, "matmul3").shape == Shape{image.channels, 8, 1}));
  BOOST_TEST(nodeAt(graph, "channel_softmax1").groups == keys);
  BOOST_TEST(nodeAt(graph, "channel_softmax2").groups == 4);
  BOOST_TEST(nodeAt(graph, "softmax1.weights").groups == 2);
  BOOST_TEST(nodeAt(graph, "softmax1.1").begin == 8);
  BOOST_TEST(multiplyAdds(nodeAt(graph, "matmul1"), nodeAt(graph, "conv1").shape) ==
             image.height * image.width * keys * 8);
  BOOST_TEST(multiplyAdds(nodeAt(graph, "matmul3"), nodeAt(graph, "conv1").shape) ==
             8 * image.channels * image.height * image.width);
}

static void checkPadding(const Node &node, const std::vector<int64_t> &padding, const Shape &shape) {
  BOOST_TEST(std::vector<int64_t>(node.padding, node.padding + 4) == padding, node.place);
  BOOST_TEST((node.shape == shape), node.place);
}

// Odd pixels at the bottom and the right, none where the window ends within the map.
BOOST_AUTO_TEST_CASE(padding_that_rounds_up) {
  Graph graph =
      graphOfBody("a = image |> crop(size = [11, 10]) |> conv(4, 3, stride = 2, padding = same_upper)\n"
                  "b = a |> conv(4, [2, 5], stride = [1, 4], padding = same_upper)\n"
                  "b |> conv(4, 3, dilation = 2, padding = same_upper) |> conv(4, 1, stride = 3, "
                  "padding = same_upper)");
  checkPadding(nodeAt(graph, "conv1"), {1, 1, 0, 1}, {4, 6, 5});
  checkPadding(nodeAt(graph, "conv2"), {0, 1, 2, 2}, {4, 6, 2});
  checkPadding(nodeAt(graph, "conv3"), {2, 2, 2, 2}, {4, 6, 2});
  checkPadding(nodeAt(graph, "conv4"), {0, 0, 0, 0}, {4, 2, 1});
}

BOOST_AUTO_TEST_CASE(padding_of_pools_that_rounds_up) {
  Graph graph =
      graphOfBody("a = image |> crop(size = [11, 10])\n"
                  "b = a |> max_pool(3, stride = 2, padding = same_upper)\n"
                  "c = b |> avg_pool([2, 3], stride = 1, padding = same_upper)\n"
                  "c |> max_pool(2, padding = same_upper) |> max_pool([1, 3], stride = 1, padding = same)");
  checkPadding(nodeAt(graph, "max_pool1"), {1, 1, 0, 1}, {3, 6, 5});
  checkPadding(nodeAt(graph, "avg_pool1"), {0, 1, 1, 1}, {3, 6, 5});
  checkPadding(nodeAt(graph, "max_pool2"), {0, 0, 0, 1}, {3, 3, 3});
  checkPadding(nodeAt(graph, "max_pool3"), {0, 0, 1, 1}, {3, 3, 3});
}

BOOST_AUTO_TEST_CASE(squares_of_pixels) {
  Graph graph = graphOfBody("image |> conv(12, 1) |> pixel_shuffle(2) |> pixel_unshuffle(4)");
  const Shape image = nodeAt(graph, "image").shape;
  BOOST_TEST((nodeAt(graph, "pixel_shuffle1").shape == Shape{3, 2 * image.height, 2 * image.width}));
  BOOST_TEST((nodeAt(graph, "pixel_unshuffle1").shape == Shape{48, image.height / 2, image.width / 2}));
}

BOOST_AUTO_TEST_CASE(activations_and_arithmetic_with_numbers) {
  Graph graph = graphOfBody("a = image |> leaky_relu(slope = 0.25) |> leaky_relu |> gelu_tanh\n"
                            "b = -a + 2\nc = 3 - b * 4\nd = c / 8\nd / (a - b)");
  BOOST_TEST(places(graph) ==
             (Strings{"image", "leaky_relu1", "leaky_relu2", "gelu_tanh1", "scale_shift1", "scale_shift2",
                      "scale_shift3", "scale_shift4", "scale_shift5", "subtract1", "divide1"}));
  const auto is = [&](const char *place, Activation expected) {
    BOOST_TEST((nodeAt(graph, place).activation == expected), place);
  };
  is("leaky_relu1", {Activation::LeakyRelu, 0.25});
  is("leaky_relu2", {Activation::LeakyRelu, 0.01});
  is("gelu_tanh1", Activation::GeluTanh);
  is("scale_shift1", {Activation::ScaleShift, -1, 0});
  is("scale_shift2", {Activation::ScaleShift, 1, 2});
  is("scale_shift3", {Activation::ScaleShift, 4, 0});
  is("scale_shift4", {Activation::ScaleShift, -1, 3});
  is("scale_shift5", {Activation::ScaleShift, 0.125, 0});
  BOOST_TEST((nodeAt(graph, "divide1").kind == OpKind::Divide));
  BOOST_TEST((nodeAt(graph, "subtract1").kind == OpKind::Subtract));
}

BOOST_AUTO_TEST_CASE(pool_of_a_whole_map) {
  Graph graph = graphOfBody("image |> conv(4, 3, stride = [2, 1]) |> global_max_pool");
  const Node &pool = graph.nodes.back();
  BOOST_TEST((pool.kind == OpKind::MaxPool && pool.kernel[0] == 16 && pool.kernel[1] == 32));
  BOOST_TEST((pool.stride[0] == 16 && pool.stride[1] == 32 && pool.shape == Shape{4, 1, 1}));
}

// Of windows that are all alike, the pool of theirs; a map whose size may change keeps its operation.
BOOST_AUTO_TEST_CASE(adaptive_pools) {
  Graph graph = graphOfBody("a = image |> one: adaptive_avg_pool(1) |> conv(2, 1)\n"
                            "b = image |> alike: adaptive_avg_pool([8, 4])\n"
                            "c = image |> apart: adaptive_avg_pool([8, 5])\n"
                            "choose f: float from [1, 0.5]\n"
                            "image |> resize(nearest, scale = f) |> open: adaptive_avg_pool(8)");
  const Node &alike = nodeAt(graph, "alike"), &apart = nodeAt(graph, "apart"), &open = nodeAt(graph, "open");
  BOOST_TEST((nodeAt(graph, "one").kind == OpKind::GlobalAvgPool));
  BOOST_TEST((alike.kind == OpKind::AvgPool && alike.kernel[0] == 4 && alike.kernel[1] == 8));
  BOOST_TEST((alike.stride[0] == 4 && alike.stride[1] == 8 && alike.shape == Shape{3, 8, 4}));
  BOOST_TEST((apart.kind == OpKind::Resample && apart.shape == Shape{3, 8, 5}));
  BOOST_TEST((open.kind == OpKind::Resample && open.shape == Shape{3, 8, 8}));
}

BOOST_AUTO_TEST_CASE(modes_of_resizes) {
  const auto nodeOf = [](const std::string &arguments) {
    return nodeAt(graphOfBody("image |> resize(" + arguments + ")"), "resize1");
  };
  const auto resampling = [&](const std::string &arguments) {
    const Node node = nodeOf(arguments);
    BOOST_TEST((node.kind == OpKind::Resample));
    return node.resampling;
  };
  BOOST_TEST((nodeOf("bilinear, scale = 2").kind == OpKind::Resize));
  BOOST_TEST((nodeOf("bilinear, scale = 2, antialias = false").kind == OpKind::Resize));
  BOOST_TEST((resampling("nearest_exact, scale = 2") == Resampling::NearestExact));
  BOOST_TEST((resampling("bicubic, scale = 2") == Resampling::Bicubic));
  BOOST_TEST((resampling("bicubic, size = [3, 4], antialias = true") == Resampling::BicubicAntialias));
  BOOST_TEST((resampling("bilinear, size = [3, 4], antialias = true") == Resampling::BilinearAntialias));
  BOOST_TEST(nodeOf("bicubic, size = [3, 4], align_corners = true").alignCorners);
  BOOST_TEST(nodeOf("bicubic, scale = 0.65").scale == 0.65);
  BOOST_TEST(nodeOf("nearest_exact, scale = 0.5").scale == 0);
}

BOOST_AUTO_TEST_CASE(parameters_of_operations) {
  Graph graph =
      graphOfBody("x = image |> conv(6, [3, 5], stride = [1, 2], padding = [0, 1, 2, 3], dilation = 2, "
                  "groups = 3, bias = true)\n"
                  "x = x |> batch_norm(epsilon = 1e-3, momentum = 0.01)\n"
                  "x = x |> avg_pool(3, stride = 2, padding = 1, ceil = true, count_padding = false)\n"
                  "x = x |> resize(bilinear, size = [9, 7], align_corners = true) |> pad([1, 2, 3, 4], mode "
                  "= replicate)\n"
                  "x = x |> crop(size = [2, 3], offset = [4, 5])\n"
                  "concat([x |> slice(2, 3), x |> slice(0, 4) |> channel_shuffle(2)])");
  const Node &conv = nodeAt(graph, "conv1");
  BOOST_TEST((conv.kernel[0] == 3 && conv.kernel[1] == 5 && conv.stride[0] == 1 && conv.stride[1] == 2));
  BOOST_TEST((conv.padding[0] == 0 && conv.padding[1] == 1 && conv.padding[2] == 2 && conv.padding[3] == 3));
  BOOST_TEST((conv.dilation[0] == 2 && conv.dilation[1] == 2 && conv.groups == 3 && conv.bias));
  BOOST_TEST((conv.shape == Shape{6, 32 + 1 - 4, (32 + 5 - 9) / 2 + 1}));
  BOOST_TEST((nodeAt(graph, "bn1").epsilon == 1e-3 && nodeAt(graph, "bn1").momentum == 0.01));
  const Node &pool = nodeAt(graph, "avg_pool1");
  BOOST_TEST((pool.ceil && !pool.countPadding && pool.stride[0] == 2 && pool.padding[3] == 1));
  BOOST_TEST(
      (nodeAt(graph, "resize1").alignCorners && nodeAt(graph, "resize1").mode == ResizeMode::Bilinear));
  BOOST_TEST((nodeAt(graph, "pad1").replicate && nodeAt(graph, "pad1").shape == Shape{6, 12, 14}));
  BOOST_TEST((nodeAt(graph, "crop1").offset[1] == 5 && nodeAt(graph, "crop1").shape == Shape{6, 2, 3}));
  BOOST_TEST((nodeAt(graph, "slice1").begin == 2 && nodeAt(graph, "slice1").shape == Shape{3, 2, 3}));
  const Node &shuffle = nodeAt(graph, "channel_shuffle1");
  BOOST_TEST((shuffle.groups == 2 && shuffle.shape == Shape{4, 2, 3}));
}

BOOST_AUTO_TEST_CASE(transposed_convolutions) {
  Graph graph = graphOfBody("x = image |> conv_transpose(6, [4, 3], stride = [2, 3], padding = [1, 0, 2, 1], "
                            "output_padding = [1, 2], dilation = [1, 2], groups = 3, bias = true)\n"
                            "x |> up: conv_transpose(5, 2)");
  const Node &first = nodeAt(graph, "conv_transpose1");
  BOOST_TEST((first.kind == OpKind::TransposedConvolution && first.groups == 3 && first.bias));
  BOOST_TEST(
      (first.padding[0] == 1 && first.padding[1] == 0 && first.padding[2] == 2 && first.padding[3] == 1));
  BOOST_TEST((first.outputPadding[0] == 1 && first.outputPadding[1] == 2));
  BOOST_TEST((first.shape == Shape{6, 31 * 2 + 4 - 1 + 1, 31 * 3 + 5 - 3 + 2}));
  const Node &second = nodeAt(graph, "up"); // neither padded nor strided
  BOOST_TEST((second.stride[0] == 1 && second.padding[0] == 0 && second.outputPadding[1] == 0));
  BOOST_TEST((second.shape == Shape{5, first.shape.height + 1, first.shape.width + 1}));
}

BOOST_AUTO_TEST_CASE(same_padding_and_defaults) {
  Graph graph = graphOfBody("image |> conv(4, [5, 1], dilation = 3) |> max_pool([2, 4])");
  const Node &conv = nodeAt(graph, "conv1");
  BOOST_TEST((conv.padding[0] == 6 && conv.padding[1] == 6 && conv.padding[2] == 0));
  BOOST_TEST((conv.shape == Shape{4, 32, 32}));
  BOOST_TEST(!conv.bias);
  BOOST_TEST((nodeAt(graph, "max_pool1").shape == Shape{4, 16, 8}));
}

BOOST_AUTO_TEST_CASE(broadcast) {
  Graph graph = graphOfBody("image * (image |> global_avg_pool) + image");
  BOOST_TEST((nodeAt(graph, "multiply1").shape == Shape{3, 32, 32}));
  BOOST_TEST(nodeAt(graph, "add1").operands == (std::vector<int>{2, 0}));
}

BOOST_AUTO_TEST_CASE(input_size_is_an_option) {
  ElaborateOptions options;
  options.height = 40;
  options.width = 24;
  Graph graph = graphOf("network net() {\n  input image: [3, 32, 32]\n  image |> conv(image.height, 1)\n}\n"
                        "model m = net()\n",
                        options);
  BOOST_TEST((graph.nodes[0].shape == Shape{3, 40, 24}));
  BOOST_TEST(graph.nodes[1].channels == 40);
}

BOOST_AUTO_TEST_CASE(overrides) {
  ElaborateOptions options;
  options.overrides = {{"depths", "[2, 1 + 2]"}, {"wide", "true"}};
  Graph graph = graphOf("network net(depths: [int], wide: bool = false) {\n  input image: [3, 8, 8]\n"
                        "  image |> conv(if wide then sum(depths) else 1, 1)\n}\nmodel m = net([1])\n",
                        options);
  BOOST_TEST(graph.nodes[1].channels == 5);
}

// What an override's expression calls is checked like the rest.
BOOST_AUTO_TEST_CASE(overrides_that_call) {
  const std::string text = "block unit(x, channels: int) {\n  x |> conv(channels, 1)\n}\n"
                           "network net(make: block(x, int), k: int = 1) {\n  input image: [3, 8, 8]\n"
                           "  image |> make(k)\n}\nmodel m = net(unit)\n";
  ElaborateOptions options;
  options.overrides = {{"make", "conv(_, _, kernel = 3)"}, {"k", "5"}};
  BOOST_TEST(graphOf(text, options).nodes[1].kernel[0] == 3);
  options.overrides = {{"k", "unit(1)"}};
  BOOST_CHECK_THROW(graphOf(text, options), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(blocks_as_values) {
  const std::string blocks =
      "block unit(x, channels: int, stride: int = 1, act: block(x) = relu) {\n"
      "  x |> conv(channels, 3, stride = stride) |> batch_norm |> act\n}\n"
      "block pair(x, make: block(x, channels: int)) {\n  x |> make(8) |> last: make(channels = 4)\n}\n";
  const auto net = [&](const std::string &body) {
    return graphOf(blocks + "network net() {\n  input image: [3, 32, 32]\n" + body +
                   "\n}\nmodel m = net()\n");
  };
  // The same as if they were called by their names, with their places.
  BOOST_TEST(places(net("image |> pair(unit)")) ==
                 (Strings{"image", "pair1.unit1.conv1", "pair1.unit1.bn1", "pair1.unit1.relu1",
                          "pair1.last.conv1", "pair1.last.bn1", "pair1.last.relu1"}),
             boost::test_tools::per_element());
  BOOST_TEST(places(net("image |> pair(conv(_, _, 3))")) == (Strings{"image", "pair1.conv1", "pair1.last"}),
             boost::test_tools::per_element());
  // What was given stays given; the rest has its defaults.
  const Graph partial =
      net("make = unit(_, _, act = leaky_relu(_, slope = 0.5), stride = 2)\nimage |> pair(make)");
  BOOST_TEST(partial.nodes[1].stride[0] == 2);
  BOOST_TEST(partial.nodes[3].activation.slope == 0.5f);
  BOOST_TEST(partial.nodes[6].shape.height == 8);
  // In lists, loops and branches; the open ones in the order of the parameters.
  BOOST_TEST(net("for act in [relu, sigmoid] {\n  image = act(image)\n}\nimage").nodes[2].activation.kind ==
             Activation::Sigmoid);
  BOOST_TEST(
      net("make = if image.channels == 3 then unit else conv(_, _, 1)\nmake(image, 6)").nodes[1].channels ==
      6);
  BOOST_TEST(net("c = conv(kernel = _, channels = 7, x = _)\nc(image, 5)").nodes[1].kernel[0] == 5);
  BOOST_TEST(net("u = unit(_, _, stride = _)\nv = u(_, 6, 2)\nimage |> v").nodes[1].stride[0] == 2);
  // A block's name hides an operation, whether or not its type was known before.
  BOOST_TEST(net("silu = relu\nimage |> silu").nodes[1].activation.kind == Activation::Relu);
  BOOST_TEST(net("units = [3, relu]\nsilu = units[1]\nimage |> silu").nodes[1].activation.kind ==
             Activation::Relu);
  BOOST_TEST(net("units = [3, conv]\nmake = units[1]\nmake(image, 5, kernel = 3)").nodes[1].kernel[0] == 3);
  // A name for a tensor hides no operation.
  BOOST_TEST(net("relu = image |> relu\nrelu |> relu").nodes.size() == 3);
}

// What may be left out: `none` is compared, not computed with.
BOOST_AUTO_TEST_CASE(optional_values) {
  const std::string fuse = "block fuse(x, skip: tensor | none = none, act: block(x) | none = none, channels: "
                           "int | none = none) {\n"
                           "  y = if skip == none then x else x + skip\n"
                           "  z = if channels != none then y |> conv(channels, 1) else y\n"
                           "  if act == none then z else z |> act\n}\n";
  const auto net = [&](const std::string &body) {
    return graphOf(fuse + "network net() {\n  input image: [3, 8, 8]\n" + body + "\n}\nmodel m = net()\n")
        .nodes;
  };
  BOOST_TEST(net("image |> fuse").size() == 1u);
  BOOST_TEST(net("image |> fuse(image)")[1].place == "fuse1.add1");
  BOOST_TEST(net("image |> fuse(none, relu, 5)").size() == 3u);
  BOOST_TEST(net("image |> fuse(if image.channels == 3 then none else image, act = sigmoid)").size() == 2u);
  BOOST_TEST(
      net("last = none\nfor i in range(3) {\n  image = image |> relu |> fuse(last)\n  last = image\n}\nimage")
          .size() == 6u);
  BOOST_TEST(
      net("kinds = [none, relu]\nfor act in kinds {\n  image = image |> fuse(act = act)\n}\nimage").size() ==
      2u);
  // A name of one's own hides the word.
  BOOST_TEST(net("none = image |> relu\nimage + none").size() == 3u);
}

// Refused before what holds them is as deep as the stack.
BOOST_AUTO_TEST_CASE(blocks_within_blocks_without_end) {
  const auto refusal = [](const std::string &step) {
    std::string errors;
    try {
      graphOf("block apply(x, f: block(x)) {\n  x |> f\n}\nblock first(x, fs: [block(x)]) {\n  f = fs[0]\n  "
              "x |> f\n}\n"
              "network net() {\n  input image: [3, 8, 8]\n  f = relu\n  for i in range(30) {\n    f = " +
              step + "\n  }\n  image |> relu\n}\nmodel m = net()\n");
    } catch (const std::runtime_error &error) {
      errors = error.what();
    }
    return errors;
  };
  for (const char *step : {"apply(_, f)", "[f]", "first(_, [f])"})
    BOOST_TEST(refusal(step).find("error[VN0106]: more than 16 levels of nesting") != std::string::npos,
               step);
}

BOOST_AUTO_TEST_CASE(outputs) {
  const Graph pyramid = graphOfBody("for i in range(2) {\n  output \"p{i}\" = image |> conv(i + 1, 1)\n}");
  BOOST_TEST(pyramid.outputs[1].name == "p1");
  BOOST_CHECK_THROW(graphOfBody("for i in range(2) {\n  output \"p{i / 2}\" = image |> relu\n}"),
                    std::runtime_error);
  Graph graph = graphOfBody("output fine = image |> relu\noutput coarse = fine |> max_pool(2)");
  BOOST_REQUIRE(graph.outputs.size() == 2);
  BOOST_TEST(graph.outputs[0].name == "fine");
  BOOST_TEST(graph.outputs[1].node == 2);
  BOOST_TEST(graphOfBody("image |> relu").outputs[0].name == "logits");
}

BOOST_AUTO_TEST_CASE(learned_holes) {
  Graph graph = graphOf(
      "block scales(x, factors: [int]) {\n"
      "  learned channels: [int] = even(10, len(factors)) within macs(x |> conv(10, 3) |> conv(4, 1))\n"
      "  concat(for (c, s) in zip(channels, factors):\n"
      "    x |> max_pool(s) |> conv(c, 3) |> resize(nearest, like = x))\n}\n"
      "network net() {\n  input image: [2, 8, 8]\n  image |> a.b: scales([1, 2, 4]) |> conv(4, 1)\n}\n"
      "model m = net()\n");
  BOOST_REQUIRE(graph.holes.size() == 1);
  const Hole &hole = graph.holes[0];
  BOOST_TEST(hole.place == "a.b.channels");
  BOOST_TEST(hole.seed == (std::vector<int64_t>{4, 3, 3}));
  BOOST_TEST((hole.budget == BudgetKind::Macs));
  BOOST_TEST(hole.limit == 10 * 2 * 9 * 64 + 4 * 10 * 64);
  BOOST_TEST(graph.nodes.size() == 12u); // nothing of the budget is left
  const Node &third = nodeAt(graph, "a.b.conv3");
  BOOST_REQUIRE(third.channelsFrom.has_value());
  BOOST_TEST((third.channelsFrom->hole == 0 && third.channelsFrom->index == 2));
  BOOST_TEST(!nodeAt(graph, "conv1").channelsFrom.has_value());
}

BOOST_AUTO_TEST_CASE(holes_in_loops) {
  const Graph graph = graphOfBody(
      "for i in range(2) {\n"
      "  \"stage{i}.widths\": learned widths: [int] = [4, 4] within neurons(8)\n"
      "  \"stage{i}.f\": choose f: float from [1, 0.5]\n"
      "  image = image |> resize(bilinear, scale = f) |> \"conv{i}\": conv(widths[1], 3)\n}\nimage");
  Strings holes;
  for (const Hole &hole : graph.holes)
    holes.push_back(hole.place);
  BOOST_TEST(holes == (Strings{"stage0.widths", "stage0.f", "stage1.widths", "stage1.f"}),
             boost::test_tools::per_element());
  BOOST_CHECK_THROW(graphOfBody("for i in range(2) {\n  choose f: float from [1, 0.5]\n}\nimage"),
                    std::runtime_error);
  BOOST_TEST(graphOfBody("body.f: choose f: float from [1, 0.5]\nimage |> resize(bilinear, scale = f)")
                 .holes[0]
                 .place == "body.f");
}

BOOST_AUTO_TEST_CASE(budgets) {
  auto limit = [](const std::string &budget) {
    return graphOfBody("learned c: [int] = [1] within " + budget + "\nimage").holes[0].limit;
  };
  BOOST_TEST(limit("neurons(7)") == 7);
  BOOST_TEST(limit("params(image |> conv(8, 3, bias = true) |> batch_norm)") == 8 * 27 + 8 + 16);
  BOOST_TEST(limit("macs(image |> conv_transpose(8, 2, stride = 2))") == 8 * 3 * 4 * 32 * 32);
  BOOST_TEST(limit("macs([image |> conv(8, 1), image |> conv(8, 3, stride = 2)])") ==
             24 * 1024 + 8 * 27 * 256);
}

// The width of a map can be used again: it is an element of the hole.
BOOST_AUTO_TEST_CASE(learned_width_of_a_map) {
  Graph graph = graphOfBody("learned c: [int] = [4, 6] within neurons(10)\n"
                            "x = image |> conv(c[1], 3)\nx |> relu |> conv(x.channels, 1) |> add(x)");
  BOOST_TEST(nodeAt(graph, "conv2").channelsFrom->index == 1);
}

BOOST_AUTO_TEST_CASE(choose_holes) {
  Graph graph = graphOfBody("choose f: float from [1, 0.5]\nimage |> resize(bilinear, scale = f)");
  BOOST_TEST((graph.holes[0].kind == Hole::Kind::Choose));
  BOOST_TEST(graph.holes[0].choices == (std::vector<double>{1, 0.5}));
  BOOST_TEST((nodeAt(graph, "resize1").shape == Shape{3, 32, 32}));
  BOOST_TEST(!graph.holes[0].bound);
}

// A factor stays in the graph where its pixels are others than those of the sizes.
BOOST_AUTO_TEST_CASE(factors_of_resizes) {
  const auto scaleOf = [](const std::string &resize) {
    return nodeAt(graphOfBody("image |> " + resize), "resize1").scale; // of 32x32
  };
  BOOST_TEST(scaleOf("resize(bilinear, scale = 0.65)") == 0.65);
  BOOST_TEST(scaleOf("resize(nearest, scale = 0.65)") == 0.65);
  BOOST_TEST(scaleOf("resize(bilinear, scale = 0.5)") == 0);
  BOOST_TEST(scaleOf("resize(nearest, scale = 3)") == 0);
  BOOST_TEST(scaleOf("resize(nearest, scale = 1.02)") == 0); // 32: a copy
  BOOST_TEST(scaleOf("resize(nearest, scale = 2.02)") == 0); // 64: each twice
  BOOST_TEST(scaleOf("resize(bilinear, scale = 2.02)") == 2.02);
  BOOST_TEST(scaleOf("resize(bilinear, scale = 0.65, align_corners = true)") == 0);
  BOOST_TEST(scaleOf("resize(bilinear, size = [20, 20])") == 0);
}

namespace {

// The graph of a body with `choose` holes bound.
Graph chosen(const std::string &body, const std::vector<std::pair<std::string, double>> &choices) {
  ElaborateOptions options;
  options.choices = choices;
  return graphOf("network net() {\n  input image: [3, 32, 32]\n" + body + "\n}\nmodel m = net()\n", options);
}

std::string variantOf(const std::string &body) {
  return nodeAt(chosen("choose f: float from [1, 0.5]\nchoose g: int from [8, 4]\n" + body, {{"f", 0.5}}),
                "n")
      .variant;
}

} // namespace

BOOST_AUTO_TEST_CASE(bound_choices) {
  const std::string body = "choose f: float from [1, 0.5]\nchoose g: int from [8, 4]\n"
                           "image |> resize(bilinear, scale = f) |> conv(g, 1)";
  Graph graph = chosen(body, {{"f", 0.5}});
  BOOST_TEST(graph.holes[0].bound);
  BOOST_TEST(graph.holes[0].chosen == 1);
  BOOST_TEST(!graph.holes[1].bound);
  BOOST_TEST((nodeAt(graph, "conv1").shape == Shape{8, 16, 16}));
  // What is none of the choices, or no hole, binds nothing.
  BOOST_TEST(!chosen(body, {{"f", 0.7}, {"h", 1}}).holes[0].bound);
}

// A batch norm has parameters for each choice that its map's size depends on, and for no other.
BOOST_AUTO_TEST_CASE(scale_aware_batch_norms) {
  BOOST_TEST(variantOf("image |> n: batch_norm") == "");
  BOOST_TEST(variantOf("image |> resize(bilinear, scale = f) |> conv(4, 3) |> relu |> n: batch_norm") ==
             "[0.5]");
  BOOST_TEST(
      variantOf("image |> resize(bilinear, scale = f) |> resize(nearest, size = [g, g]) |> n: batch_norm") ==
      "[8]");
  BOOST_TEST(
      variantOf("image |> resize(bilinear, scale = f) |> resize(nearest, size = [9, 9]) |> n: batch_norm") ==
      "");
  BOOST_TEST(variantOf("image |> max_pool(g) |> resize(bilinear, scale = f) |> n: batch_norm") == "[0.5,8]");
  // Through names, arithmetic, lists, blocks' parameters and the size of a map.
  BOOST_TEST(variantOf("sides = for s in [32, 32]: round(f * s)\nother = [f, 3.0]\n"
                       "image |> resize(bilinear, size = sides) |> n: batch_norm") == "[0.5]");
  BOOST_TEST(variantOf("pair = [g, 16]\nimage |> resize(bilinear, size = [pair[1], 16]) |> n: batch_norm") ==
             "");
  BOOST_TEST(variantOf("y = image |> resize(bilinear, scale = f)\n"
                       "image |> resize(bilinear, size = [y.height, 4]) |> n: batch_norm") == "[0.5]");
  BOOST_TEST(variantOf("y = image |> resize(bilinear, scale = f)\n"
                       "image |> crop(like = y) |> n: batch_norm") == "[0.5]");
  BOOST_TEST(variantOf("y = image |> resize(bilinear, scale = f) |> global_avg_pool\n"
                       "image * y |> n: batch_norm") == "");
  BOOST_TEST(
      variantOf("concat([image, image |> resize(bilinear, scale = f) |> resize(nearest, like = image)])\n"
                "  |> n: batch_norm") == "");
  // Through a condition.
  BOOST_TEST(
      variantOf(
          "s = 8\nif f < 0.7 {\n  s = 4\n}\nimage |> resize(nearest, size = [s, s]) |> n: batch_norm") ==
      "[0.5]");
  BOOST_TEST(
      variantOf("s = if f < 0.7 then 4 else 8\nimage |> resize(nearest, size = [s, s]) |> n: batch_norm") ==
      "[0.5]");
}

// The holes that an op depends on: by its operands' sizes, its own, its arguments, or whether it is there.
BOOST_AUTO_TEST_CASE(choices_of_nodes) {
  const auto choicesOf = [](const std::string &body) {
    std::string text;
    const Graph graph = chosen("choose f: float from [1, 0.5]\nchoose g: int from [8, 4]\n" + body, {});
    for (int hole : nodeAt(graph, "n").choices)
      text += hole ? "g" : "f";
    return text;
  };
  BOOST_TEST(choicesOf("image |> n: conv(4, 3)") == "");
  BOOST_TEST(choicesOf("image |> resize(bilinear, scale = f) |> conv(4, 3) |> n: relu") == "f");
  BOOST_TEST(choicesOf("image |> resize(bilinear, scale = f) |> n: resize(nearest, size = [g, g])") == "fg");
  BOOST_TEST(choicesOf("image |> resize(bilinear, scale = f) |> resize(nearest, size = [g, g]) |> n: relu") ==
             "g");
  BOOST_TEST(choicesOf("image |> resize(bilinear, scale = f) |> n: global_avg_pool") == "f");
  BOOST_TEST(choicesOf("image |> resize(bilinear, scale = f) |> global_avg_pool |> n: linear(2)") == "");
  BOOST_TEST(choicesOf("image |> n: conv(g, 3)") == "g");
  BOOST_TEST(choicesOf("x = image\nif g == 8 {\n  x = image |> n: relu\n}\nx |> conv(4, 1)") == "g");
  BOOST_TEST(choicesOf("if g == 8 then image |> n: relu else image") == "g");
  BOOST_TEST(choicesOf("act = if g == 8 then relu else sigmoid\nimage |> n: act") == "g");
  BOOST_TEST(choicesOf("wide = conv(_, g, _)\nimage |> n: wide(3)") == "g");
  BOOST_TEST(choicesOf("y = if f == 1 then relu(image) else image\nimage |> n: relu") == "");
}

// Of a trial the holes stay open; what was chosen goes first.
BOOST_AUTO_TEST_CASE(trials_of_open_choices) {
  ElaborateOptions options;
  options.choices = {{"f", 0.5}};
  options.trial = {{"f", 1}, {"g", 4}};
  const Graph graph = graphOf("network net() {\n  input image: [3, 32, 32]\n  choose f: float from [1, 0.5]\n"
                              "  choose g: int from [8, 4]\n  image |> conv(g, 1)\n}\nmodel m = net()\n",
                              options);
  BOOST_TEST(graph.holes[0].bound);
  BOOST_TEST(graph.holes[0].chosen == 1);
  BOOST_TEST(!graph.holes[1].bound);
  BOOST_TEST(graph.holes[1].chosen == 1);
  BOOST_TEST(nodeAt(graph, "conv1").channels == 4);
}

BOOST_AUTO_TEST_CASE(imports) {
  std::map<std::string, std::string> files = {
      {"top/networks/net.vn",
       "import blocks.a\nimport near\nimport shared.c\n"
       "network net() {\n  input image: [3, 8, 8]\n  image |> a |> b |> c\n}\nmodel m = net()\n"},
      {"top/blocks/a.vn", "block a(x) {\n  x |> hidden\n}\nblock hidden(x) {\n  x |> relu\n}\n"},
      {"top/networks/near.vn", "import blocks.a\nimport networks.net\nblock b(x) {\n  x |> relu\n}\n"},
      {"lib/shared/c.vn", "block c(x) {\n  x |> sigmoid\n}\n"},
  };
  auto checked = test::checkFiles(files, "top/networks/net.vn", {"lib"});
  BOOST_TEST(checked.diagnostics.empty(), checked.errors());
  auto graph = elaborateModel(checked.program, "m", {}, checked.diagnostics);
  BOOST_REQUIRE(graph.has_value());
  BOOST_TEST(graph->files[graph->nodes[1].location.file] == "top/blocks/a.vn");
}

// Above a search root nothing is looked for.
BOOST_AUTO_TEST_CASE(imports_end_at_a_root) {
  std::map<std::string, std::string> files = {{"top/sub/net.vn", "import a\n"}, {"top/a.vn", ""}};
  BOOST_TEST(test::checkFiles(files, "top/sub/net.vn").diagnostics.empty());
  BOOST_TEST(!test::checkFiles(files, "top/sub/net.vn", {"top/sub"}).diagnostics.empty());
}

BOOST_AUTO_TEST_SUITE_END()

// Texts as long as a file may be must not take quadratic time. The bound is far above what they take.
BOOST_AUTO_TEST_SUITE(hostile, *boost::unit_test::timeout(300))

BOOST_AUTO_TEST_CASE(pipeline_in_one_line) {
  std::string text = "network net() {\n  input image: [3, 8, 8]\n  image";
  for (int i = 0; i < 90'000; ++i)
    text += " |> relu";
  BOOST_TEST(graphOf(text + "\n}\nmodel m = net()\n").nodes.size() == 90'001u);
}

BOOST_AUTO_TEST_CASE(every_callee_unknown) {
  std::string text;
  for (int i = 0; i < 20'000; ++i)
    text += "block b" + std::to_string(i) + "(x) {\n  x |> c" + std::to_string(i) + "\n}\n";
  auto checked = test::checkText(text);
  BOOST_TEST(checked.diagnostics.size() == Diagnostics::maxErrors);
  BOOST_TEST(checked.diagnostics.dropped() == 19'900u);
}

BOOST_AUTO_TEST_CASE(brackets_without_end) {
  for (const char *piece : {"(", "[", "if true {", "[for x in", "not ", "-", "\"{", "a.", "f("}) {
    std::string text = "block b(x) {\n  y = ";
    while (text.size() < maxFileSize)
      text += piece;
    text.resize(maxFileSize);
    BOOST_TEST(!test::checkText(text).diagnostics.empty());
  }
}

BOOST_AUTO_TEST_CASE(values_that_double) {
  std::string lists = "x = [1]\ny = [1]\n", strings = "s = \"a\"\n";
  for (int i = 0; i < 40; ++i) {
    lists += "x = [x, x]\ny = [y, y]\n";
    strings += "s = \"{s}{s}\"\n";
  }
  BOOST_CHECK_THROW(graphOfBody(lists + "z = x == y\nimage"), std::runtime_error);
  BOOST_CHECK_THROW(graphOfBody(strings + "image"), std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(shape_rules)

// Counts the windows one by one.
int64_t countWindows(int64_t size, int64_t extent, int64_t stride, int64_t before, int64_t after, bool ceil) {
  int64_t count = 0;
  for (int64_t at = -before; ceil ? at < size + after : at + extent <= size + after; at += stride) {
    bool complete = at + extent <= size + after;
    // One partial window counts if pixels are left for it and it begins inside the map or the padding before
    // it.
    bool left = count == 0 || at - stride + extent < size + after;
    if (!complete && (at >= size || !left))
      break;
    ++count;
    if (!complete)
      break;
  }
  return count;
}

BOOST_AUTO_TEST_CASE(windows) {
  for (int64_t size = 1; size <= 12; ++size)
    for (int64_t kernel = 1; kernel <= 4; ++kernel)
      for (int64_t stride = 1; stride <= 4; ++stride)
        for (int64_t before = 0; before <= kernel / 2; ++before)
          for (int64_t after = 0; after <= kernel / 2; ++after) {
            BOOST_TEST(poolSize(size, kernel, stride, before, after, false) ==
                       countWindows(size, kernel, stride, before, after, false));
            if (size + before + after >= kernel)
              BOOST_TEST(poolSize(size, kernel, stride, before, after, true) ==
                         countWindows(size, kernel, stride, before, after, true));
            for (int64_t dilation = 1; dilation <= 3; ++dilation)
              BOOST_TEST(convolutionSize(size, kernel, stride, dilation, before, after) ==
                         countWindows(size, windowExtent(kernel, dilation), stride, before, after, false));
          }
}

// Of all sizes that a convolution makes `size` of, output padding says which.
BOOST_AUTO_TEST_CASE(transposed_convolutions_invert_sizes) {
  for (int64_t size = 1; size <= 6; ++size)
    for (int64_t kernel = 1; kernel <= 4; ++kernel)
      for (int64_t stride = 1; stride <= 3; ++stride)
        for (int64_t dilation = 1; dilation <= 3; ++dilation)
          for (int64_t before = 0; before <= 1; ++before)
            for (int64_t more = 0; more < stride; ++more) {
              const int64_t result =
                  transposedConvolutionSize(size, kernel, stride, dilation, before, 1, more);
              if (result > 0)
                BOOST_TEST(convolutionSize(result, kernel, stride, dilation, before, 1) == size);
            }
  BOOST_TEST(transposedConvolutionSize(1, 2, 2, 1, 2, 2, 0) < 1);
}

BOOST_AUTO_TEST_CASE(same_padding_keeps_sizes) {
  for (int64_t kernel = 1; kernel <= 9; kernel += 2)
    for (int64_t dilation = 1; dilation <= 3; ++dilation) {
      int64_t padding = samePadding(kernel, dilation);
      BOOST_TEST(convolutionSize(17, kernel, 1, dilation, padding, padding) == 17);
    }
}

BOOST_AUTO_TEST_CASE(costs) {
  Node conv;
  conv.kind = OpKind::Convolution;
  conv.channels = 6;
  conv.groups = 3;
  conv.kernel[0] = 3;
  conv.kernel[1] = 5;
  conv.bias = true;
  conv.shape = {6, 7, 8};
  BOOST_TEST(weightCount(conv, 9) == 6 * 3 * 15);
  BOOST_TEST(parameterCount(conv, 9) == 6 * 3 * 15 + 6);
  BOOST_TEST(multiplyAdds(conv, {9, 14, 16}) == 6 * 3 * 15 * 56);
  conv.kind = OpKind::TransposedConvolution;
  BOOST_TEST(parameterCount(conv, 9) == 6 * 3 * 15 + 6);
  BOOST_TEST(multiplyAdds(conv, {9, 4, 5}) == 6 * 3 * 15 * 20);
  BOOST_TEST(saturatingProduct(int64_t(1) << 40, int64_t(1) << 40) == std::numeric_limits<int64_t>::max());
}

BOOST_AUTO_TEST_SUITE_END()
