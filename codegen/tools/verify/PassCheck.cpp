#include "codegen/tools/verify/PassCheck.h"

#include "codegen/tools/LoadModel.h"
#include "codegen/tools/verify/Bounds.h"
#include "codegen/tools/verify/Fault.h"
#include "codegen/tools/verify/FiniteDifferences.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/TrainingForm.h"

namespace vernier::tools {
namespace {

mlir::func::FuncOp functionOf(mlir::ModuleOp module, llvm::StringRef name) {
  return module.lookupSymbol<mlir::func::FuncOp>(name);
}

std::string textOf(mlir::ModuleOp module, llvm::StringRef name) {
  std::string text;
  llvm::raw_string_ostream out(text);
  if (auto function = functionOf(module, name))
    function.print(out);
  return text;
}

} // namespace

std::vector<std::string> splitPipeline(llvm::StringRef pipeline) {
  std::vector<std::string> passes(1);
  int depth = 0;
  for (char c : pipeline) {
    depth += (c == '{') - (c == '}');
    if (c == ',' && depth == 0)
      passes.emplace_back();
    else
      passes.back() += c;
  }
  return passes;
}

PassCheck::PassCheck(mlir::ModuleOp module, Inputs &inputs, const std::string &loss, Report &report)
    : module(module), inputs(inputs), loss(loss), report(report),
      lastInference(runInfer(functionOf(module, vn::kInferFunction), inputs)) {}

mlir::OwningOpRef<mlir::ModuleOp> PassCheck::differentiated(mlir::ModuleOp from) const {
  mlir::OwningOpRef<mlir::ModuleOp> copy = from.clone();
  runPasses(*copy, "vn-differentiate{loss=" + loss + "}");
  return copy;
}

void PassCheck::runTraining(mlir::ModuleOp from) {
  mlir::OwningOpRef<mlir::ModuleOp> made;
  if (!functionOf(from, vn::kTrainStepFunction)) {
    made = differentiated(from);
    from = *made;
  }
  std::string text = textOf(from, vn::kTrainStepFunction);
  if (text == lastTrainText)
    return;
  lastTrainText = std::move(text);
  lastTrainStep = runTrainStep(functionOf(from, vn::kTrainStepFunction), inputs);
}

void PassCheck::run(const std::vector<std::string> &passes) {
  exactFault = llvm::is_contained(passes, fault);
  for (const std::string &pass : passes) {
    if (report.failed())
      return;
    runOne(pass);
  }
}

void PassCheck::runOne(const std::string &pass) {
  const mlir::OwningOpRef<mlir::ModuleOp> before = module.clone();
  runPasses(module, pass);
  if (!fault.empty() && (pass == fault || (!exactFault && llvm::StringRef(pass).split('{').first == fault)) &&
      breakRewrite(*before, module))
    fault.clear();

  const auto changed = [&](llvm::StringRef function) {
    return textOf(*before, function) != textOf(module, function);
  };
  bool anything = false;
  if (changed(vn::kInferFunction)) {
    anything = true;
    std::vector<Result> now = runInfer(functionOf(module, vn::kInferFunction), inputs);
    check(pass, "inference", difference(lastInference, now), bounds::ofPass(pass, false));
    lastInference = std::move(now);
  }
  if (!loss.empty() && lastTrainStep.empty() && !llvm::StringRef(pass).starts_with("vn-drop-empty"))
    runTraining(*before);
  const bool differentiates = llvm::StringRef(pass).starts_with("vn-differentiate");
  if (differentiates) {
    anything = true;
    runTraining(module);
    const auto forward = functionOf(*before, compiler::kTrainForwardFunction);
    check(pass, "forward half", difference(runTrainForward(forward, inputs, loss == "binary"), lastTrainStep),
          0);
    check(pass, "finite differences",
          finiteDifferences(functionOf(*differentiated(*before), vn::kTrainStepFunction), inputs,
                            lastTrainStep, bounds::kFiniteDifferences),
          bounds::kFiniteDifferences);
  } else if (changed(vn::kTrainStepFunction) || changed(compiler::kTrainForwardFunction)) {
    anything = true;
    const std::vector<Result> earlier = lastTrainStep;
    runTraining(module);
    check(pass, "training step", difference(earlier, lastTrainStep), bounds::ofPass(pass, true));
  }
  if (!anything)
    report.add({pass, "nothing changed", {}, bounds::ofPass(pass, false)});
}

void PassCheck::check(const std::string &pass, const std::string &compared, const Difference &difference,
                      double bound) {
  report.check({pass, compared, difference, bound}, "pass `" + pass + "` changes what the network computes");
}

} // namespace vernier::tools
