#include "driver/verify/Verify.h"

#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "driver/CodeOptions.h"
#include "driver/Device.h"
#include "driver/verify/Bounds.h"
#include "driver/verify/KernelCheck.h"
#include "driver/verify/PassCheck.h"
#include "driver/verify/ReducedSize.h"
#include "driver/verify/UpdateCheck.h"
#include "runtime/device/cpu/CpuFeatures.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace vernier::driver {
namespace {

std::unique_ptr<const codegen::Backend> backendThatRunsHere(const VerifyOptions &options) {
  std::unique_ptr<const codegen::Backend> backend = backendOf(options);
  const std::vector<std::string> missing = runtime::missingCpuFeatures(backend->requirements());
  if (!missing.empty())
    refuse("this machine cannot run code for " + options.cpu + ": it lacks " + llvm::join(missing, ", "),
           "--cpu");
  if (!options.passesOnly)
    requireDevice(options);
  return backend;
}

mlir::func::FuncOp functionOf(mlir::ModuleOp module, llvm::StringRef name) {
  return module.lookupSymbol<mlir::func::FuncOp>(name);
}

// The generated code, kernel by kernel and then as it is built.
void verifyCode(mlir::ModuleOp module, const codegen::Backend &backend, const VerifyOptions &options,
                const std::string &faultyKernel, const Inputs &inputs, const PassCheck &check,
                Report &report) {
  const bool trains = !check.trainStep().empty();
  LoadedCode code = loadCode(module, backend, faultyKernel);
  if (options.precision == "tf32")
    code.products = bounds::Numbers::TF32;
  const auto session = [&](int64_t threads, bool checked) {
    return runtime::SessionOptions{
        .threads = threads, .training = trains, .checked = checked, .number = options.device};
  };
  Execution kept(*code.keptModel, session(1, false), inputs);
  Execution built(*code.builtModel, session(options.threads, true), inputs);
  const auto program = [&](llvm::StringRef name, std::vector<Result> (Execution::*run)(),
                           const std::vector<Result> &reference) {
    const bounds::Numbers numbers = codegen::elementOfMaps(functionOf(module, name)) == codegen::Element::BF16
                                        ? bounds::Numbers::BF16
                                        : code.products;
    const std::vector<Result> apart = (kept.*run)();
    checkKernels(functionOf(module, name), code, kept, inputs, report);
    if (report.failed())
      return;
    const std::string compared = name == vn::kInferFunction ? report.inference : "training step";
    const std::vector<Result> results = (built.*run)();
    report.check({"program as built", compared, difference(apart, results), bounds::kAsBuilt},
                 "the " + compared + " as it is built differs from its kernels run with memory of their own");
    const double bound = bounds::ofProgram(numbers, name != vn::kInferFunction);
    Difference whole = difference(withoutGradients(reference), results);
    if (!(whole.value <= bound)) {
      const bounds::Movement movement = bounds::ofNumbers(numbers);
      Inputs moved = inputs.moved(movement.step);
      auto function = functionOf(module, name);
      std::map<std::string, double> scales = movements(
          reference, name == vn::kInferFunction ? runInfer(function, moved) : runTrainStep(function, moved));
      for (auto &[result, scale] : scales)
        scale *= movement.times / bound;
      whole = difference(withoutGradients(reference), results, scales);
    }
    report.check({"whole program", compared, whole, bound},
                 "the " + compared + " differs from the network as the passes left it");
  };
  program(vn::kInferFunction, &Execution::infer, check.inference());
  if (trains && !report.failed())
    program(vn::kTrainStepFunction, &Execution::trainStep, check.trainStep());
  if (trains && !report.failed())
    checkUpdate(built.session(), options.seed, report);
}

// Inference of a network that declares losses, turned into what evaluates them.
void verifyEvaluation(const VerifyOptions &options, const codegen::Backend &backend, Inputs &inputs,
                      Report &report) {
  LoadedModel model = loadModel(options, Branches::KeepEmpty);
  runPasses(*model.module, "vn-evaluation-form");
  report.inference = "evaluation";
  PassCheck check(*model.module, inputs, "", report);
  const std::vector<std::string> passes =
      splitPipeline("vn-drop-empty," +
                    compiler::inferencePasses(mapsOf(options), backend.passes(codegen::Purpose::Inference)));
  if (options.codeOnly)
    check.runUnchecked(passes);
  else
    check.run(passes);
  if (!report.failed() && !options.passesOnly)
    verifyCode(*model.module, backend, options, "", inputs, check, report);
}

} // namespace

Verification verify(VerifyOptions options) {
  const std::unique_ptr<const codegen::Backend> chosen = backendThatRunsHere(options);
  const codegen::Backend &backend = *chosen;
  if (options.input.empty())
    options.input = reducedInput(options);
  options.losses = options.purpose != "infer";
  LoadedModel model = loadModel(options, Branches::KeepEmpty);
  mlir::ModuleOp module = *model.module;
  auto infer = functionOf(module, vn::kInferFunction);
  const bool trains = options.purpose == "train" ||
                      (options.purpose.empty() && (classesOf(model) > 0 || model.declaresLosses));
  if (trains)
    requireLoss(model, options);
  Inputs inputs = Inputs::random(infer, options.loss == "binary", options.seed);
  Verification result;
  result.subject = llvm::formatv("{0}: image {1}x{2}x{3}, batch {4}, seed {5}, {6}", model.name,
                                 model.channels, model.height, model.width, options.batch, options.seed,
                                 trains ? "inference and training" : "inference");
  Report &report = result.report;
  std::vector<std::string> passes =
      splitPipeline("vn-drop-empty," + (trains ? trainingPasses(backend, options) + "," : "") +
                    compiler::inferencePasses(mapsOf(options), backend.passes(codegen::Purpose::Inference)));
  if (options.imagesTogether)
    *llvm::find(passes, "vn-block-images") += "{images=" + std::to_string(options.imagesTogether) + "}";
  PassCheck check(module, inputs, trains ? options.loss : "", report);
  const bool isPass = llvm::any_of(passes, [&](llvm::StringRef pass) {
    return pass == options.fault || pass.split('{').first == options.fault;
  });
  if (isPass && options.codeOnly)
    refuse("no pass is checked with --code-only", "--inject-fault");
  if (isPass)
    check.injectFault(options.fault);
  if (options.codeOnly)
    check.runUnchecked(passes);
  else
    check.run(passes);
  if (isPass && !check.faultInjected())
    refuse("pass `" + options.fault + "` rewrites nothing in this network that could be broken",
           "--inject-fault");
  if (!report.failed() && !options.passesOnly)
    verifyCode(module, backend, options, isPass ? "" : options.fault, inputs, check, report);
  if (!report.failed() && trains && model.declaresLosses)
    verifyEvaluation(options, backend, inputs, report);

  return result;
}

} // namespace vernier::driver
