// A graph with every kind of node becomes the op it should, with its attributes, places, holes and
// parameters.
#define BOOST_TEST_MODULE GraphToVn
#include "compiler/lower/GraphToVn.h"
#include "compiler/analysis/Cost.h"
#include "compiler/ir/VnOps.h"
#include "mlir/IR/Diagnostics.h"
#include <boost/test/included/unit_test.hpp>

using namespace vernier;
using dsl::OpKind;

namespace {

struct GraphBuilder {
  dsl::Graph graph;

  GraphBuilder() {
    graph.model = "small";
    graph.files = {"small.vn"};
    add(OpKind::Input, "image", {}, {4, 8, 8}, [](dsl::Node &) {});
  }

  template <class Set>
  int add(OpKind kind, std::string place, std::vector<int> operands, dsl::Shape shape, Set set) {
    dsl::Node node;
    node.kind = kind;
    node.place = std::move(place);
    node.operands = std::move(operands);
    node.shape = shape;
    node.channels = shape.channels;
    node.location = {0, static_cast<int>(graph.nodes.size()) + 1, 3};
    node.scopes = {{"layer1", "stage", {}}};
    set(node);
    graph.nodes.push_back(node);
    return static_cast<int>(graph.nodes.size()) - 1;
  }

  int add(OpKind kind, std::string place, std::vector<int> operands, dsl::Shape shape) {
    return add(kind, std::move(place), std::move(operands), shape, [](dsl::Node &) {});
  }

  int activate(Activation activation, std::string place, std::vector<int> operands, dsl::Shape shape) {
    return add(OpKind::Activate, std::move(place), std::move(operands), shape,
               [&](dsl::Node &node) { node.activation = activation; });
  }
};

std::string print(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  module.print(out, mlir::OpPrintingFlags().elideLargeElementsAttrs());
  return text;
}

void checkContains(const std::string &text, const std::string &part) {
  BOOST_CHECK_MESSAGE(text.find(part) != std::string::npos, "no `" << part << "` in\n" << text);
}

GraphBuilder everyKind() {
  GraphBuilder b;
  dsl::Hole &hole = b.graph.holes.emplace_back();
  hole.place = "layer1.channels";
  hole.seed = {6, 2};
  hole.budget = dsl::BudgetKind::Macs;
  hole.limit = 4096;
  int c = b.add(OpKind::Convolution, "conv1", {0}, {6, 4, 4}, [](dsl::Node &n) {
    n.kernel[0] = n.kernel[1] = 3;
    n.stride[0] = n.stride[1] = 2;
    n.padding[0] = n.padding[1] = n.padding[2] = n.padding[3] = 1;
    n.groups = 2;
    n.bias = true;
    n.channelsFrom = dsl::HoleUse{0, 0};
  });
  int n = b.add(OpKind::BatchNorm, "bn1", {c}, {6, 4, 4}, [](dsl::Node &n) { n.momentum = 0.25; });
  int layerNorm = b.add(OpKind::LayerNorm, "ln1", {n}, {6, 4, 4}, [](dsl::Node &n) { n.epsilon = 0.5; });
  int scaled =
      b.add(OpKind::LayerScale, "scale1", {layerNorm}, {6, 4, 4}, [](dsl::Node &n) { n.initial = 0.125; });
  int mean = b.add(OpKind::ChannelMean, "mean1", {n}, {1, 4, 4});
  b.add(OpKind::ChannelMax, "max1", {mean}, {1, 4, 4});
  int r = b.activate(Activation::Relu6, "relu1", {scaled}, {6, 4, 4});
  int m = b.add(OpKind::MaxPool, "pool", {r}, {6, 2, 2}, [](dsl::Node &n) {
    n.kernel[0] = n.kernel[1] = 3;
    n.stride[0] = n.stride[1] = 2;
    n.ceil = true;
  });
  int a = b.add(OpKind::AvgPool, "average", {m}, {6, 2, 2}, [](dsl::Node &n) {
    n.kernel[0] = n.kernel[1] = 2;
    n.padding[0] = n.padding[2] = 1;
    n.countPadding = false;
  });
  int u = b.add(OpKind::Resize, "up", {a}, {6, 5, 5}, [](dsl::Node &n) {
    n.mode = dsl::ResizeMode::Bilinear;
    n.alignCorners = true;
  });
  b.add(OpKind::Resample, "filtered", {u}, {6, 3, 3}, [](dsl::Node &n) {
    n.resampling = dsl::Resampling::BicubicAntialias;
    n.scale = 0.6;
  });
  int p = b.add(OpKind::Pad, "pad", {u}, {6, 6, 5}, [](dsl::Node &n) {
    n.padding[1] = 1;
    n.replicate = true;
  });
  int k = b.add(OpKind::Crop, "crop", {p}, {6, 4, 4}, [](dsl::Node &n) { n.offset[0] = 2; });
  int s = b.add(OpKind::Slice, "slice", {k}, {2, 4, 4}, [](dsl::Node &n) { n.begin = 3; });
  int j = b.add(OpKind::Concat, "join", {s, k}, {8, 4, 4});
  int g = b.add(OpKind::GlobalAvgPool, "squeeze", {j}, {8, 1, 1});
  int q = b.activate(Activation::Sigmoid, "gate", {g}, {8, 1, 1});
  int x = b.add(OpKind::Multiply, "scale", {j, q}, {8, 4, 4});
  int i = b.add(OpKind::ChannelShuffle, "shuffle", {x}, {8, 4, 4}, [](dsl::Node &n) { n.groups = 4; });
  int y = b.add(OpKind::Add, "sum", {i, j}, {8, 4, 4});
  int z = b.activate(Activation::Relu, "relu2", {y}, {8, 4, 4});
  int h = b.add(OpKind::GlobalAvgPool, "head", {z}, {8, 1, 1});
  int l = b.add(OpKind::Linear, "fc", {h}, {10, 1, 1}, [](dsl::Node &n) { n.bias = true; });
  int t = b.add(OpKind::TransposedConvolution, "enlarge", {z}, {6, 9, 8}, [](dsl::Node &n) {
    n.kernel[0] = n.kernel[1] = 4;
    n.stride[0] = n.stride[1] = 2;
    n.padding[0] = n.padding[1] = n.padding[2] = n.padding[3] = 1;
    n.outputPadding[0] = 1;
    n.groups = 2;
    n.bias = true;
    n.channelsFrom = dsl::HoleUse{0, 1};
  });
  b.add(OpKind::Parameter, "learned", {}, {3, 1, 1}, [](dsl::Node &n) {
    n.channels = 3;
    n.initial = 0.25;
  });
  b.graph.outputs = {{"logits", l}, {"features", z}, {"large", t}};
  return b;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_kind_of_node) {
  mlir::MLIRContext context;
  auto module = compiler::lowerGraph(context, everyKind().graph, 2);
  BOOST_REQUIRE(module);
  std::string text = print(*module);
  for (const char *part : {
           "vn.model = \"small\"",
           "vn.hole @layer1.channels learned seed [6, 2] within macs 4096",
           "func.func @infer(%arg0: tensor<2x8x8x4xf32>) -> (tensor<2x1x1x10xf32>, tensor<2x4x4x8xf32>, "
           "tensor<2x9x8x6xf32>)",
           "vn.outputs = [\"logits\", \"features\", \"large\"]",
           "strides [2, 2] padding [1, 1, 1, 1] groups 2 hole @layer1.channels[0] {vn.place = \"conv1\", "
           "vn.scopes = "
           "[[\"layer1\", \"stage\"]]}",
           "epsilon 1.000000e-05 momentum 2.500000e-01 {vn.place = \"bn1\"",
           "epsilon 5.000000e-01 {vn.place = \"ln1\"",
           "vn.parameter \"scale1.weight\" gamma initial 1.250000e-01",
           "vn.scale_channels",
           "vn.parameter \"learned.weight\" gamma initial 2.500000e-01",
           "{vn.place = \"learned\", vn.scopes = [[\"layer1\", \"stage\"]]} : (tensor<3xf32>) -> "
           "tensor<2x1x1x3xf32>",
           "vn.reduce_channels mean",
           "vn.reduce_channels max",
           "vn.activate relu6",
           "kernel [3, 3] strides [2, 2] ceil",
           "kernel [2, 2] strides [1, 1] padding [1, 0, 1, 0] count_padding false",
           "vn.resize bilinear %17 align_corners",
           "vn.resample bicubic_antialias %18 scale 6.000000e-01",
           "vn.pad replicate %18 by [0, 1, 0, 0]",
           "at [2, 0]",
           "from 3",
           "vn.activate sigmoid",
           "vn.multiply",
           "vn.channel_shuffle %26 in 4",
           "vn.activate relu ",
           "strides [2, 2] padding [1, 1, 1, 1] groups 2 output_padding [1, 0] hole @layer1.channels[1] "
           "{vn.place = "
           "\"enlarge\"",
           "(tensor<2x4x4x8xf32>, tensor<8x3x4x4xf32>, tensor<6xf32>) -> tensor<2x9x8x6xf32>",
           "(tensor<2x1x1x8xf32>, tensor<10x8xf32>, tensor<10xf32>) -> tensor<2x1x1x10xf32>",
       })
    checkContains(text, part);
}

BOOST_AUTO_TEST_CASE(parameters_in_published_order) {
  mlir::MLIRContext context;
  auto module = compiler::lowerGraph(context, everyKind().graph, 2);
  std::vector<std::string> names;
  module->walk([&](vn::ParameterOp parameter) { names.push_back(parameter.getName().str()); });
  std::vector<std::string> expected = {"conv1.weight",     "conv1.bias",      "bn1.weight", "bn1.bias",
                                       "bn1.running_mean", "bn1.running_var", "ln1.weight", "ln1.bias",
                                       "scale1.weight",    "fc.weight",       "fc.bias",    "enlarge.weight",
                                       "enlarge.bias",     "learned.weight"};
  BOOST_CHECK_EQUAL_COLLECTIONS(names.begin(), names.end(), expected.begin(), expected.end());
}

BOOST_AUTO_TEST_CASE(costs_are_per_image) {
  mlir::MLIRContext context;
  auto module = compiler::lowerGraph(context, everyKind().graph, 2);
  auto summary = compiler::summarizeCost(module->lookupSymbol<mlir::func::FuncOp>("infer"));
  BOOST_CHECK_EQUAL(summary.batch, 2);
  BOOST_CHECK_EQUAL(summary.macs, 4 * 4 * 6 * 2 * 3 * 3 + 8 * 10 + 4 * 4 * 8 * 3 * 4 * 4);
  BOOST_CHECK_EQUAL(summary.parameters,
                    6 * 2 * 3 * 3 + 6 + 2 * 6 + 3 * 6 + 8 * 10 + 10 + 8 * 3 * 4 * 4 + 6 + 3);
  BOOST_REQUIRE_EQUAL(summary.blocks.size(), 1);
  BOOST_CHECK_EQUAL(summary.blocks[0].block, "stage");
}

// A factor of 1: nothing is resized, the choice's batch norm and what is open remain.
BOOST_AUTO_TEST_CASE(choices_that_were_made) {
  GraphBuilder b;
  const auto choose = [&](const char *place, bool bound) {
    dsl::Hole hole;
    hole.kind = dsl::Hole::Kind::Choose;
    hole.place = place;
    hole.choices = {1, 0.5};
    hole.bound = bound;
    b.graph.holes.push_back(hole);
  };
  choose("f", true);
  choose("g", false);
  int a =
      b.activate(Activation::Relu, "relu1", {b.add(OpKind::Resize, "resize1", {0}, {4, 8, 8})}, {4, 8, 8});
  int r = b.add(OpKind::Resize, "resize2", {a}, {4, 8, 8});
  int n = b.add(OpKind::BatchNorm, "bn1", {r}, {4, 8, 8}, [](dsl::Node &n) { n.variant = "[1]"; });
  b.graph.outputs = {{"features", n}};
  mlir::MLIRContext context;
  auto module = compiler::lowerGraph(context, b.graph, 1);
  BOOST_REQUIRE(module);
  std::vector<std::string> names;
  module->walk([&](vn::ParameterOp parameter) { names.push_back(parameter.getName().str()); });
  std::vector<std::string> expected = {"bn1[1].weight", "bn1[1].bias", "bn1[1].running_mean",
                                       "bn1[1].running_var"};
  BOOST_CHECK_EQUAL_COLLECTIONS(names.begin(), names.end(), expected.begin(), expected.end());
  int holes = 0, resizes = 0;
  module->walk([&](vn::HoleOp hole) { holes += hole.getSymName() == "g" ? 1 : 100; });
  module->walk([&](vn::ResizeOp) { ++resizes; });
  BOOST_CHECK_EQUAL(holes, 1);
  BOOST_CHECK_EQUAL(resizes, 0);
  checkContains(print(*module), "relu1"); // keeps its place
}

// A shape that contradicts the op is an error at the node's place in the specification.
BOOST_AUTO_TEST_CASE(wrong_shape_is_an_error_at_its_place) {
  GraphBuilder b;
  int n = b.add(OpKind::MaxPool, "pool", {0}, {4, 3, 4},
                [](dsl::Node &n) { n.kernel[0] = n.kernel[1] = n.stride[0] = n.stride[1] = 2; });
  b.graph.outputs = {{"features", n}};
  mlir::MLIRContext context;
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    llvm::raw_string_ostream(message) << diagnostic.getLocation() << ": " << diagnostic;
  });
  BOOST_CHECK(!compiler::lowerGraph(context, b.graph, 1));
  checkContains(message, "small.vn\":2:3");
  checkContains(message, "its operands make it 'tensor<1x4x4x4xf32>'");
}
