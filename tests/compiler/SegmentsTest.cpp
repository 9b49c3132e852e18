// How a network with open holes is cut into segments.
#define BOOST_TEST_MODULE Segments
#include "compiler/lower/Segments.h"
#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include <boost/test/included/unit_test.hpp>

using namespace vernier;
using Names = std::vector<std::string>;

namespace {

struct Fixture {
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  Fixture() { context.loadDialect<vn::VnDialect, mlir::func::FuncDialect>(); }

  // Ops on 1x4x4x2 maps, `results` of them returned as `names`; holes @f and @g are open.
  std::vector<compiler::Segment> split(const std::string &ops, const std::string &names,
                                       const std::string &results) {
    std::string types;
    for (size_t i = 0; i <= size_t(std::count(results.begin(), results.end(), ',')); ++i)
      types += (i ? ", " : "") + map;
    module = mlir::parseSourceString<mlir::ModuleOp>(
        "vn.hole @f choose from [1.0, 0.5]\nvn.hole @g choose from [1.0, 0.5]\n"
        "func.func @infer(%image: " +
            map + ") -> (" + types + ") attributes {vn.outputs = [" + names + "]} {\n" + ops + "return " +
            results + " : " + types + "\n}",
        &context);
    BOOST_REQUIRE(module);
    auto segments = compiler::splitIntoSegments(*module);
    for (compiler::Segment &segment : segments)
      BOOST_REQUIRE(succeeded(mlir::verify(*segment.module)));
    return segments;
  }

  // "%y = relu of %x" that depends on these holes.
  static std::string op(const std::string &y, const std::string &x, const std::string &holes = "") {
    return "%" + y + " = vn.activate relu %" + x + " {vn.place = \"" + y + "\"" +
           (holes.empty() ? "" : ", vn.choices = [" + holes + "]") + "} : " + map + "\n";
  }

  static std::string sum(const std::string &y, const std::string &a, const std::string &b,
                         const std::string &holes) {
    return "%" + y + " = vn.add %" + a + ", %" + b + " {vn.place = \"" + y + "\", vn.choices = [" + holes +
           "]} : (" + map + ", " + map + ") -> " + map + "\n";
  }

  static Names names(const compiler::Segment &segment, llvm::StringRef attribute) {
    mlir::ModuleOp module = *segment.module;
    Names result;
    auto infer = module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
    for (mlir::Attribute name : infer->getAttrOfType<mlir::ArrayAttr>(attribute))
      result.push_back(llvm::cast<mlir::StringAttr>(name).str());
    return result;
  }

  static int64_t ops(const compiler::Segment &segment) {
    mlir::ModuleOp module = *segment.module;
    int64_t count = 0;
    module.walk([&](vn::ActivateOp) { ++count; });
    return count;
  }

  static inline const std::string map = "tensor<1x4x4x2xf32>", f = "\"f\"", g = "\"g\"";
};

void check(const Names &found, const Names &expected) {
  BOOST_CHECK_EQUAL_COLLECTIONS(found.begin(), found.end(), expected.begin(), expected.end());
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(segments, Fixture)

BOOST_AUTO_TEST_CASE(of_consecutive_ops_with_the_same_holes) {
  const auto segments =
      split(op("a", "image") + op("b", "a", f) + op("c", "b", f) + op("d", "c", g), "\"logits\"", "%d");
  BOOST_REQUIRE_EQUAL(segments.size(), 3u);
  check(segments[0].holes, {});
  check(segments[1].holes, {"f"});
  check(segments[2].holes, {"g"});
  BOOST_CHECK_EQUAL(ops(segments[1]), 2);
  check(names(segments[0], vn::kInputsAttr), {"<image>"});
  check(names(segments[0], vn::kPassedOnAttr), {"a"});
  check(names(segments[1], vn::kInputsAttr), {"a"});
  check(names(segments[1], vn::kPassedOnAttr), {"c"});
  check(names(segments[2], vn::kInputsAttr), {"c"});
  check(names(segments[2], vn::kPassedOnAttr), {});
  check(names(segments[2], vn::kOutputsAttr), {"logits"});
}

// A stage's first block goes with the resize before it, and with it the activation behind the block's
// addition.
BOOST_AUTO_TEST_CASE(readers_of_a_result_of_more_holes) {
  const auto segments =
      split(op("a", "image", f) + op("d", "a", f + ", " + g) + op("e", "d", g) + op("f", "e", g) +
                sum("s", "d", "f", g) + op("h", "s", g) + sum("i", "h", "h", g),
            "\"logits\"", "%i");
  BOOST_REQUIRE_EQUAL(segments.size(), 3u);
  check(segments[1].holes, {"f", "g"});
  BOOST_CHECK_EQUAL(ops(segments[1]), 4); // d, e, f and h
  check(names(segments[1], vn::kPassedOnAttr), {"h"});
  check(segments[2].holes, {"g"});
}

BOOST_AUTO_TEST_CASE(resizes_that_change_nothing) {
  const std::string resize =
      "%r = vn.resize nearest %a {vn.place = \"r\", vn.choices = [\"f\"]} : (" + map + ") -> " + map + "\n";
  const auto segments = split(op("a", "image") + resize + op("b", "r", f), "\"y\"", "%b");
  BOOST_REQUIRE_EQUAL(segments.size(), 2u);
  int resizes = 0;
  mlir::ModuleOp(*segments[1].module).walk([&](vn::ResizeOp) { ++resizes; });
  BOOST_CHECK_EQUAL(resizes, 0);
  BOOST_CHECK_EQUAL(ops(segments[1]), 1);
}

// What several segments take, and what is an output too, is passed on once.
BOOST_AUTO_TEST_CASE(values_that_skip_segments) {
  const auto segments =
      split(op("a", "image") + op("b", "a", f) + sum("s", "a", "b", f + ", " + g) + op("c", "a", g),
            "\"first\", \"second\", \"third\"", "%c, %a, %s");
  BOOST_REQUIRE_EQUAL(segments.size(), 4u);
  check(names(segments[0], vn::kOutputsAttr), {"second"});
  check(names(segments[0], vn::kPassedOnAttr), {"a"});
  check(names(segments[2], vn::kInputsAttr), {"a", "b"});
  check(names(segments[2], vn::kOutputsAttr), {"third"});
  check(names(segments[3], vn::kInputsAttr), {"a"});
  check(names(segments[3], vn::kOutputsAttr), {"first"});
}

// A gate's pooled maps depend on no hole, between ops that do.
BOOST_AUTO_TEST_CASE(fewer_holes_between_equal_ones) {
  const auto segments = split(op("a", "image", f) + op("b", "image") + op("c", "b", f) + op("d", "image", g),
                              "\"y\", \"z\", \"w\"", "%a, %c, %d");
  BOOST_REQUIRE_EQUAL(segments.size(), 2u);
  BOOST_CHECK_EQUAL(ops(segments[0]), 3);
  check(segments[0].holes, {"f"});
  // But not other holes.
  BOOST_CHECK_EQUAL(
      split(op("a", "image", f) + op("b", "image", g) + op("c", "image", f), "\"y\"", "%c").size(), 3u);
}

// Parameters lie where they are read; learned holes stay.
BOOST_AUTO_TEST_CASE(parameters_and_holes) {
  module = mlir::parseSourceString<mlir::ModuleOp>(R"mlir(
    vn.hole @channels learned seed [3]
    vn.hole @f choose from [1.0, 0.5]
    func.func @infer(%image: tensor<1x4x4x2xf32>) -> tensor<1x4x4x3xf32> attributes {vn.outputs = ["y"]} {
      %x = vn.activate relu %image {vn.place = "x"} : tensor<1x4x4x2xf32>
      %w = vn.parameter "conv.weight" convolution_weight : tensor<3x2x1x1xf32>
      %y = vn.convolution %x, %w hole @channels[0] {vn.place = "conv", vn.choices = ["f"]}
        : (tensor<1x4x4x2xf32>, tensor<3x2x1x1xf32>) -> tensor<1x4x4x3xf32>
      return %y : tensor<1x4x4x3xf32>
    })mlir",
                                                   &context);
  BOOST_REQUIRE(module);
  const auto segments = compiler::splitIntoSegments(*module);
  BOOST_REQUIRE_EQUAL(segments.size(), 2u);
  int parameters = 0, holes = 0;
  mlir::ModuleOp(*segments[1].module).walk([&](vn::ParameterOp) { ++parameters; });
  mlir::ModuleOp(*segments[1].module).walk([&](vn::HoleOp hole) {
    holes += hole.getKind() == vn::HoleKind::Learned;
  });
  BOOST_CHECK_EQUAL(parameters, 1);
  BOOST_CHECK_EQUAL(holes, 1);
}

BOOST_AUTO_TEST_CASE(a_network_without_open_holes_is_one) {
  const auto segments = split(op("a", "image") + op("b", "a"), "\"y\", \"x\"", "%b, %image");
  BOOST_REQUIRE_EQUAL(segments.size(), 1u);
  check(names(segments[0], vn::kOutputsAttr), {"y", "x"});
  check(names(segments[0], vn::kInputsAttr), {"<image>"});
}

BOOST_AUTO_TEST_SUITE_END()
