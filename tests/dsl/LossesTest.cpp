// Targets and losses: the nodes and terms that they become.
#include "TestSupport.h"

#include "dsl/Format.h"

#include <boost/test/unit_test.hpp>

using namespace vernier::dsl;
using test::graphOf;
using test::graphOfBody;
using vernier::Pointwise;

namespace {

// "main: 0.5 ce1, 2 mean1; 1 mean2" with a name before the terms of each statement that has one.
std::string lossesOf(const Graph &graph) {
  std::string out;
  const std::string *name = nullptr;
  for (const LossTerm &term : graph.losses) {
    out += out.empty() ? "" : ", ";
    if (!term.name.empty() && (!name || *name != term.name))
      out += term.name + ": ";
    name = &term.name;
    char weight[32];
    snprintf(weight, sizeof weight, "%g ", term.weight);
    out += weight + graph.nodes[term.node].place;
  }
  return out;
}

std::string lossesOf(const std::string &body) {
  return lossesOf(
      graphOfBody("target truth: [3, 32, 32] of float\ntarget mask: [32, 32] of int\n" + body + "\nimage"));
}

const Node &nodeAt(const Graph &graph, const std::string &place) {
  for (const Node &node : graph.nodes)
    if (node.place == place)
      return node;
  throw std::runtime_error("no node at " + place);
}

std::vector<std::string> warningsOf(const std::string &body) {
  auto checked =
      test::checkText("network net() {\n  input image: [3, 32, 32]\n" + body + "\n}\nmodel m = net()\n");
  elaborateModel(checked.program, "m", {}, checked.diagnostics);
  BOOST_TEST(checked.diagnostics.empty(), checked.errors());
  std::vector<std::string> out;
  for (const Diagnostic &warning : checked.diagnostics.warnings())
    out.push_back(warning.message);
  return out;
}

using Strings = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(losses)

BOOST_AUTO_TEST_CASE(shapes_of_targets) {
  const Graph graph = graphOfBody("target kind: [] of int\ntarget mask: [16, image.width] of int\n"
                                  "target scores: [7] of float\ntarget depth: [2, 16, 8] of float\nimage");
  const auto is = [&](const char *place, bool labels, Shape shape) {
    const Node &node = nodeAt(graph, place);
    BOOST_TEST((node.kind == OpKind::Target && node.operands.empty() && node.labels == labels), place);
    BOOST_TEST((node.shape == shape && node.channels == shape.channels), place);
  };
  is("kind", true, {1, 1, 1});
  is("mask", true, {1, 16, 32});
  is("scores", false, {7, 1, 1});
  is("depth", false, {2, 16, 8});
  BOOST_TEST(graph.losses.empty());
  BOOST_TEST((graph.nodes[0].kind == OpKind::Input));
  BOOST_TEST(nodeAt(graph, "mask").location.line == 4);
}

// As large as the input is, which a build may change.
BOOST_AUTO_TEST_CASE(targets_follow_the_input) {
  ElaborateOptions options;
  options.height = 40;
  options.width = 24;
  const Graph graph = graphOf("network net() {\n  input image: [3, 32, 32]\n"
                              "  target mask: [image.height / 2, image.width] of int\n"
                              "  image |> conv(mask.height, 1) |> conv(mask.width, 1)\n}\nmodel m = net()\n",
                              options);
  BOOST_TEST((nodeAt(graph, "mask").shape == Shape{1, 20, 24}));
  BOOST_TEST(nodeAt(graph, "conv1").channels == 20);
  BOOST_TEST(nodeAt(graph, "conv2").channels == 24);
}

BOOST_AUTO_TEST_CASE(operations) {
  const Graph graph = graphOfBody(
      "target truth: [3, 32, 32] of float\ntarget mask: [32, 32] of int\ntarget kind: [] of int\n"
      "loss softmax_cross_entropy(image, mask)\n"
      "loss image |> ce: softmax_cross_entropy(mask, smoothing = 0.1, ignore = -100, weights = [1, 0.5, 0])\n"
      "loss image |> global_avg_pool |> softmax_cross_entropy(kind)\n"
      "loss binary_cross_entropy(image, truth)\nloss rare: image |> rare: binary_cross_entropy(truth, "
      "positive = 3)\n"
      "loss focal_loss(image, truth)\n"
      "loss image |> power: focal_loss(truth, gamma = 0, alpha = 1)\nloss squared_error(image, truth)\n"
      "loss absolute_error(image, target = truth)\nloss smooth_l1(image, truth)\n"
      "loss smooth_l1(image, truth, beta = 0.5)\nloss mean(image)\nimage");
  for (const LossTerm &term : graph.losses) {
    const Node &node = graph.nodes[term.node];
    BOOST_TEST((node.shape == Shape{1, 1, 1} && node.channels == 1), node.place);
    BOOST_TEST(node.operands.size() == (node.place == "mean1" ? 1u : 2u), node.place);
  }
  BOOST_TEST(graph.losses.size() == 12u);
  const Node &plain = nodeAt(graph, "softmax_cross_entropy1"), &labelled = nodeAt(graph, "ce");
  BOOST_TEST((plain.kind == OpKind::SoftmaxCrossEntropy && plain.smoothing == 0 && !plain.ignored));
  BOOST_TEST((labelled.smoothing == 0.1 && labelled.ignored == -100));
  BOOST_TEST((plain.weights.empty() && labelled.weights == std::vector<double>{1, 0.5, 0}));
  BOOST_TEST(plain.operands == (std::vector<int>{0, 2}));
  BOOST_TEST(nodeAt(graph, "softmax_cross_entropy2").operands[1] == 3);
  const auto is = [&](const char *place, Pointwise kind, double sharpness, double share) {
    const Node &node = nodeAt(graph, place);
    BOOST_TEST((node.kind == OpKind::PointwiseLoss && node.pointwise == kind), place);
    BOOST_TEST((node.sharpness == sharpness && node.share == share), place);
    BOOST_TEST(node.operands[0] == 0, place);
  };
  const Node none; // what is not said stays as it is
  is("rare", Pointwise::Binary, 3, none.share);
  is("binary_cross_entropy1", Pointwise::Binary, none.sharpness, none.share);
  is("focal_loss1", Pointwise::Focal, 2, 0.25);
  is("power", Pointwise::Focal, 0, 1);
  is("squared_error1", Pointwise::Squared, none.sharpness, none.share);
  is("absolute_error1", Pointwise::Absolute, none.sharpness, none.share);
  is("smooth_l1_1", Pointwise::SmoothL1, 1, none.share);
  is("smooth_l1_2", Pointwise::SmoothL1, 0.5, none.share);
  is("mean1", Pointwise::Mean, none.sharpness, none.share);
}

BOOST_AUTO_TEST_CASE(terms_and_weights) {
  BOOST_TEST(lossesOf("loss mean(image)") == "1 mean1");
  BOOST_TEST(lossesOf("loss 2 * mean(image) / 4 + mean(truth) * 3") == "0.5 mean1, 3 mean2");
  BOOST_TEST(lossesOf("loss 0.5 * (mean(image) + 2 * mean(truth))") == "0.5 mean1, 1 mean2");
  BOOST_TEST(lossesOf("loss -1 * mean(image)\nloss mean(truth) * 0") == "-1 mean1, 0 mean2");
  // A node is one term, however often it is added.
  BOOST_TEST(lossesOf("a = mean(image)\nloss a + 2 * a\nloss a / 2") == "3 mean1, 0.5 mean1");
  BOOST_TEST(lossesOf("loss sum([mean(image), 2 * mean(truth), mean(image)])") ==
             "1 mean1, 2 mean2, 1 mean3");
  BOOST_TEST(lossesOf("loss sum(for w in [1, 2.5]: w * mean(image)) / 5") == "0.2 mean1, 0.5 mean2");
  BOOST_TEST(lossesOf("loss if image.height > 8 then mean(image) else 2 * mean(truth)") == "1 mean1");
  BOOST_TEST(lossesOf("total = mean(image)\nfor i in range(3) {\n  total = total + i * mean(truth)\n}\n"
                      "loss total") == "1 mean1, 0 mean2, 1 mean3, 2 mean4");
}

BOOST_AUTO_TEST_CASE(names_and_statements) {
  const std::string entropy = "softmax_cross_entropy";
  BOOST_TEST(
      lossesOf("loss main: softmax_cross_entropy(image, mask)\nloss aux: 0.4 * mean(truth) + mean(image)") ==
      "main: 1 " + entropy + "1, aux: 0.4 mean1, 1 mean2");
  // A name before `:` is the statement's; a label has more elements or is a string.
  BOOST_TEST(lossesOf("loss a: mean(image)\nloss \"b\": mean(image)\nloss c.d: mean(image)\n"
                      "loss e: \"f\": mean(image)") == "a: 1 mean1, 1 b, 1 c.d, e: 1 f");
  BOOST_TEST(lossesOf("for w in [1, 2] {\n  loss w * mean(image)\n}") == "1 mean1, 2 mean2");
  BOOST_TEST(lossesOf("if image.height > 8 {\n  loss a: mean(image)\n} else {\n  loss a: mean(truth)\n}") ==
             "a: 1 mean1");
  const Graph graph = graphOfBody("loss mean(image)\nloss a: mean(image)\nimage");
  BOOST_TEST((graph.losses[0].location.line == 3 && graph.losses[1].location.line == 4));
}

BOOST_AUTO_TEST_CASE(blocks_of_losses) {
  const std::string blocks =
      "block entropy(x, truth: labels, weight: float = 1.0) {\n"
      "  weight * softmax_cross_entropy(x, truth)\n}\n"
      "block both(x, truth: tensor, parts: [block(x, tensor)], other: loss | none = none) {\n"
      "  own = sum(for part in parts: part(x, truth))\n  if other == none then own else own + other\n}\n"
      "block pair(x, truth: labels) {\n  [mean(x), softmax_cross_entropy(x, truth)]\n}\n";
  const auto losses = [&](const std::string &body) {
    return lossesOf(graphOf(blocks +
                            "network net() {\n  input image: [3, 32, 32]\n"
                            "  target truth: [3, 32, 32] of float\n  target mask: [32, 32] of int\n" +
                            body + "\n  image\n}\nmodel m = net()\n"));
  };
  BOOST_TEST(losses("loss image |> entropy(mask)") == "1 entropy1.softmax_cross_entropy1");
  BOOST_TEST(losses("loss 2 * entropy(image, mask, weight = 0.25)") == "0.5 entropy1.softmax_cross_entropy1");
  BOOST_TEST(losses("loss both(image, truth, [squared_error, smooth_l1(_, _, beta = 2)], mean(image))") ==
             "1 mean1, 1 both1.squared_error1, 1 both1.smooth_l1_1");
  BOOST_TEST(losses("loss both(image, truth, other = none, parts = [absolute_error])") ==
             "1 both1.absolute_error1");
  BOOST_TEST(losses("a, b = pair(image, mask)\nloss b + 3 * a") ==
             "3 pair1.mean1, 1 pair1.softmax_cross_entropy1");
}

// What a weight or a branch depends on, the term's node does, too.
BOOST_AUTO_TEST_CASE(choices) {
  const auto choicesOf = [](const std::string &body) {
    const Graph graph = graphOfBody("choose f: float from [1, 0.5]\nchoose g: int from [8, 4]\n"
                                    "target mask: [image.height, g] of int\n" +
                                    body + "\nimage");
    std::string text;
    for (int hole : graph.nodes[graph.losses.at(0).node].choices)
      text += hole ? "g" : "f";
    return text;
  };
  BOOST_TEST(choicesOf("loss mean(image)") == "");
  BOOST_TEST(choicesOf("loss f * mean(image)") == "f");
  BOOST_TEST(choicesOf("if g == 8 {\n  loss f * mean(image)\n}") == "fg");
  BOOST_TEST(choicesOf("w = if g == 8 then 1 else 2\nloss w * mean(image)") == "g");
  BOOST_TEST(choicesOf("loss mean(image |> resize(bilinear, scale = f))") == "f");
  BOOST_TEST(choicesOf("loss softmax_cross_entropy(image |> resize(nearest, size = [mask.height, "
                       "mask.width]), mask)") == "g");
}

// A tensor that is computed from a target may be anything but an output.
BOOST_AUTO_TEST_CASE(targets_in_expressions) {
  const Graph graph = graphOfBody("target truth: [1, 16, 16] of float\n"
                                  "wide = truth |> resize(nearest, like = image)\n"
                                  "weight = channel_mean(image) * wide + 1\nloss mean(weight)\n"
                                  "output sizes = image |> crop(like = truth)");
  BOOST_TEST((nodeAt(graph, "crop1").shape == Shape{3, 16, 16}));
  BOOST_TEST(nodeAt(graph, "resize1").operands == (std::vector<int>{1}));
  BOOST_CHECK_THROW(graphOfBody("target truth: [3] of float\nimage * truth"), std::runtime_error);
}

// `of`, `labels` and the types' other words are names elsewhere.
BOOST_AUTO_TEST_CASE(words_that_are_names) {
  const Graph graph = graphOfBody("target labels: [32, 32] of int\nof = 2\nloss of * mean(image)\n"
                                  "loss softmax_cross_entropy(image, labels = labels)\nimage");
  BOOST_TEST(lossesOf(graph) == "2 mean1, 1 softmax_cross_entropy1");
  // Where they begin a line within brackets, they begin no statement.
  BOOST_TEST(lossesOf("loss squared_error(image,\n  target = truth)") == "1 squared_error1");
  BOOST_TEST(lossesOf(graphOf("block total(all: [\n  loss]) {\n  sum(all)\n}\n"
                              "block call(f: block(x,\n  loss), x) {\n  mean(x)\n}\n"
                              "network net() {\n  input image: [3, 8, 8]\n  loss total([mean(image)])\n"
                              "  image\n}\nmodel m = net()\n")) == "1 mean1");
}

BOOST_AUTO_TEST_CASE(layout) {
  const auto formatted = [](const std::string &text) {
    SourceSet sources;
    Diagnostics diagnostics;
    auto out = format(sources, sources.add("m.vn", text), diagnostics);
    BOOST_TEST(out.has_value(), render(diagnostics, sources));
    return out.value_or("");
  };
  const std::string text =
      "network net() {\n  input image: [3, 8, 8]\n  target mask: [] of int\n"
      "  target truth: [3] of float\n  loss main: -1 * mean(image)\n  loss (mean(image))\n"
      "  loss aux: \"l\": squared_error(image, target = image)\n  image\n}\n";
  BOOST_TEST(formatted("network net(){\ninput image:[3,8,8]\ntarget mask :[ ]of int\n"
                       "target truth:[3]  of  float\nloss main:-1*mean(image)\nloss(mean(image))\n"
                       "loss aux:\"l\":squared_error(image,target=image)\nimage\n}") == text);
  BOOST_TEST(formatted(text) == text);
  // Where a line that is too long breaks before a type or a name that is a word of the language, it means the
  // same.
  for (size_t length = 40; length < 100; ++length) {
    const std::string name(length, 'n');
    for (const std::string &long_line : {"block f(" + name + ": block(tensor, loss, loss)) {\n  3\n}\n",
                                         "block f(x) {\n  g(x, " + name + " = 3, target = x)\n}\n"}) {
      const std::string once = formatted(long_line);
      BOOST_TEST(formatted(once) == once);
    }
  }
}

// A training step's arrays are told apart by their names.
BOOST_AUTO_TEST_CASE(names_of_arrays) {
  const auto errorOf = [](const std::string &body) {
    auto checked =
        test::checkText("network net() {\n  input photo: [3, 32, 32]\n" + body + "\n}\nmodel m = net()\n");
    elaborateModel(checked.program, "m", {}, checked.diagnostics);
    return checked.errors();
  };
  const auto has = [&](const std::string &body, const std::string &message) {
    BOOST_TEST(errorOf(body).find(message) != std::string::npos, body << ": " << errorOf(body));
  };
  const std::string mask = "target mask: [3, 32, 32] of float\nloss squared_error(photo, mask)\n";
  has(mask + "output mask = photo", "target `mask` has the name of an output");
  has("target image: [3, 32, 32] of float\nloss squared_error(photo, image)\nphoto",
      "target `image` has the name of the input's array");
  has("target random: [3, 32, 32] of float\nloss squared_error(photo, random)\nphoto",
      "target `random` has the name of the array of random numbers");
  BOOST_TEST(errorOf(mask + "output random = photo") == "");
  has(mask + "output \"loss\" = photo", "the name of an output must be another one");
  BOOST_TEST(errorOf(mask + "output losses = photo") == "");
  BOOST_TEST(errorOf("output \"loss\" = photo") == ""); // there are no losses
}

BOOST_AUTO_TEST_CASE(unused_targets) {
  const std::string mask = "target mask: [32, 32] of int\n";
  BOOST_TEST(warningsOf(mask + "loss softmax_cross_entropy(image, mask)\nimage") == Strings{});
  BOOST_TEST(warningsOf(mask + "image") == Strings{"`mask` is never used"});
  BOOST_TEST(warningsOf("target _mask: [32, 32] of int\nimage") == Strings{});
  // Read, but not by a loss.
  BOOST_TEST(warningsOf(mask + "image |> crop(size = [mask.height, mask.width])") ==
             Strings{"`mask` is never used"});
  BOOST_TEST(
      warningsOf(mask + "if image.height > 99 {\n  loss softmax_cross_entropy(image, mask)\n}\nimage") ==
      Strings{"`mask` is never used"});
  // Through other operations.
  BOOST_TEST(warningsOf("target truth: [3] of float\nloss mean(image * (truth + 1))\nimage") == Strings{});
  BOOST_TEST(warningsOf("x = image |> relu\nloss mean(image)\nimage") == Strings{"`x` is never used"});
  BOOST_TEST(warningsOf("x = image |> relu\nloss mean(x)\nimage") == Strings{});
}

// Terms that pile up cost steps and memory, which are limited.
BOOST_AUTO_TEST_CASE(many_terms) {
  std::string doubled = "l = mean(image)\n";
  for (int i = 0; i < 100; ++i)
    doubled += "l = l + l\n";
  BOOST_TEST(graphOfBody(doubled + "loss l\nimage").losses.at(0).weight == 0x1p100);
  BOOST_CHECK_THROW(graphOfBody("kept = []\ntotal = mean(image)\nfor i in range(20000) {\n"
                                "  total = total + mean(image)\n  kept = [total]\n}\nloss total\nimage"),
                    std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()
