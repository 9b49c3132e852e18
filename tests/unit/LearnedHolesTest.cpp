// Costs, gammas and limits of holes, on programs whose figures are worked out by hand.
#define BOOST_TEST_MODULE learned_holes
#include <boost/test/included/unit_test.hpp>

#include "compiler/analysis/AllocationBudget.h"
#include "mlir/Parser/Parser.h"

using namespace vernier::compiler;
using vernier::vn::BudgetKind;

namespace {

// ScaleNet's block at scales 1 and 2; each scale has a batch norm after its resize.
constexpr const char *kTwoScales = R"(
  vn.hole @channels learned seed [4, 2] within macs 2304
  func.func @infer(%x: tensor<2x8x8x4xf32>) -> tensor<2x8x8x5xf32> {
    %w0 = vn.parameter "a.weight" convolution_weight : tensor<4x4x3x3xf32>
    %b0 = vn.parameter "a.bias" bias : tensor<4xf32>
    %w1 = vn.parameter "b.weight" convolution_weight : tensor<2x4x3x3xf32>
    %w2 = vn.parameter "c.weight" convolution_weight : tensor<5x6x1x1xf32>
    %g0 = vn.parameter "n.weight" gamma : tensor<4xf32>
    %h0 = vn.parameter "n.bias" beta : tensor<4xf32>
    %m0 = vn.parameter "n.running_mean" running_mean : tensor<4xf32>
    %v0 = vn.parameter "n.running_var" running_var : tensor<4xf32>
    %g1 = vn.parameter "o.weight" gamma : tensor<2xf32>
    %h1 = vn.parameter "o.bias" beta : tensor<2xf32>
    %m1 = vn.parameter "o.running_mean" running_mean : tensor<2xf32>
    %v1 = vn.parameter "o.running_var" running_var : tensor<2xf32>
    %0 = vn.convolution %x, %w0 bias %b0 padding [1, 1, 1, 1] hole @channels[0] : (tensor<2x8x8x4xf32>, tensor<4x4x3x3xf32>, tensor<4xf32>) -> tensor<2x8x8x4xf32>
    %1 = vn.batch_norm %0, %g0, %h0, %m0, %v0 epsilon 1.0e-5 momentum 1.0e-1 : (tensor<2x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x8x8x4xf32>
    %2 = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<2x8x8x4xf32>) -> tensor<2x4x4x4xf32>
    %3 = vn.convolution %2, %w1 padding [1, 1, 1, 1] hole @channels[1] : (tensor<2x4x4x4xf32>, tensor<2x4x3x3xf32>) -> tensor<2x4x4x2xf32>
    %4 = vn.resize nearest %3 : (tensor<2x4x4x2xf32>) -> tensor<2x8x8x2xf32>
    %5 = vn.batch_norm %4, %g1, %h1, %m1, %v1 epsilon 1.0e-5 momentum 1.0e-1 : (tensor<2x8x8x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x8x8x2xf32>
    %6 = vn.concat %1, %5 : (tensor<2x8x8x4xf32>, tensor<2x8x8x2xf32>) -> tensor<2x8x8x6xf32>
    %7 = vn.activate relu %6 : tensor<2x8x8x6xf32>
    %8 = vn.convolution %7, %w2 : (tensor<2x8x8x6xf32>, tensor<5x6x1x1xf32>) -> tensor<2x8x8x5xf32>
    return %8 : tensor<2x8x8x5xf32>
  })";

// One batch norm for both scales, after their concat and a slice that holds all of the second but only part
// of the first.
constexpr const char *kSharedNorm = R"(
  vn.hole @channels learned seed [2, 3] within neurons 3
  func.func @infer(%x: tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32> {
    %w0 = vn.parameter "a.weight" linear_weight : tensor<2x4xf32>
    %w1 = vn.parameter "b.weight" linear_weight : tensor<3x4xf32>
    %g = vn.parameter "n.weight" gamma : tensor<4xf32>
    %h = vn.parameter "n.bias" beta : tensor<4xf32>
    %m = vn.parameter "n.running_mean" running_mean : tensor<4xf32>
    %v = vn.parameter "n.running_var" running_var : tensor<4xf32>
    %0 = vn.linear %x, %w0 hole @channels[0] : (tensor<1x1x1x4xf32>, tensor<2x4xf32>) -> tensor<1x1x1x2xf32>
    %1 = vn.linear %x, %w1 hole @channels[1] : (tensor<1x1x1x4xf32>, tensor<3x4xf32>) -> tensor<1x1x1x3xf32>
    %2 = vn.concat %0, %1 : (tensor<1x1x1x2xf32>, tensor<1x1x1x3xf32>) -> tensor<1x1x1x5xf32>
    %3 = vn.slice %2 from 1 : (tensor<1x1x1x5xf32>) -> tensor<1x1x1x4xf32>
    %4 = vn.batch_norm %3, %g, %h, %m, %v epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x1x1x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x1x1x4xf32>
    return %4 : tensor<1x1x1x4xf32>
  })";

// A layer norm behind the first scale, a scale of channels and then a layer norm behind the second.
constexpr const char *kOtherNorms = R"(
  vn.hole @channels learned seed [2, 3] within neurons 3
  func.func @infer(%x: tensor<1x4x4x4xf32>) -> tensor<1x4x4x5xf32> {
    %w0 = vn.parameter "a.weight" convolution_weight : tensor<2x4x1x1xf32>
    %w1 = vn.parameter "b.weight" convolution_weight : tensor<3x4x1x1xf32>
    %g = vn.parameter "n.weight" gamma : tensor<2xf32>
    %h = vn.parameter "n.bias" beta : tensor<2xf32>
    %s = vn.parameter "s.weight" gamma initial 1.0e-6 : tensor<3xf32>
    %k = vn.parameter "o.weight" gamma : tensor<5xf32>
    %l = vn.parameter "o.bias" beta : tensor<5xf32>
    %0 = vn.convolution %x, %w0 hole @channels[0] : (tensor<1x4x4x4xf32>, tensor<2x4x1x1xf32>) -> tensor<1x4x4x2xf32>
    %1 = vn.layer_norm %0, %g, %h epsilon 1.0e-5 : (tensor<1x4x4x2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x4x4x2xf32>
    %2 = vn.convolution %x, %w1 hole @channels[1] : (tensor<1x4x4x4xf32>, tensor<3x4x1x1xf32>) -> tensor<1x4x4x3xf32>
    %3 = vn.scale_channels %2, %s : (tensor<1x4x4x3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
    %4 = vn.concat %1, %3 : (tensor<1x4x4x2xf32>, tensor<1x4x4x3xf32>) -> tensor<1x4x4x5xf32>
    %5 = vn.layer_norm %4, %k, %l epsilon 1.0e-5 : (tensor<1x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<1x4x4x5xf32>
    return %5 : tensor<1x4x4x5xf32>
  })";

// Transposed convolutions: one that a hole makes wide, and one that reads it.
constexpr const char *kTransposed = R"(
  vn.hole @channels learned seed [6] within neurons 3
  func.func @infer(%x: tensor<2x4x4x5xf32>) -> tensor<2x16x16x3xf32> {
    %w0 = vn.parameter "a.weight" convolution_weight : tensor<5x6x4x4xf32>
    %b0 = vn.parameter "a.bias" bias : tensor<6xf32>
    %w1 = vn.parameter "b.weight" convolution_weight : tensor<6x3x2x2xf32>
    %0 = vn.transposed_convolution %x, %w0 bias %b0 strides [2, 2] padding [1, 1, 1, 1] hole @channels[0] : (tensor<2x4x4x5xf32>, tensor<5x6x4x4xf32>, tensor<6xf32>) -> tensor<2x8x8x6xf32>
    %1 = vn.transposed_convolution %0, %w1 strides [2, 2] : (tensor<2x8x8x6xf32>, tensor<6x3x2x2xf32>) -> tensor<2x16x16x3xf32>
    return %1 : tensor<2x16x16x3xf32>
  })";

struct Parsed {
  explicit Parsed(const std::string &text) {
    context.loadDialect<vernier::vn::VnDialect, mlir::func::FuncDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    BOOST_REQUIRE(module);
    holes = findLearnedHoles(*module->getOps<mlir::func::FuncOp>().begin());
    BOOST_REQUIRE(holes.size() == 1);
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<LearnedHole> holes;
};

AllocationBudget parse(const char *text) {
  auto budget = AllocationBudget::parse(text);
  BOOST_TEST_REQUIRE(bool(budget), text);
  return *budget;
}

int64_t limit(const Parsed &program, const char *budget) {
  return limitOf(parse(budget), program.holes[0]).value();
}

void expectRefusal(const char *text, const std::string &why) {
  auto budget = AllocationBudget::parse(text);
  BOOST_TEST_REQUIRE(!budget, text);
  BOOST_TEST(llvm::toString(budget.takeError()) == "`" + std::string(text) + "` is no budget: " + why);
}

} // namespace

BOOST_AUTO_TEST_CASE(costs_count_what_a_neuron_costs_at_its_scale) {
  const Parsed program(kTwoScales);
  const HoleScale &full = program.holes[0].scales[0], &half = program.holes[0].scales[1];
  BOOST_TEST(full.channels == 4);
  BOOST_TEST(full.cost.macs == 8 * 8 * 3 * 3 * 4); // of one image
  BOOST_TEST(full.cost.parameters == 3 * 3 * 4 + 1);
  BOOST_TEST(half.channels == 2);
  BOOST_TEST(half.cost.macs == 4 * 4 * 3 * 3 * 4);
  BOOST_TEST(half.cost.parameters == 3 * 3 * 4);
  for (const HoleScale *scale : {&full, &half}) {
    BOOST_TEST(scale->following.macs == 8 * 8 * 5); // after the resize
    BOOST_TEST(scale->following.parameters == 5);
  }
  BOOST_TEST(costOf(half, BudgetKind::Macs, true) == 576 + 320);
  BOOST_TEST(costOf(half, BudgetKind::Parameters, true) == 36 + 5);
  BOOST_TEST(costOf(half, BudgetKind::Neurons, true) == 1);
}

BOOST_AUTO_TEST_CASE(costs_of_transposed_convolutions) {
  const Parsed program(kTransposed);
  const HoleScale &scale = program.holes[0].scales[0];
  BOOST_TEST(scale.cost.macs == 4 * 4 * 4 * 4 * 5); // each weight for each pixel of the operand
  BOOST_TEST(scale.cost.parameters == 4 * 4 * 5 + 1);
  BOOST_TEST(scale.following.macs == 8 * 8 * 2 * 2 * 3);
  BOOST_TEST(scale.following.parameters == 2 * 2 * 3);
}

BOOST_AUTO_TEST_CASE(gammas_are_found_behind_resizes) {
  const Parsed program(kTwoScales);
  for (size_t scale : {0, 1}) {
    const auto &gammas = program.holes[0].scales[scale].gammas;
    BOOST_REQUIRE(gammas.size() == 1);
    BOOST_TEST(vernier::vn::ParameterOp(gammas[0].gamma).getName().str() ==
               (scale ? "o.weight" : "n.weight"));
    BOOST_TEST(gammas[0].begin == 0);
  }
}

BOOST_AUTO_TEST_CASE(gammas_are_found_behind_concats_and_slices) {
  const Parsed program(kSharedNorm);
  BOOST_TEST(program.holes[0].scales[0].gammas.empty()); // the slice cuts it
  BOOST_REQUIRE(program.holes[0].scales[1].gammas.size() == 1);
  BOOST_TEST(program.holes[0].scales[1].gammas[0].begin == 1);
  BOOST_TEST(program.holes[0].scales[1].cost.macs == 4);
}

// The first that follows each scale, whatever it is.
BOOST_AUTO_TEST_CASE(gammas_of_layer_norms_and_scales) {
  Parsed program(kOtherNorms);
  std::vector<std::string> names;
  for (HoleScale &scale : program.holes[0].scales) {
    BOOST_TEST_REQUIRE(scale.gammas.size() == 1);
    names.push_back(scale.gammas[0].gamma.getName().str());
    BOOST_TEST(scale.gammas[0].begin == 0);
  }
  BOOST_TEST(names == (std::vector<std::string>{"n.weight", "s.weight"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(limits_in_the_holes_own_unit) {
  const Parsed program(kTwoScales);
  BOOST_TEST(limitOf(AllocationBudget(), program.holes[0]).value() == 2304);
  BOOST_TEST(limit(program, "macs") == 2304);
  BOOST_TEST(limit(program, "0.75") == 1728);
  BOOST_TEST(limit(program, " macs * 0.5 ") == 1152);
  BOOST_TEST(limit(program, "macs=100") == 100);
  BOOST_TEST(limit(program, "0.29") == 668); // 668.16
  BOOST_TEST(limit(program, "neurons=88") == 88);
}

BOOST_AUTO_TEST_CASE(limits_in_another_unit) {
  // 2304 multiply-adds pay for one neuron at full scale.
  const Parsed macs(kTwoScales);
  BOOST_TEST(limit(macs, "neurons") == 1);
  BOOST_TEST(limit(macs, "neurons*3") == 3);
  BOOST_TEST(limit(macs, "params") == 37);
  const Parsed neurons(kSharedNorm);
  BOOST_TEST(limit(neurons, "neurons") == 3);
  BOOST_TEST(limit(neurons, "macs") == 12);
  BOOST_TEST(limit(neurons, "params*0.5") == 6);
}

BOOST_AUTO_TEST_CASE(limits_in_time) {
  const Parsed program(kTwoScales);
  const LearnedHole &hole = program.holes[0];
  const int64_t neurons[] = {3000, 1000}; // picoseconds
  // The hole's own limit pays for one neuron at full scale.
  BOOST_TEST(latencyLimitOf(parse("latency"), hole, neurons).value() == 3000);
  BOOST_TEST(latencyLimitOf(parse("latency*0.5"), hole, neurons).value() == 1500);
  BOOST_TEST(latencyLimitOf(parse("latency=0.05ms"), hole, neurons).value() == 50'000'000);
  BOOST_TEST(latencyLimitOf(parse("latency = 2.5 us"), hole, neurons).value() == 2'500'000);
  BOOST_TEST(latencyLimitOf(parse("latency=7ns"), hole, neurons).value() == 7000);
  BOOST_TEST(parse("layer1.*:latency").latency);
  BOOST_TEST(!parse("macs").latency);
}

BOOST_AUTO_TEST_CASE(budgets_for_some_holes) {
  BOOST_TEST(parse("0.5").holes == "*");
  BOOST_TEST(parse("layer1.*:neurons=88").holes == "layer1.*");
  BOOST_TEST(parse("layer1.*:neurons=88").limit.value() == 88);
}

BOOST_AUTO_TEST_CASE(malformed_budgets) {
  expectRefusal("seconds", "unknown unit `seconds`");
  expectRefusal("latency=5", "`5` is no time such as 0.05ms");
  expectRefusal("latency=0ms", "`0ms` is no time such as 0.05ms");
  expectRefusal("macs+1", "`*` or `=` must follow the unit");
  expectRefusal("macs*", "`` is no positive number");
  expectRefusal("macs*-1", "`-1` is no positive number");
  expectRefusal("nan", "unknown unit `nan`");
  expectRefusal("neurons=0", "`0` is no positive integer");
  expectRefusal("neurons=1.5", "`1.5` is no positive integer");
  expectRefusal("neurons=99999999999999999999", "`99999999999999999999` is no positive integer");
  expectRefusal("88", "88 times the hole's own limit is too much; write neurons=88 for a number");
}
