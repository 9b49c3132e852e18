#include "codegen/Build.h"

#include <thread>

namespace vernier::codegen {

static llvm::Expected<CompiledModel> compile(mlir::FailureOr<Compilation> compilation, const Target &target,
                                             ModelFacts facts) {
  if (failed(compilation))
    return llvm::createStringError("the model cannot be compiled for this target");
  CompiledModel model;
  model.compilation = std::move(*compilation);
  auto objects =
      emitKernels(model.compilation.kernels, target, std::max(1u, std::thread::hardware_concurrency()));
  if (!objects)
    return objects.takeError();
  model.objects = std::move(*objects);
  facts.target = target.required;
  auto tables = emitModule(target, [&](llvm::Module &out) { writeTables(out, model.compilation, facts); });
  if (!tables)
    return tables.takeError();
  model.objects.push_back(std::move(*tables));
  return model;
}

llvm::Expected<CompiledModel> compileModel(mlir::ModuleOp module, const Target &target, ModelFacts facts,
                                           const LoweringOptions &options) {
  return compile(lowerModule(module, target, options), target, std::move(facts));
}

llvm::Expected<CompiledModel> compileSegments(mlir::ModuleOp configuration, std::vector<OpenHole> holes,
                                              llvm::ArrayRef<SegmentModules> segments, const Target &target,
                                              ModelFacts facts, const LoweringOptions &options) {
  return compile(lowerSegments(configuration, std::move(holes), segments, target, options), target,
                 std::move(facts));
}

} // namespace vernier::codegen
