// Shared blocks: whose parameters the nodes have.
#include "TestSupport.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace vernier::dsl;
using test::graphOf;

namespace {

// "head.conv1 head_2.conv1=head.conv1": of each layer its place, and that of its parameters where it is
// another.
std::string layersOf(const Graph &graph) {
  std::string out;
  for (const Node &node : graph.nodes)
    if (node.kind == OpKind::Convolution || node.kind == OpKind::LayerNorm)
      out +=
          (out.empty() ? "" : " ") + node.place + (node.parametersOf.empty() ? "" : "=" + node.parametersOf);
  return out;
}

const std::string unit =
    "block unit(x, channels: int = 8) {\n  x |> conv(channels, 3) |> ln: layer_norm |> relu\n}\n";

std::string layersOf(const std::string &body, const std::string &blocks = unit) {
  return layersOf(
      graphOf(blocks + "network net() {\n  input image: [8, 32, 32]\n" + body + "\n}\nmodel m = net()\n"));
}

std::string errorOf(const std::string &body, const std::string &blocks = unit) {
  auto checked = test::checkText(blocks + "network net() {\n  input image: [8, 32, 32]\n" + body +
                                 "\n}\nmodel m = net()\n");
  if (checked.diagnostics.empty())
    elaborateModel(checked.program, "m", {}, checked.diagnostics);
  return checked.errors();
}

void expectError(const std::string &body, const std::string &message, const std::string &blocks = unit) {
  const std::string found = errorOf(body, blocks);
  BOOST_TEST(found.find(message) != std::string::npos, body << ": " << found);
}

} // namespace

BOOST_AUTO_TEST_SUITE(shared_blocks)

BOOST_AUTO_TEST_CASE(calls_have_the_first_ones_parameters) {
  BOOST_TEST(layersOf("shared head = unit\nimage |> head |> head |> head") ==
             "head.conv1 head.ln head_2.conv1=head.conv1 head_2.ln=head.ln head_3.conv1=head.conv1 "
             "head_3.ln=head.ln");
  // A label says where a call is; its parameters stay where they are.
  BOOST_TEST(layersOf("shared head = unit(_)\nimage |> first: head |> max_pool(2) |> second: head") ==
             "first.conv1=head.conv1 first.ln=head.ln second.conv1=head.conv1 second.ln=head.ln");
  // What is not shared has its own.
  BOOST_TEST(layersOf("shared head = unit\nimage |> unit |> head |> unit |> head") ==
             "unit1.conv1 unit1.ln head.conv1 head.ln unit2.conv1 unit2.ln head_2.conv1=head.conv1 "
             "head_2.ln=head.ln");
}

BOOST_AUTO_TEST_CASE(operations_arguments_and_loops) {
  BOOST_TEST(layersOf("shared point = conv(_, 8, 1)\nimage |> point |> point") == "point point_2=point");
  // Arguments that a call gives are its own, as long as the parameters are the same.
  BOOST_TEST(layersOf("shared c = conv(_, 8, 3, stride = _)\nimage |> c(1) |> c(2)") == "c c_2=c");
  BOOST_TEST(
      layersOf("shared head = unit\nfor i in range(2) {\n  image = image |> \"at.{i}\": head\n}\nimage") ==
      "at.0.conv1=head.conv1 at.0.ln=head.ln at.1.conv1=head.conv1 at.1.ln=head.ln");
  BOOST_TEST(layersOf("shared head = unit\nsum(for x in [image, image]: head(x))") ==
             "head.conv1 head.ln head_2.conv1=head.conv1 head_2.ln=head.ln");
}

BOOST_AUTO_TEST_CASE(within_blocks) {
  const std::string twice = unit + "block twice(x) {\n  shared inner = unit\n  x |> inner |> inner\n}\n";
  // Each call of the block has a shared one of its own, unless it is shared itself.
  BOOST_TEST(layersOf("image |> twice |> twice", twice) ==
             "twice1.inner.conv1 twice1.inner.ln twice1.inner_2.conv1=twice1.inner.conv1 "
             "twice1.inner_2.ln=twice1.inner.ln "
             "twice2.inner.conv1 twice2.inner.ln twice2.inner_2.conv1=twice2.inner.conv1 "
             "twice2.inner_2.ln=twice2.inner.ln");
  BOOST_TEST(layersOf("shared outer = twice\nimage |> outer |> outer", twice) ==
             "outer.inner.conv1 outer.inner.ln outer.inner_2.conv1=outer.inner.conv1 "
             "outer.inner_2.ln=outer.inner.ln "
             "outer_2.inner.conv1=outer.inner.conv1 outer_2.inner.ln=outer.inner.ln "
             "outer_2.inner_2.conv1=outer.inner.conv1 outer_2.inner_2.ln=outer.inner.ln");
  // A shared block as an argument is the same one.
  const std::string apply = unit + "block apply(x, f: block(x)) {\n  x |> f\n}\n";
  BOOST_TEST(layersOf("shared head = unit\nimage |> apply(head) |> apply(head)", apply) ==
             "head.conv1 head.ln head_2.conv1=head.conv1 head_2.ln=head.ln");
}

// A budget's expression is undone, calls and parameters of shared blocks too, and counts these once.
BOOST_AUTO_TEST_CASE(within_budgets) {
  const auto limitOf = [](const std::string &budget, const std::string &blocks = unit) {
    const Graph graph =
        graphOf(blocks +
                "network net() {\n  input image: [8, 8, 8]\n  shared head = conv(_, 8, 1)\n"
                "  learned n: [int] = [8] within " +
                budget + "\n  image |> head |> head |> conv(n[0], 1) |> conv(4, 1)\n}\nmodel m = net()\n");
    BOOST_TEST(layersOf(graph) == "head head_2=head conv1 conv2");
    return graph.holes[0].limit;
  };
  BOOST_TEST(limitOf("macs(image |> head |> head)") == 2 * 64 * 64);
  BOOST_TEST(limitOf("params(image |> head |> head)") == 64);
  BOOST_TEST(limitOf("params(image |> twice)",
                     unit + "block twice(x) {\n  shared p = conv(_, 8, 1)\n  x |> p |> p\n}\n") == 64);
}

BOOST_AUTO_TEST_CASE(shared_is_a_name_too) {
  BOOST_TEST(errorOf("shared = image |> relu\nshared |> conv(4, 1)") == "");
  BOOST_TEST(errorOf("image |> shared", "block shared(x) {\n  x |> relu\n}\n") == "");
}

BOOST_AUTO_TEST_CASE(one_label_twice_names_shared_blocks) {
  expectError("(image |> cls: unit) + (image |> cls: unit)", "those of a shared block: `shared head = ...`");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_shared) {
  expectError("shared head = 3\nimage", "what is shared must be a block, found int");
  expectError("shared head = image |> relu\nimage", "what is shared must be a block, found tensor");
  expectError("shared head = unit\nimage |> inline: head", "label on a shared block");
  expectError("shared head = conv(_, _, 1)\n(image |> head(4)) + (image |> head(8))",
              "the parameters of `head` have two shapes");
  expectError("shared head = batch_norm\nimage |> head", "`batch_norm` in the shared block `head`");
  expectError("shared head = unit\nhead = 2\nshared head = unit\nimage", "two blocks at the place `head`");
  const std::string learned =
      "block grown(x) {\n  learned n: [int] = [8] within neurons(8)\n  x |> conv(n[0], 1)\n}\n";
  expectError("shared head = grown\nimage |> head", "a `learned` hole in the shared block `head`", learned);
  expectError(
      "learned n: [int] = [8] within neurons(8)\nshared head = conv(_, 4, 1)\nimage |> conv(n[0], 1) |> head",
      "`conv` of a learned width in the shared block `head`");
  const std::string chosen =
      "block scaled(x) {\n  choose s: float from [0.5, 1.0]\n  x |> resize(nearest, scale = s)\n}\n";
  expectError("shared head = scaled\nimage |> head", "a `choose` hole in the shared block `head`", chosen);
}

// The places of nodes whose parameters training leaves alone.
std::string frozenOf(const std::string &body, const std::string &blocks = unit) {
  std::string out;
  for (const Node &node :
       graphOf(blocks + "network net() {\n  input image: [8, 32, 32]\n" + body + "\n}\nmodel m = net()\n")
           .nodes)
    if (node.frozen)
      out += (out.empty() ? "" : " ") + node.place;
  return out;
}

BOOST_AUTO_TEST_CASE(frozen_blocks) {
  BOOST_TEST(layersOf("frozen head = unit\nimage |> head |> head") ==
             "head.conv1 head.ln head_2.conv1=head.conv1 head_2.ln=head.ln");
  BOOST_TEST(frozenOf("frozen head = unit\nimage |> unit |> head |> unit") == "head.conv1 head.ln");
  // With batch norms, which no call moves, and without dropouts, which drop nothing.
  const std::string normed = "block normed(x) {\n  x |> conv(8, 1) |> batch_norm |> dropout(0.5)\n}\n";
  BOOST_TEST(frozenOf("frozen a = normed\nimage |> a |> a |> normed", normed) ==
             "a.conv1 a.bn1 a_2.conv1 a_2.bn1");
  const Graph graph = graphOf(normed + "network net() {\n  input image: [8, 4, 4]\n  frozen a = normed\n"
                                       "  image |> a |> normed\n}\nmodel m = net()\n");
  BOOST_TEST(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                           [](const Node &node) { return node.kind == OpKind::Dropout; }) == 1);
  // All of a frozen block is frozen, what it shares too.
  BOOST_TEST(frozenOf("frozen outer = twice\nimage |> outer",
                      unit + "block twice(x) {\n  shared p = conv(_, 8, 1)\n  x |> p |> unit |> p\n}\n") ==
             "outer.p outer.unit1.conv1 outer.unit1.ln outer.p_2");
  BOOST_TEST(errorOf("frozen = image |> relu\nfrozen |> conv(4, 1)") == "");
  expectError("frozen head = 3\nimage", "what is frozen must be a block, found int");
  const std::string learned =
      "block grown(x) {\n  learned n: [int] = [8] within neurons(8)\n  x |> conv(n[0], 1)\n}\n";
  expectError("frozen head = grown\nimage |> head", "a `learned` hole in the frozen block `head`", learned);
  expectError("shared p = conv(_, 8, 1)\nfrozen q = apply(_, p)\nimage |> p |> q",
              "the parameters of `p` are frozen in one call and trained in another",
              "block apply(x, f: block(x)) {\n  x |> f\n}\n");
}

// A network is a block of its input.
BOOST_AUTO_TEST_CASE(called_networks) {
  const std::string inner = unit + "network inner(channels: int = 8) {\n  input image: [8, 224, 224]\n"
                                   "  target kind: [] of int\n  x = image |> unit(channels)\n"
                                   "  loss softmax_cross_entropy(x |> global_avg_pool |> linear(3), kind)\n"
                                   "  x\n}\n";
  BOOST_TEST(layersOf("image |> inner |> a: inner(channels = 4)", inner) ==
             "inner1.unit1.conv1 inner1.unit1.ln a.unit1.conv1 a.unit1.ln");
  BOOST_TEST(layersOf("image |> inline: inner", inner) == "unit1.conv1 unit1.ln");
  BOOST_TEST(layersOf("shared s = inner(_, channels = 8)\nimage |> s |> s", inner) ==
             "s.unit1.conv1 s.unit1.ln s_2.unit1.conv1=s.unit1.conv1 s_2.unit1.ln=s.unit1.ln");
  // Several outputs are a list, in their order.
  const std::string pyramid = "network pyramid() {\n  input image: [8, 8, 8]\n  for i in range(2) {\n"
                              "    image = image |> conv(4, 3)\n    output \"p{i}\" = image\n  }\n}\n";
  BOOST_TEST(layersOf("a, b = image |> pyramid\na + b |> conv(2, 1)", pyramid) ==
             "pyramid1.conv1 pyramid1.conv2 conv1");
  expectError("image |> conv(4, 1) |> inner", "the input of `inner` must be 8 channels, found 4", inner);
  expectError("image |> inner(3, 4)", "takes 2 arguments", inner);
  expectError("image |> inner(image = 3)", "`image` is given twice", inner);
  expectError("image |> itself", "blocks call each other more than",
              "network itself() {\n  input image: [8, 8, 8]\n  image |> itself\n}\n");
  // What stands before the input changes nothing of what is given.
  BOOST_TEST(
      layersOf("image |> late",
               "network late() {\n  image = 3\n  input image: [8, 8, 8]\n  image |> conv(4, 1)\n}\n") ==
      "late1.conv1");
  expectError(
      "image |> graded", "it is a target, and a network that is called has none",
      "network graded() {\n  input image: [8, 8, 8]\n  target grade: [8] of float\n  half = grade / 2\n"
      "  x = image |> global_avg_pool\n  loss squared_error(x, half)\n  x\n}\n");
  const std::string named = errorOf("image", unit + "network a() {\n  input image: [8, 8, 8]\n  image\n}\n"
                                                    "model b = a(image = 3)\n");
  BOOST_TEST(named.find("`a` has no parameter `image`") != std::string::npos, named);
}

BOOST_AUTO_TEST_SUITE_END()
