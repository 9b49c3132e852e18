// Whole training steps against finite differences: the loss that @train_step computes, moved along single
// elements of each parameter, must change as the stored gradient says.
#define BOOST_TEST_MODULE NetworkGradients
#include "tests/unit/FiniteDifferences.h"

#include "compiler/interpreter/Interpreter.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "tests/support/SpecificationModule.h"

using namespace vernier;
using namespace vernier::interpreter;
using namespace vernier::interpreter::testing;

namespace {

constexpr double Step = 1e-5, Tolerance = 1e-6;
constexpr int64_t ElementsPerParameter = 6;

Tensor randomOf(mlir::Type type, unsigned seed) {
  return randomTensor(llvm::cast<mlir::RankedTensorType>(type).getShape().vec(), seed);
}

// A training step with random parameters, positive where they must be.
class TrainStep {
public:
  TrainStep(const std::string &file, compiler::LossKind loss)
      : module(vernier::testing::buildModule(*context,
                                             {std::string(VERNIER_TEST_NETWORKS) + "/" + file, "", "", 3})) {
    BOOST_TEST_REQUIRE(static_cast<bool>(module));
    BOOST_TEST_REQUIRE(vernier::testing::runPass(*module, compiler::createDifferentiate({loss})));
    function = module->lookupSymbol<mlir::func::FuncOp>("train_step");
    unsigned seed = 1;
    for (vn::ParameterOp parameter :
         module->lookupSymbol<mlir::func::FuncOp>("infer").getOps<vn::ParameterOp>()) {
      environment.parameters[parameter.getName().str()] = randomOf(parameter.getType(), seed++);
      if (parameter.isTrainable())
        trainable.push_back(parameter.getName().str());
    }
    for (mlir::Type type : function.getArgumentTypes())
      arguments.push_back(randomOf(type, seed++));
    if (loss == compiler::LossKind::Softmax)
      arguments[1].data = {2, 0, 3};
    arguments[2][0] = 0.1; // label smoothing
  }

  double loss() {
    auto results = interpret(function, arguments, environment);
    BOOST_TEST_REQUIRE(mlir::succeeded(results));
    return results->front()[0];
  }

  void checkAll() {
    loss();
    auto gradients = environment.gradients;
    BOOST_TEST(gradients.size() == trainable.size());
    for (const std::string &name : trainable)
      checkParameter(name, gradients[name]);
  }

private:
  void checkParameter(const std::string &name, const Tensor &gradient) {
    Tensor &parameter = environment.parameters[name];
    BOOST_TEST_REQUIRE(gradient.shape == parameter.shape);
    int64_t stride = std::max<int64_t>(1, parameter.size() / ElementsPerParameter);
    for (int64_t i = 0; i < parameter.size(); i += stride) {
      double saved = parameter[i];
      parameter[i] = saved + Step;
      double above = loss();
      parameter[i] = saved - Step;
      double below = loss();
      parameter[i] = saved;
      double numeric = (above - below) / (2 * Step);
      if (std::abs(numeric - gradient[i]) > Tolerance * (1 + std::abs(numeric)))
        BOOST_ERROR(name << " element " << i << ": gradient " << gradient[i] << ", numeric derivative "
                         << numeric);
    }
  }

  std::unique_ptr<mlir::MLIRContext> context = vernier::testing::makeContext();
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  Environment environment;
  std::vector<std::string> trainable;
  std::vector<Tensor> arguments;
};

} // namespace

BOOST_AUTO_TEST_CASE(scales_softmax) { TrainStep("scales.vn", compiler::LossKind::Softmax).checkAll(); }
BOOST_AUTO_TEST_CASE(scales_binary) { TrainStep("scales.vn", compiler::LossKind::Binary).checkAll(); }
BOOST_AUTO_TEST_CASE(hierarchy_softmax) { TrainStep("hierarchy.vn", compiler::LossKind::Softmax).checkAll(); }
BOOST_AUTO_TEST_CASE(hierarchy_binary) { TrainStep("hierarchy.vn", compiler::LossKind::Binary).checkAll(); }
