// Runs the compiler's passes one by one and compares, in double precision, what the network computes before
// and after each.
#ifndef VERNIER_DRIVER_VERIFY_PASSCHECK_H
#define VERNIER_DRIVER_VERIFY_PASSCHECK_H

#include "driver/verify/Bounds.h"
#include "driver/verify/Report.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace vernier::driver {

// "a,b{c=1,d=2}" to its passes.
std::vector<std::string> splitPipeline(llvm::StringRef pipeline);

class PassCheck {
public:
  // `loss` is a LossKind's name; empty: there is no training step.
  PassCheck(mlir::ModuleOp module, Inputs &inputs, const std::string &loss, Report &report);

  // A pass to break: one of the passes as they are run or, where none is called so, the first of the name
  // that rewrites something.
  void injectFault(const std::string &pass) { fault = pass; }
  bool faultInjected() const { return fault.empty(); }

  // Stops after a pass that moves a result by more than its bound. Passes over a training step come after
  // `vn-drop-empty`.
  void run(const std::vector<std::string> &passes);
  // Without a comparison.
  void runUnchecked(const std::vector<std::string> &passes);

  // What the interpreter computes after the last pass.
  const std::vector<Result> &inference() const { return lastInference; }
  const std::vector<Result> &trainStep() const { return lastTrainStep; }

private:
  void runOne(const std::string &pass);
  // What `pass`, which led from `before` to the module as it is, has moved.
  std::vector<Row> compare(const std::string &pass, mlir::ModuleOp before);
  // Adds the rows for inference or the training step, which gave `earlier` before the pass and now gives
  // `now`; `run` runs that of a module.
  void compareRuns(const std::string &pass, bool training, mlir::ModuleOp before,
                   const std::vector<Result> &earlier, const std::vector<Result> &now,
                   llvm::function_ref<std::vector<Result>(mlir::ModuleOp, Inputs &)> run,
                   std::vector<Row> &rows);
  // What is more than the bound apart is compared with what moves when the inputs do, too; `moved` runs the
  // same as `before` did on other inputs.
  Difference apart(const std::vector<Result> &before, const std::vector<Result> &after,
                   const bounds::Pass &bound, llvm::function_ref<std::vector<Result>(Inputs &)> moved);
  std::vector<Result> trainStepOf(mlir::ModuleOp from, Inputs &given) const;
  // The training step of a module that has none yet, by `vn-differentiate` of a copy.
  mlir::OwningOpRef<mlir::ModuleOp> differentiated(mlir::ModuleOp from) const;
  void runTraining(mlir::ModuleOp from);

  mlir::ModuleOp module;
  Inputs &inputs;
  std::string loss, fault;
  bool exactFault = false;
  Report &report;
  // What was run last. A training step that reads the same is not run again.
  std::vector<Result> lastInference;
  std::vector<Result> lastTrainStep; // empty until the first pass that needs it: not every op has a gradient
                                     // while there are branches without channels
  std::string lastTrainText;
};

} // namespace vernier::driver

#endif
