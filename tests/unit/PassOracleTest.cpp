// A pass must not change what a program computes: the programs of the passes' own text tests, with random
// parameters and arguments, give the same results before and after.
#define BOOST_TEST_MODULE PassOracle
#include "tests/unit/FiniteDifferences.h"

#include "compiler/interpreter/Interpreter.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/BindHoles.h"
#include "compiler/passes/Passes.h"
#include "mlir/Parser/Parser.h"
#include "tests/support/SpecificationModule.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace vernier;
using namespace vernier::interpreter;
using namespace vernier::interpreter::testing;

namespace {

constexpr double Tolerance = 1e-10;

// The programs of a text test.
std::vector<std::string> programs(const std::string &file) {
  auto buffer = llvm::MemoryBuffer::getFile(std::string(VERNIER_PASS_TESTS) + "/" + file);
  BOOST_TEST_REQUIRE(static_cast<bool>(buffer));
  llvm::SmallVector<llvm::StringRef> parts;
  (*buffer)->getBuffer().split(parts, "// -----");
  return {parts.begin(), parts.end()};
}

struct Run {
  Environment environment;
  std::vector<Tensor> arguments;

  explicit Run(mlir::func::FuncOp infer) {
    unsigned seed = 1;
    for (vn::ParameterOp parameter : infer.getOps<vn::ParameterOp>()) {
      Tensor tensor = randomTensor(parameter.getType().getShape().vec(), seed++);
      if (parameter.getKind() == vn::ParameterKind::RunningVar)
        for (double &value : tensor.data)
          value += 1.5;
      environment.parameters[parameter.getName().str()] = std::move(tensor);
    }
    for (mlir::Type type : infer.getArgumentTypes()) {
      arguments.push_back(randomTensor(llvm::cast<mlir::RankedTensorType>(type).getShape().vec(), seed++));
      if (arguments.back().shape.size() == 1) // a variance, perhaps
        for (double &value : arguments.back().data)
          value += 1.5;
    }
  }

  std::vector<Tensor> operator()(mlir::func::FuncOp infer) {
    auto results = interpret(infer, arguments, environment);
    BOOST_TEST_REQUIRE(mlir::succeeded(results));
    return *results;
  }
};

void checkSame(const std::vector<Tensor> &before, const std::vector<Tensor> &after,
               double tolerance = Tolerance) {
  BOOST_TEST_REQUIRE(before.size() == after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    BOOST_TEST_REQUIRE(before[i].shape == after[i].shape);
    for (int64_t j = 0; j < before[i].size(); ++j)
      if (!(std::abs(before[i][j] - after[i][j]) <= tolerance * (1 + std::abs(before[i][j]))))
        BOOST_ERROR("result " << i << " element " << j << ": " << before[i][j] << " became " << after[i][j]);
  }
}

template <typename Transform>
void checkPrograms(const std::string &file, Transform transform, double tolerance = Tolerance) {
  std::unique_ptr<mlir::MLIRContext> context = vernier::testing::makeContext();
  int number = 0;
  for (const std::string &text : programs(file)) {
    BOOST_TEST_CONTEXT(file << ", program " << number++) {
      auto module = mlir::parseSourceString<mlir::ModuleOp>(text, context.get());
      BOOST_TEST_REQUIRE(static_cast<bool>(module));
      auto infer = [&] { return *module->getOps<mlir::func::FuncOp>().begin(); }; // or a training step
      Run run(infer());
      std::vector<Tensor> before = run(infer());
      BOOST_TEST_REQUIRE(transform(*module));
      checkSame(before, run(infer()), tolerance);
    }
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(drop_empty) {
  checkPrograms("drop-empty.mlir", [](mlir::ModuleOp module) {
    return vernier::testing::runPass(module, compiler::createDropEmpty());
  });
}

BOOST_AUTO_TEST_CASE(fold_batch_norm) {
  checkPrograms("fold-batch-norm.mlir", [](mlir::ModuleOp module) {
    return vernier::testing::runPass(module, compiler::createFoldBatchNorm());
  });
}

BOOST_AUTO_TEST_CASE(align_slices) {
  checkPrograms("align-slices.mlir", [](mlir::ModuleOp module) {
    return vernier::testing::runPass(module, compiler::createAlignSlices());
  });
}

BOOST_AUTO_TEST_CASE(share_max_pools) {
  checkPrograms("share-max-pools.mlir", [](mlir::ModuleOp module) {
    return vernier::testing::runPass(module, compiler::createShareMaxPools());
  });
}

BOOST_AUTO_TEST_CASE(sink_pointwise) {
  checkPrograms("sink-pointwise.mlir", [](mlir::ModuleOp module) {
    return vernier::testing::runPass(module, compiler::createSinkPointwise());
  });
}

BOOST_AUTO_TEST_CASE(sink_pointwise_and_fuse) {
  checkPrograms("sink-pointwise.mlir", [](mlir::ModuleOp module) {
    return vernier::testing::runPass(module, compiler::createSinkPointwise()) &&
           vernier::testing::runPass(module, compiler::createFuseEpilogue());
  });
}

BOOST_AUTO_TEST_CASE(fuse_epilogue) {
  checkPrograms("fuse-epilogue.mlir", [](mlir::ModuleOp module) {
    return vernier::testing::runPass(module, compiler::createFuseEpilogue());
  });
}

BOOST_AUTO_TEST_CASE(fusion_of_training_steps) {
  checkPrograms("fuse-batch-norm.mlir", [](mlir::ModuleOp module) {
    return vernier::testing::runPass(module, compiler::createFuseBatchNorm());
  });
  checkPrograms("fuse-gradients.mlir", [](mlir::ModuleOp module) {
    return vernier::testing::runPass(module, compiler::createFuseGradients());
  });
  checkPrograms("fuse-sums.mlir", [](mlir::ModuleOp module) {
    return vernier::testing::runPass(module, compiler::createFuseSums());
  });
}

// Maps are rounded, and no more than that.
BOOST_AUTO_TEST_CASE(choose_precision) {
  checkPrograms(
      "choose-precision.mlir",
      [](mlir::ModuleOp module) {
        return vernier::testing::runPass(module, compiler::createChoosePrecision({"bf16"}));
      },
      0.03);
}

// Every result of bf16 is a number of that type, within blocks of images too, and so is an argument.
BOOST_AUTO_TEST_CASE(maps_are_rounded_to_their_type) {
  std::unique_ptr<mlir::MLIRContext> context = vernier::testing::makeContext();
  for (const std::string &text : programs("choose-precision.mlir")) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, context.get());
    BOOST_TEST_REQUIRE(static_cast<bool>(module));
    BOOST_TEST_REQUIRE(vernier::testing::runPass(*module, compiler::createChoosePrecision({"bf16"})));
    auto infer = module->lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
    Run run(infer);
    int64_t seen = 0;
    run.environment.observer = [&](mlir::Operation *op, const std::vector<Tensor> &results) {
      for (auto [value, tensor] : llvm::zip_equal(op->getResults(), results))
        if (llvm::cast<mlir::RankedTensorType>(value.getType()).getElementType().isBF16()) {
          BOOST_TEST((tensor.data == roundToBFloat16(tensor).data));
          ++seen;
        }
    };
    const std::vector<Tensor> results = run(infer);
    BOOST_TEST((seen > 0 || infer.getOps<vn::CastOp>().empty()));
    for (auto [type, tensor] : llvm::zip_equal(infer.getResultTypes(), results))
      if (llvm::cast<mlir::RankedTensorType>(type).getElementType().isBF16())
        BOOST_TEST((tensor.data == roundToBFloat16(tensor).data));
  }
}

// Bound to their seeds, holes disappear and nothing else changes.
BOOST_AUTO_TEST_CASE(bind_holes_to_seeds) {
  checkPrograms("bind-holes.mlir", [](mlir::ModuleOp module) {
    std::vector<compiler::HoleBinding> bindings;
    for (vn::HoleOp hole : module.getOps<vn::HoleOp>())
      bindings.push_back({hole.getSymName().str(), hole.getSeed().vec(), hole.getLoc()});
    return mlir::succeeded(compiler::bindHoles(module, bindings)) && module.getOps<vn::HoleOp>().empty();
  });
}
