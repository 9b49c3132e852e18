#include "tests/support/SpecificationModule.h"

#include "compiler/ir/VnDialect.h"
#include "compiler/lower/Configuration.h"
#include "compiler/lower/GraphToVn.h"
#include "compiler/passes/BindHoles.h"
#include "compiler/passes/Passes.h"
#include "dsl/Frontend.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace vernier::testing {
namespace {

LogicalResult applyConfiguration(ModuleOp module, const std::string &path) {
  llvm::Expected<compiler::Configuration> configuration = compiler::readConfiguration(path);
  if (!configuration) {
    llvm::errs() << llvm::toString(configuration.takeError()) << '\n';
    return failure();
  }
  std::vector<compiler::HoleBinding> bindings;
  for (const compiler::HoleEntry &entry : configuration->holes)
    bindings.push_back({entry.hole, entry.channels,
                        FileLineColLoc::get(module.getContext(), path, entry.line, entry.column)});
  return compiler::bindHoles(module, bindings);
}

} // namespace

std::unique_ptr<MLIRContext> makeContext() {
  auto context = std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  context->loadDialect<func::FuncDialect, vn::VnDialect>();
  return context;
}

OwningOpRef<ModuleOp> buildModule(MLIRContext &context, const Specification &specification) {
  dsl::Diagnostics diagnostics;
  dsl::Program program = dsl::load(specification.file, {}, diagnostics);
  std::optional<dsl::Graph> graph;
  if (diagnostics.empty()) {
    dsl::ElaborateOptions options;
    options.height = specification.height;
    options.width = specification.width;
    graph = dsl::elaborateModel(program, specification.model, options, diagnostics);
  }
  if (!graph) {
    llvm::errs() << dsl::render(diagnostics, program.sources);
    return nullptr;
  }
  OwningOpRef<ModuleOp> module = compiler::lowerGraph(context, *graph, specification.batch);
  if (!module || specification.configuration.empty())
    return module;
  if (failed(applyConfiguration(*module, specification.configuration)) ||
      !runPass(*module, compiler::createDropEmpty()))
    return nullptr;
  return module;
}

bool runPass(ModuleOp module, std::unique_ptr<Pass> pass) {
  PassManager manager(module.getContext());
  manager.addPass(std::move(pass));
  return succeeded(manager.run(module));
}

} // namespace vernier::testing
