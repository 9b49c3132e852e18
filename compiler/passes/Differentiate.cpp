// Reverse-mode differentiation of @infer into @train_step by the ops' gradient interface.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Backward.h"
#include "compiler/passes/DeclaredLosses.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/TrainingForm.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;
using namespace vernier::compiler;

namespace {

struct Differentiate : vernier::compiler::impl::DifferentiateBase<Differentiate> {
  using DifferentiateBase::DifferentiateBase;

  // What @infer must be for a training step to make sense.
  LogicalResult checkInfer(func::FuncOp infer) {
    if (!infer || infer.isExternal() || infer.getNumArguments() != 1 || infer.getNumResults() < 1)
      return getOperation().emitError("needs a function @infer from one image to at least one output");
    if (getOperation().lookupSymbol(kTrainStepFunction))
      return getOperation().emitError("already has a function @train_step");
    auto logits = dyn_cast<RankedTensorType>(infer.getResultTypes().front());
    if (!vernier::compiler::declaresLosses(infer) &&
        (!logits || logits.getRank() != 4 || heightOf(logits) != 1 || widthOf(logits) != 1))
      return infer.emitError("the first output is ")
             << infer.getResultTypes().front() << "; a loss needs one pixel of logits per image";
    return success();
  }

  // The loss that the pass is asked for, of the first of `outputs`.
  void minimizeLogits(OpBuilder &builder, LossFunction &step, ArrayRef<Value> outputs) {
    Value logits = outputs.front();
    step.targets = {"labels"};
    Value labels = step.take("labels", labelsType(loss, cast<RankedTensorType>(logits.getType())));
    Value smoothing = step.take("label_smoothing", floatTensor(&getContext(), {1}));
    step.results = {buildLoss(builder, loss, logits, labels, smoothing), logits};
    step.outputs.push_back("logits");
    minimized.emplace_back(step.results.front(), 1.0);
  }

  // Those that a training step need not keep; of the others its ops are all that says what they are.
  static llvm::StringSet<> parametersOf(func::FuncOp infer) {
    llvm::StringSet<> names;
    infer.walk([&](ParameterOp parameter) { names.insert(parameter.getName()); });
    return names;
  }

  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (failed(checkInfer(infer)))
      return signalPassFailure();

    FailureOr<func::FuncOp> forwardForm =
        getOperation().lookupSymbol<func::FuncOp>(vernier::compiler::kTrainForwardFunction);
    if (!*forwardForm)
      forwardForm = vernier::compiler::buildTrainingForm(infer);
    if (failed(forwardForm))
      return signalPassFailure();

    OpBuilder builder(&getContext());
    builder.setInsertionPointAfter(infer);
    LossFunction step(func::FuncOp::create(builder, infer.getLoc(), kTrainStepFunction,
                                           builder.getFunctionType(infer.getArgumentTypes(), {})));
    Block &entry = *step.function.addEntryBlock();
    builder.setInsertionPointToEnd(&entry);
    IRMapping mapping;
    mapping.map(forwardForm->getArgument(0), entry.getArgument(0));
    const SmallVector<Value> outputs = cloneForward(builder, *forwardForm, mapping);
    forwardForm->erase();

    minimized.clear();
    if (vernier::compiler::declaresLosses(infer)) {
      step.takeTargets();
      minimized = step.returnLosses(builder, infer->getAttrOfType<ArrayAttr>(kOutputsAttr), outputs);
    } else {
      minimizeLogits(builder, step, outputs);
    }
    takeRandomState(entry, [&](Type type) { return step.take(kRandomInput, type); });
    Backward backward(builder, entry, {});
    for (auto [term, weight] : minimized)
      backward.minimize(term, weight);
    if (failed(backward.run()))
      return signalPassFailure();
    storedGradients += backward.storedGradients;
    zeroGradients += backward.zeroGradients;
    step.finish(builder);
    vernier::compiler::dropLosses(infer);
    eraseUnused(entry, parametersOf(infer)); // joined slices, and what only other outputs needed
  }

  SmallVector<std::pair<Value, double>> minimized;
};

} // namespace
