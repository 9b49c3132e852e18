#include "tests/codegen/PreparedModule.h"

#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

namespace vernier::tests {

PreparedModule prepareModule(const std::string &text, const std::string &loss,
                             const std::string &passesBeforeLowering) {
  static const bool registered = [] {
    compiler::registerVernierPasses();
    return true;
  }();
  (void)registered;
  PreparedModule result;
  result.context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  result.context->loadDialect<vn::VnDialect, mlir::func::FuncDialect>();
  const auto runPasses = [&](mlir::ModuleOp on, const std::string &pipeline) {
    mlir::PassManager passes(result.context.get());
    return succeeded(mlir::parsePassPipeline(pipeline, passes)) && succeeded(passes.run(on));
  };
  result.source = mlir::parseSourceString<mlir::ModuleOp>(text, result.context.get());
  if (!result.source) {
    result.error = "the module does not parse";
    return result;
  }
  result.compiled = result.source->clone();
  if (!loss.empty() && !(runPasses(*result.source, "vn-differentiate{loss=" + loss + "}") &&
                         runPasses(*result.compiled, compiler::trainingPasses(loss)))) {
    result.error = "differentiation failed";
    return result;
  }
  if (!runPasses(*result.compiled, passesBeforeLowering))
    result.error = "the passes failed";
  return result;
}

} // namespace vernier::tests
