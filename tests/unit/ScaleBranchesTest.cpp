// Which branches of a sum the scale policy score compares, and that the output that the scores are computed
// from holds the means of their maps, before and after the passes.
#define BOOST_TEST_MODULE scale_branches
#include "tests/unit/FiniteDifferences.h"

#include "compiler/analysis/ScaleBranches.h"
#include "compiler/interpreter/Interpreter.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/ScalePolicy.h"
#include "tests/support/SpecificationModule.h"

using namespace vernier;
using namespace vernier::interpreter;
using namespace vernier::interpreter::testing;

namespace {

constexpr double Tolerance = 1e-10;

struct Network {
  Network()
      : module(vernier::testing::buildModule(
            *context, {std::string(VERNIER_TEST_NETWORKS) + "/scale_branches.vn", "m", "", 2})) {
    BOOST_TEST_REQUIRE(static_cast<bool>(module));
    infer = module->lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
    unsigned seed = 1;
    for (vn::ParameterOp parameter : infer.getOps<vn::ParameterOp>()) {
      Tensor tensor = randomTensor(parameter.getType().getShape().vec(), seed++);
      if (parameter.getKind() == vn::ParameterKind::RunningVar)
        for (double &value : tensor.data)
          value += 1.5;
      environment.parameters[parameter.getName().str()] = std::move(tensor);
    }
    for (mlir::Type type : infer.getArgumentTypes())
      image = randomTensor(llvm::cast<mlir::RankedTensorType>(type).getShape().vec(), seed++);
  }

  std::vector<Tensor> run() {
    auto results = interpret(infer, {image}, environment);
    BOOST_TEST_REQUIRE(mlir::succeeded(results));
    return *results;
  }

  std::unique_ptr<mlir::MLIRContext> context = vernier::testing::makeContext();
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp infer;
  Environment environment;
  Tensor image;
};

// "vn.activate after elastic.bn2 13x11x4": the op that makes a map, what it makes it from, and the map's
// size.
std::string describe(mlir::Value map) {
  mlir::Operation *op = map.getDefiningOp(), *before = op->getOperand(0).getDefiningOp();
  std::string text = op->getName().getStringRef().str();
  mlir::Operation *named = llvm::isa<vn::ActivateOp>(op) ? before : op;
  text += " " + named->getAttrOfType<mlir::StringAttr>(vn::kPlaceAttr).str();
  for (int64_t extent : llvm::cast<mlir::RankedTensorType>(map.getType()).getShape().drop_front())
    text += " " + std::to_string(extent);
  return text;
}

double meanOf(const std::vector<const Tensor *> &maps, int64_t image) {
  double sum = 0;
  int64_t count = 0;
  for (const Tensor *map : maps) {
    const int64_t elements = map->size() / map->batch();
    for (int64_t i = 0; i < elements; ++i)
      sum += (*map)[image * elements + i];
    count += elements;
  }
  return sum / double(count);
}

double meanOf(const std::vector<compiler::ChannelRange> &ranges, const Tensor &means, int64_t image) {
  double sum = 0;
  int64_t count = 0;
  for (compiler::ChannelRange range : ranges)
    for (int64_t c = range.begin; c < range.end; ++c, ++count)
      sum += means[image * means.channels() + c];
  return sum / double(count);
}

} // namespace

BOOST_AUTO_TEST_CASE(finds_the_maps_to_compare) {
  Network network;
  std::vector<std::string> found;
  for (const compiler::ScaleBranches &branches : compiler::findScaleBranches(network.infer)) {
    found.push_back(branches.place);
    for (mlir::Value map : branches.full)
      found.push_back("full " + describe(map));
    for (mlir::Value map : branches.reduced)
      found.push_back("reduced " + describe(map));
  }
  const std::vector<std::string> expected = {"elastic",
                                             "full vn.activate elastic.bn2 13 11 4",
                                             "reduced vn.activate elastic.bn2_d 7 6 4",
                                             "three, 1/2",
                                             "full vn.convolution three.full 13 11 10",
                                             "reduced vn.convolution three.half 6 5 6",
                                             "three, 1/4",
                                             "full vn.convolution three.full 13 11 10",
                                             "reduced vn.batch_norm three.bn 3 2 8",
                                             "strided",
                                             "full vn.activate strided.little 13 11 12",
                                             "reduced vn.activate strided.big_bn 7 6 12",
                                             "deconvolved",
                                             "full vn.activate deconvolved.fine 13 11 12",
                                             "reduced vn.activate deconvolved.coarse 6 5 6"};
  BOOST_TEST(found == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(output_holds_the_means) {
  Network network;
  std::map<mlir::Operation *, Tensor> maps;
  network.environment.observer = [&](mlir::Operation *op, const std::vector<Tensor> &results) {
    if (!results.empty())
      maps[op] = results.front();
  };
  const Tensor logits = network.run().front();
  network.environment.observer = nullptr;

  const auto branches = compiler::findScaleBranches(network.infer);
  std::vector<std::vector<double>> expected;
  for (const compiler::ScaleBranches &sum : branches) {
    const auto tensors = [&](const std::vector<mlir::Value> &values) {
      std::vector<const Tensor *> result;
      for (mlir::Value value : values)
        result.push_back(&maps.at(value.getDefiningOp()));
      return result;
    };
    expected.emplace_back();
    for (int64_t n = 0; n < 2; ++n)
      expected.back().push_back(meanOf(tensors(sum.full), n) - meanOf(tensors(sum.reduced), n));
  }

  const auto scores = compiler::addScalePolicy(network.infer);
  const auto check = [&] {
    const std::vector<Tensor> results = network.run();
    BOOST_TEST_REQUIRE(results.size() == 2u);
    BOOST_TEST(results[1].channels() == 4 + 4 + 10 + 6 + 8 + 12 + 12 + 12 + 6); // three.full is there once
    for (int64_t i = 0; i < logits.size(); ++i)
      BOOST_TEST(std::abs(results[0][i] - logits[i]) < Tolerance);
    for (size_t i = 0; i < scores.size(); ++i)
      for (int64_t n = 0; n < 2; ++n) {
        const double score = meanOf(scores[i].full, results[1], n) - meanOf(scores[i].reduced, results[1], n);
        BOOST_TEST(std::abs(score - expected[i][size_t(n)]) < Tolerance, scores[i].place << " " << n);
      }
  };
  BOOST_TEST_REQUIRE(scores.size() == branches.size());
  check();
  BOOST_TEST_REQUIRE(vernier::testing::runPass(*network.module, compiler::createFoldBatchNorm()));
  BOOST_TEST_REQUIRE(vernier::testing::runPass(*network.module, compiler::createSinkPointwise()));
  check();
  BOOST_TEST_REQUIRE(vernier::testing::runPass(*network.module, compiler::createShareMaxPools()));
  BOOST_TEST_REQUIRE(vernier::testing::runPass(*network.module, compiler::createFuseEpilogue()));
  check();
}
