#include "driver/Build.h"

namespace vernier::driver {

// Libraries of several models go into one program. No C name has a dot.
static std::string kernelPrefix(const codegen::ModelFacts &facts) { return facts.symbol + "."; }

static llvm::Expected<CompiledModel> compile(mlir::FailureOr<codegen::Compilation> compilation,
                                             const codegen::Backend &backend, codegen::ModelFacts facts) {
  if (failed(compilation))
    return llvm::createStringError("the model cannot be compiled for this target");
  CompiledModel model;
  model.compilation = std::move(*compilation);
  facts.target = backend.requirements();
  facts.kernels = kernelPrefix(facts);
  facts.accelerated = backend.isAccelerator();
  const codegen::Compilation &made = model.compilation;
  auto code = backend.emit({.model = facts.name,
                            .prefix = facts.kernels,
                            .kernels = made.kernels,
                            .programs = codegen::programsOf(made),
                            .tables = [&](llvm::Module &out) { codegen::writeTables(out, made, facts); }});
  if (!code)
    return code.takeError();
  model.code = std::move(*code);
  return model;
}

llvm::Expected<CompiledModel> compileModel(llvm::ArrayRef<mlir::ModuleOp> sizes,
                                           const codegen::Backend &backend, codegen::ModelFacts facts,
                                           const codegen::LoweringOptions &options) {
  return compile(codegen::lowerModule(sizes, backend, options), backend, std::move(facts));
}

llvm::Expected<CompiledModel> compileSegments(llvm::ArrayRef<codegen::SizeSegments> sizes,
                                              std::vector<codegen::OpenHole> holes,
                                              const codegen::Backend &backend, codegen::ModelFacts facts,
                                              const codegen::LoweringOptions &options) {
  return compile(codegen::lowerSegments(sizes, std::move(holes), backend, options), backend,
                 std::move(facts));
}

llvm::Expected<CompiledModel> compileAdaptive(codegen::AdaptivePart network, codegen::AdaptivePart classifier,
                                              llvm::ArrayRef<int64_t> candidates,
                                              const codegen::Backend &backend) {
  network.facts.target = classifier.facts.target = backend.requirements();
  network.facts.kernels = kernelPrefix(network.facts);
  network.facts.accelerated = classifier.facts.accelerated = backend.isAccelerator();
  // A kernel's name holds all that its code depends on: both models share those of one name.
  std::vector<codegen::Kernel> kernels = network.compilation.kernels;
  codegen::KernelList list(kernels);
  for (const codegen::Kernel &kernel : classifier.compilation.kernels)
    if (!list.add(kernel))
      return llvm::createStringError("two kernels that differ have one name: `%s`", kernel.name.c_str());
  CompiledModel model;
  model.adaptive = true;
  const auto tables = [&](llvm::Module &out) {
    codegen::writeAdaptiveTables(out, network, classifier, candidates);
  };
  codegen::Emission emission{.model = network.facts.name,
                             .prefix = network.facts.kernels,
                             .kernels = std::move(kernels),
                             .programs = codegen::programsOf(network.compilation),
                             .tables = tables};
  llvm::append_range(emission.programs, codegen::programsOf(classifier.compilation));
  auto code = backend.emit(emission);
  if (!code)
    return code.takeError();
  model.code = std::move(*code);
  model.compilation = std::move(network.compilation);
  return model;
}

} // namespace vernier::driver
