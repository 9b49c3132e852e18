#include "driver/Build.h"

#include "codegen/cpu/KernelList.h"

#include <thread>

namespace vernier::codegen {

// Libraries of several models go into one program. No C name has a dot.
static std::string kernelPrefix(const ModelFacts &facts) { return facts.symbol + "."; }

// The objects of kernels and tables.
static llvm::Error emit(CompiledModel &model, const std::vector<KernelDefinition> &kernels,
                        const Target &target, const std::string &prefix, const LoweringOptions &options,
                        llvm::function_ref<void(llvm::Module &)> writeTables) {
  auto objects = emitKernels(
      kernels, target,
      options.emitters ? options.emitters : std::max(1u, std::thread::hardware_concurrency()), prefix);
  if (!objects)
    return objects.takeError();
  model.objects = std::move(*objects);
  auto tables = emitModule(target, writeTables);
  if (!tables)
    return tables.takeError();
  model.objects.push_back(std::move(*tables));
  return llvm::Error::success();
}

static llvm::Expected<CompiledModel> compile(mlir::FailureOr<Compilation> compilation, const Target &target,
                                             ModelFacts facts, const LoweringOptions &options) {
  if (failed(compilation))
    return llvm::createStringError("the model cannot be compiled for this target");
  CompiledModel model;
  model.compilation = std::move(*compilation);
  facts.target = target.required;
  facts.kernels = kernelPrefix(facts);
  if (llvm::Error error = emit(model, model.compilation.kernels, target, facts.kernels, options,
                               [&](llvm::Module &out) { writeTables(out, model.compilation, facts); }))
    return error;
  return model;
}

llvm::Expected<CompiledModel> compileModel(mlir::ModuleOp module, const Target &target, ModelFacts facts,
                                           const LoweringOptions &options) {
  return compile(lowerModule(module, target, options), target, std::move(facts), options);
}

llvm::Expected<CompiledModel> compileSegments(mlir::ModuleOp configuration, std::vector<OpenHole> holes,
                                              llvm::ArrayRef<SegmentModules> segments, const Target &target,
                                              ModelFacts facts, const LoweringOptions &options) {
  return compile(lowerSegments(configuration, std::move(holes), segments, target, options), target,
                 std::move(facts), options);
}

llvm::Expected<CompiledModel> compileAdaptive(AdaptivePart network, AdaptivePart classifier,
                                              llvm::ArrayRef<int64_t> candidates, const Target &target,
                                              const LoweringOptions &options) {
  network.facts.target = classifier.facts.target = target.required;
  network.facts.kernels = kernelPrefix(network.facts);
  // A kernel's name holds all that its code depends on: both models share those of one name.
  std::vector<KernelDefinition> kernels = network.compilation.kernels;
  KernelList list(kernels);
  for (const KernelDefinition &kernel : classifier.compilation.kernels)
    if (!list.add(kernel))
      return llvm::createStringError("two kernels that differ have one name: `%s`", kernel.name.c_str());
  CompiledModel model;
  model.adaptive = true;
  if (llvm::Error error =
          emit(model, kernels, target, network.facts.kernels, options,
               [&](llvm::Module &out) { writeAdaptiveTables(out, network, classifier, candidates); }))
    return error;
  model.compilation = std::move(network.compilation);
  return model;
}

} // namespace vernier::codegen
