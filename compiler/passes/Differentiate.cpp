// Reverse-mode differentiation of @infer into @train_step by the ops' gradient interface.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Backward.h"
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

  func::FuncOp createTrainStep(func::FuncOp infer, RankedTensorType logits) {
    OpBuilder builder(&getContext());
    Type labels = labelsType(builder, loss, logits);
    Type scalar = floatTensor(&getContext(), {1});
    builder.setInsertionPointAfter(infer);
    auto step = func::FuncOp::create(
        builder, infer.getLoc(), kTrainStepFunction,
        builder.getFunctionType({infer.getArgumentTypes().front(), labels, scalar}, {scalar, logits}));
    step->setAttr(kOutputsAttr, builder.getStrArrayAttr({"loss", "logits"}));
    return step;
  }

  // What @infer must be for a training step to make sense.
  FailureOr<RankedTensorType> checkInfer(func::FuncOp infer) {
    if (!infer || infer.isExternal() || infer.getNumArguments() != 1 || infer.getNumResults() < 1)
      return getOperation().emitError("needs a function @infer from one image to at least one output");
    if (getOperation().lookupSymbol(kTrainStepFunction))
      return getOperation().emitError("already has a function @train_step");
    auto logits = dyn_cast<RankedTensorType>(infer.getResultTypes().front());
    if (!logits || logits.getRank() != 4 || heightOf(logits) != 1 || widthOf(logits) != 1)
      return infer.emitError("the first output is ")
             << infer.getResultTypes().front() << "; a loss needs one pixel of logits per image";
    return logits;
  }

  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    auto logitsType = checkInfer(infer);
    if (failed(logitsType))
      return signalPassFailure();

    FailureOr<func::FuncOp> forwardForm =
        getOperation().lookupSymbol<func::FuncOp>(vernier::compiler::kTrainForwardFunction);
    if (!*forwardForm)
      forwardForm = vernier::compiler::buildTrainingForm(infer);
    if (failed(forwardForm))
      return signalPassFailure();

    func::FuncOp step = createTrainStep(infer, *logitsType);
    Block &entry = *step.addEntryBlock();
    OpBuilder builder = OpBuilder::atBlockEnd(&entry);
    IRMapping mapping;
    mapping.map(forwardForm->getArgument(0), entry.getArgument(0));
    const SmallVector<Value> outputs = cloneForward(builder, *forwardForm, mapping);
    forwardForm->erase();

    Value logits = outputs.front();
    Backward backward(builder, entry, {});
    auto [lossValue, lossGradient] =
        buildLoss(builder, loss, logits, entry.getArgument(1), entry.getArgument(2));
    backward.contribute(logits, lossGradient);
    if (failed(backward.run()))
      return signalPassFailure();
    storedGradients += backward.storedGradients;
    zeroGradients += backward.zeroGradients;
    func::ReturnOp::create(builder, infer.getLoc(), ValueRange{lossValue, logits});
    eraseUnused(entry); // running statistics, joined slices, and what only other outputs needed
  }
};

} // namespace
