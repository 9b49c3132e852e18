#include "driver/CodeOptions.h"

#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "driver/CudaToolchain.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/core/Cpus.h"

#include "llvm/ADT/StringExtras.h"

namespace vernier::driver {

codegen::CpuBackend cpuBackendOf(const CodeOptions &options) {
  if (options.precision == "tf32")
    refuse("CPUs have no products in tf32", "--precision tf32", "--precision f32 or bf16, or --target cuda");
  const auto target = codegen::makeTarget(options.cpu);
  if (!target)
    refuse("`" + options.cpu + "` is no CPU that code can be generated for", "--cpu",
           "one of " + llvm::join(codegen::targetNames(), ", "));
  codegen::WinogradOptions winograd;
  if (const std::optional<double> error = options.noWinograd ? 0 : options.winogradError)
    winograd = codegen::WinogradOptions::within(*error);
  return codegen::CpuBackend(*target, winograd, unsigned(runtime::usableCpus()));
}

codegen::CudaOptions cudaOptionsOf(const CodeOptions &options) {
  return {.tf32 = options.precision == "tf32",
          .maps = mapsOf(options) == "bf16" ? codegen::Element::BF16 : codegen::Element::F32};
}

std::unique_ptr<const codegen::Backend> backendOf(const CodeOptions &options) {
  const codegen::CudaOptions cuda = cudaOptionsOf(options);
  if (options.target == "cuda")
    return std::make_unique<codegen::CudaBackend>(nvccToolchain(options.cudaArchitectures), cuda);
  if (options.target == "cuda-emulated")
    return std::make_unique<codegen::CudaBackend>(emulationToolchain(options.cudaArchitectures), cuda);
  return std::make_unique<codegen::CpuBackend>(cpuBackendOf(options));
}

std::string mapsOf(const CodeOptions &options) { return options.precision == "bf16" ? "bf16" : "f32"; }

std::string trainingMapsOf(const CodeOptions &options) {
  return options.target == "cpu" ? "f32" : mapsOf(options);
}

std::string trainingPasses(const codegen::Backend &backend, const CodeOptions &options) {
  return compiler::trainingPasses(options.loss, backend.passes(codegen::Purpose::TrainForward),
                                  backend.passes(codegen::Purpose::TrainStep)) +
         compiler::trainingPrecision(trainingMapsOf(options));
}

LoadedModel loadEvaluation(const ModelOptions &options, const CodeOptions &code,
                           const codegen::Backend &backend, std::vector<compiler::Prediction> &predictions) {
  LoadedModel model = loadModel(options);
  runPasses(*model.module, "vn-evaluation-form");
  predictions = compiler::findPredictions(model.module->lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction));
  runPasses(*model.module,
            compiler::inferencePasses(mapsOf(code), backend.passes(codegen::Purpose::Inference)));
  return model;
}

int64_t classesOf(const LoadedModel &model) {
  mlir::ModuleOp module = *model.module;
  auto infer = module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
  auto shape = llvm::cast<mlir::RankedTensorType>(infer.getResultTypes()[0]).getShape();
  return shape[1] == 1 && shape[2] == 1 ? shape[3] : 0;
}

void requireClasses(const LoadedModel &model, const ModelOptions &options, const std::string &what) {
  if (classesOf(model) == 0)
    refuse("model `" + model.name + "` cannot be " + what + ": its first output is a map, not logits",
           options.file);
}

void requireLoss(const LoadedModel &model, const ModelOptions &options) {
  if (!model.declaresLosses && classesOf(model) == 0)
    refuse("model `" + model.name + "` cannot be trained: its first output is a map, not logits",
           options.file,
           "say what training minimises, such as `target mask: [image.height, image.width] of int` and "
           "`loss softmax_cross_entropy(x, mask)`");
}

void checkDeclaredLosses(const LoadedModel &model, const CodeOptions &code, const ModelOptions &options) {
  if (!model.declaresLosses)
    return;
  if (code.lossGiven)
    refuse("model `" + model.name + "` says itself what training minimises: " + options.file,
           "--loss " + code.loss, "leave --loss out, or the `loss` statements");
  refuseOpenChoices(*model.module, "left open where the specification says what training minimises");
}

} // namespace vernier::driver
