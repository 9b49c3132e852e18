#include "driver/verify/PassCheck.h"

#include "compiler/ir/VnOps.h"
#include "compiler/passes/TrainingForm.h"
#include "driver/LoadModel.h"
#include "driver/verify/Fault.h"
#include "driver/verify/FiniteDifferences.h"

#include <functional>

namespace vernier::driver {
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
  runPasses(*copy, "vn-fold-frozen,vn-differentiate{loss=" + loss + "}");
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

std::vector<Result> PassCheck::trainStepOf(mlir::ModuleOp from, Inputs &given) const {
  mlir::OwningOpRef<mlir::ModuleOp> made;
  if (!functionOf(from, vn::kTrainStepFunction)) {
    made = differentiated(from);
    from = *made;
  }
  return runTrainStep(functionOf(from, vn::kTrainStepFunction), given);
}

Difference PassCheck::apart(const std::vector<Result> &before, const std::vector<Result> &after,
                            const bounds::Pass &bound,
                            llvm::function_ref<std::vector<Result>(Inputs &)> moved) {
  const Difference found = difference(before, after);
  if (found.value <= bound.bound || bound.bound == 0)
    return found;
  Inputs inputsMoved = inputs.moved(bound.movement.step);
  std::map<std::string, double> scales = movements(before, moved(inputsMoved));
  for (auto &[name, scale] : scales)
    scale *= bound.movement.times / bound.bound;
  return difference(before, after, scales);
}

void PassCheck::run(const std::vector<std::string> &passes) {
  exactFault = llvm::is_contained(passes, fault);
  for (const std::string &pass : passes) {
    if (report.failed())
      return;
    runOne(pass);
  }
}

void PassCheck::runUnchecked(const std::vector<std::string> &passes) {
  for (const std::string &pass : passes)
    runPasses(module, pass);
  lastInference = runInfer(functionOf(module, vn::kInferFunction), inputs);
  if (!loss.empty())
    runTraining(module);
}

void PassCheck::runOne(const std::string &pass) {
  const mlir::OwningOpRef<mlir::ModuleOp> before = module.clone();
  runPasses(module, pass);
  const bool faulty =
      !fault.empty() && (pass == fault || (!exactFault && llvm::StringRef(pass).split('{').first == fault));
  const std::vector<Result> inference = faulty ? lastInference : std::vector<Result>();
  const std::vector<Result> trainStep = faulty ? lastTrainStep : std::vector<Result>();
  const std::string trainText = faulty ? lastTrainText : std::string();
  std::vector<Row> rows = compare(pass, *before);
  // A fault may be without effect, where an operand takes the place of an equal one: then there is another.
  llvm::DenseSet<mlir::Operation *> broken;
  while (faulty && llvm::all_of(rows, std::mem_fn(&Row::holds)) && breakRewrite(*before, module, broken)) {
    fault.clear();
    lastInference = inference;
    lastTrainStep = trainStep;
    lastTrainText = trainText;
    rows = compare(pass, *before);
  }
  for (Row &row : rows)
    report.check(std::move(row), "pass `" + pass + "` changes what the network computes");
}

void PassCheck::compareRuns(const std::string &pass, bool training, mlir::ModuleOp before,
                            const std::vector<Result> &earlier, const std::vector<Result> &now,
                            llvm::function_ref<std::vector<Result>(mlir::ModuleOp, Inputs &)> run,
                            std::vector<Row> &rows) {
  const std::string compared = training ? "training step" : report.inference;
  const auto runBefore = [&](Inputs &moved) { return run(before, moved); };
  bounds::Pass bound = bounds::ofPass(pass, training);
  if (!bounds::choosesPrecision(pass)) {
    rows.push_back({pass, compared, apart(earlier, now, bound, runBefore), bound.bound});
    return;
  }
  Inputs exact = inputs.notRounded();
  rows.push_back({pass, compared + ", not rounded", difference(earlier, run(module, exact)), bound.bound});
  bound = bounds::ofRounding(training);
  rows.push_back({pass, compared, apart(withoutGradients(earlier), withoutGradients(now), bound, runBefore),
                  bound.bound});
}

std::vector<Row> PassCheck::compare(const std::string &pass, mlir::ModuleOp before) {
  const auto changed = [&](llvm::StringRef function) {
    return textOf(before, function) != textOf(module, function);
  };
  std::vector<Row> rows;
  if (changed(vn::kInferFunction)) {
    const std::vector<Result> earlier = std::move(lastInference);
    const auto run = [&](mlir::ModuleOp of, Inputs &given) {
      return runInfer(functionOf(of, vn::kInferFunction), given);
    };
    lastInference = run(module, inputs);
    compareRuns(pass, false, before, earlier, lastInference, run, rows);
  }
  if (!loss.empty() && lastTrainStep.empty() && !llvm::StringRef(pass).starts_with("vn-drop-empty"))
    runTraining(before);
  const bool differentiates = llvm::StringRef(pass).starts_with("vn-differentiate");
  if (differentiates) {
    runTraining(module);
    const auto forward = functionOf(before, compiler::kTrainForwardFunction);
    rows.push_back({pass, "forward half",
                    difference(runTrainForward(forward, inputs, loss == "binary"), lastTrainStep), 0});
    rows.push_back({pass, "finite differences",
                    finiteDifferences(functionOf(*differentiated(before), vn::kTrainStepFunction), inputs,
                                      lastTrainStep, bounds::kFiniteDifferences,
                                      [&](Inputs &moved) {
                                        return runTrainStep(functionOf(module, vn::kTrainStepFunction),
                                                            moved);
                                      }),
                    bounds::kFiniteDifferences});
  } else if (changed(vn::kTrainStepFunction) || changed(compiler::kTrainForwardFunction)) {
    const std::vector<Result> earlier = lastTrainStep;
    runTraining(module);
    compareRuns(
        pass, true, before, earlier, lastTrainStep,
        [&](mlir::ModuleOp of, Inputs &given) { return trainStepOf(of, given); }, rows);
  }
  if (rows.empty())
    rows.push_back({pass, "nothing changed", {}, bounds::ofPass(pass, false).bound});
  return rows;
}

} // namespace vernier::driver
