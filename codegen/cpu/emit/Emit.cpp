#include "codegen/cpu/emit/Emit.h"

#include "codegen/cpu/emit/KernelBuilder.h"
#include "codegen/tables/ObjectFile.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"

#include <algorithm>
#include <system_error>
#include <thread>

namespace vernier::codegen {
namespace {

llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false; // kernels are vector code already
  tuning.SLPVectorization = false;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager cgscc;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(cgscc);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, cgscc, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
}

// void name(void *const *operands, int64_t begin, int64_t end): the ABI's face of a kernel whose body takes
// its operands one by one.
void addEntry(llvm::Module &module, const KernelDefinition &kernel, const std::string &prefix) {
  llvm::Function *body = module.getFunction(kernel.name);
  body->setName(kernel.name + ".body");
  body->setLinkage(llvm::GlobalValue::InternalLinkage);
  llvm::IRBuilder<> b(module.getContext());
  auto *pointer = b.getPtrTy();
  auto *type = llvm::FunctionType::get(b.getVoidTy(), {pointer, b.getInt64Ty(), b.getInt64Ty()}, false);
  auto *entry =
      llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, prefix + kernel.name, module);
  entry->setVisibility(llvm::GlobalValue::HiddenVisibility);
  b.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "", entry));
  llvm::SmallVector<llvm::Value *> arguments;
  for (unsigned i = 0; i < kernel.operands.size(); ++i)
    arguments.push_back(b.CreateLoad(pointer, b.CreateConstGEP1_64(pointer, entry->getArg(0), i)));
  arguments.push_back(entry->getArg(1));
  arguments.push_back(entry->getArg(2));
  b.CreateCall(body, arguments);
  b.CreateRetVoid();
}

// math.exp and math.log become polynomials: kernels call nothing.
struct ApproximateMath : mlir::PassWrapper<ApproximateMath, mlir::OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ApproximateMath)
  void runOnOperation() override {
    mlir::RewritePatternSet patterns(&getContext());
    mlir::populateMathPolynomialApproximationPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

llvm::Error lower(mlir::ModuleOp module) {
  if (failed(mlir::verify(module)))
    return failure("a kernel's loop nest is not valid");
  mlir::PassManager pm(module.getContext());
  pm.enableVerifier(false); // MLIR's own passes, after each of which it would be all of the module again
  pm.addPass(std::make_unique<ApproximateMath>());
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  pm.addPass(mlir::createLoopInvariantCodeMotionPass());
  pm.addPass(mlir::createSCFToControlFlowPass());
  pm.addPass(mlir::createConvertVectorToLLVMPass());
  pm.addPass(mlir::createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(mlir::createConvertMathToLLVMPass());
  pm.addPass(mlir::createArithToLLVMConversionPass());
  pm.addPass(mlir::createConvertIndexToLLVMPass());
  pm.addPass(mlir::createConvertControlFlowToLLVMPass());
  mlir::ConvertFuncToLLVMPassOptions options;
  options.useBarePtrCallConv = true;
  pm.addPass(mlir::createConvertFuncToLLVMPass(options));
  pm.addPass(mlir::createReconcileUnrealizedCastsPass());
  if (failed(pm.run(module)))
    return failure("a kernel could not be lowered to LLVM");
  return llvm::Error::success();
}

llvm::Expected<std::string> emitShard(const std::vector<const KernelDefinition *> &kernels,
                                      const Target &target, const std::string &prefix) {
  auto machine = makeMachine(target.objects());
  if (!machine)
    return machine.takeError();
  mlir::DialectRegistry registry;
  registry.insert<mlir::func::FuncDialect, mlir::scf::SCFDialect, mlir::arith::ArithDialect,
                  mlir::memref::MemRefDialect, mlir::vector::VectorDialect, mlir::math::MathDialect,
                  mlir::LLVM::LLVMDialect>();
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  for (const KernelDefinition *kernel : kernels) {
    KernelBuilder builder(*module, target);
    kernel->build(builder);
  }
  if (llvm::Error error = lower(*module))
    return error;
  llvm::LLVMContext llvmContext;
  auto translated = mlir::translateModuleToLLVMIR(*module, llvmContext);
  if (!translated)
    return failure("a kernel could not be translated to LLVM IR");
  translated->setTargetTriple((*machine)->getTargetTriple());
  translated->setDataLayout((*machine)->createDataLayout());
  for (const KernelDefinition *kernel : kernels)
    addEntry(*translated, *kernel, prefix);
  for (llvm::Function &function : *translated) {
    function.addFnAttr("target-cpu", target.cpu);
    function.addFnAttr("target-features", target.features);
    function.addFnAttr("tune-cpu", target.tuning);
  }
  optimise(*translated, **machine);
  return toObject(*translated, **machine);
}

} // namespace

llvm::Expected<std::vector<std::string>> emitKernels(const std::vector<KernelDefinition> &kernels,
                                                     const Target &target, unsigned shards,
                                                     const std::string &prefix) {
  shards = std::max(1u, std::min<unsigned>(shards, kernels.size()));
  std::vector<std::vector<const KernelDefinition *>> parts(shards);
  for (size_t i = 0; i < kernels.size(); ++i)
    parts[i % shards].push_back(&kernels[i]);
  std::vector<std::string> objects(shards), errors(shards);
  std::vector<std::thread> threads;
  const auto emit = [&](unsigned s) {
    auto object = emitShard(parts[s], target, prefix);
    if (object)
      objects[s] = std::move(*object);
    else
      errors[s] = llvm::toString(object.takeError());
  };
  for (unsigned s = 1; s < shards; ++s) {
    try {
      threads.emplace_back(emit, s);
    } catch (const std::system_error &) { // the system starts no more threads
      emit(s);
    }
  }
  emit(0);
  for (std::thread &thread : threads)
    thread.join();
  for (const std::string &error : errors)
    if (!error.empty())
      return failure(error);
  return objects;
}

} // namespace vernier::codegen
