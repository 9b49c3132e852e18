// The forward half of a training step: @infer with its batch norms and dropouts in their training form.
#include "compiler/passes/TrainingForm.h"

#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "mlir/IR/IRMapping.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_TRAININGFORM
#include "compiler/passes/Passes.h.inc"

using namespace mlir;
using namespace vernier::vn;

void dropDropout(func::FuncOp infer) {
  for (DropoutOp dropout : llvm::make_early_inc_range(infer.getOps<DropoutOp>())) {
    dropout.replaceAllUsesWith(dropout.getInput());
    dropout.erase();
  }
}

// What remains of a part of the input, divided by the probability with which it does.
static Value trainingForm(OpBuilder &builder, DropoutOp dropout, Value input, Value state) {
  RankedTensorType map = dropout.getType();
  const bool whole = dropout.getPart() != DroppedPart::Element; // channels or images
  RankedTensorType shape = whole ? mapLike(map, {batchOf(map), 1, 1, channelsOf(map)}) : map;
  auto mask = KeepMaskOp::create(builder, dropout.getLoc(), shape, state, dropout.getRate(),
                                 dropout.getStream(), dropout.getPart() == DroppedPart::Image);
  auto kept = MultiplyOp::create(builder, dropout.getLoc(), map, input, mask);
  const Activation scale{Activation::ScaleShift, 1 / (1 - dropout.getRate().convertToDouble())};
  auto scaled = ActivateOp::create(builder, dropout.getLoc(), map, scale, kept);
  for (Operation *made : {mask.getOperation(), kept.getOperation(), scaled.getOperation()})
    made->setDiscardableAttrs(dropout->getDiscardableAttrDictionary());
  return scaled;
}

FailureOr<func::FuncOp> buildTrainingForm(func::FuncOp infer) {
  OpBuilder builder(infer.getContext());
  builder.setInsertionPointAfter(infer);
  auto forward =
      func::FuncOp::create(builder, infer.getLoc(), kTrainForwardFunction, infer.getFunctionType());
  if (Attribute names = infer->getAttr(kOutputsAttr))
    forward->setAttr(kOutputsAttr, names);
  builder.setInsertionPointToStart(forward.addEntryBlock());
  IRMapping mapping;
  mapping.map(infer.getArguments(), forward.getArguments());
  Value state;
  if (!infer.getOps<DropoutOp>().empty())
    state = RandomStateOp::create(builder, infer.getLoc(), RankedTensorType::get({2}, builder.getI32Type()));
  for (Operation &op : infer.front()) {
    if (auto dropout = dyn_cast<DropoutOp>(op)) {
      mapping.map(dropout.getResult(),
                  trainingForm(builder, dropout, mapping.lookup(dropout.getInput()), state));
      continue;
    }
    auto norm = dyn_cast<BatchNormOp>(op);
    if (!norm) {
      builder.clone(op, mapping);
      continue;
    }
    auto mean = norm.getMean().getDefiningOp<ParameterOp>(), var = norm.getVar().getDefiningOp<ParameterOp>();
    if (!mean || !var)
      return norm.emitOpError("has running statistics that are no parameters");
    if (mean.getFrozen())
      return norm.emitOpError("is frozen: `--vn-fold-frozen` comes first");
    RankedTensorType vector = norm.getGamma().getType(), map = norm.getInput().getType();
    auto training = BatchNormTrainingOp::create(
        builder, norm.getLoc(), TypeRange{map, vector, vector}, mapping.lookup(norm.getInput()),
        mapping.lookup(norm.getGamma()), mapping.lookup(norm.getBeta()), norm.getEpsilonAttr());
    auto update =
        UpdateRunningOp::create(builder, norm.getLoc(), mean.getNameAttr(), var.getNameAttr(),
                                training.getBatchMean(), training.getBatchVar(), norm.getMomentumAttr(),
                                builder.getI64IntegerAttr(batchOf(map) * heightOf(map) * widthOf(map)));
    for (Operation *made : {training.getOperation(), update.getOperation()})
      made->setDiscardableAttrs(norm->getDiscardableAttrDictionary());
    mapping.map(norm.getResult(), training.getResult());
  }
  dropDropout(infer);
  return forward;
}

namespace {

struct TrainingForm : impl::TrainingFormBase<TrainingForm> {
  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (infer && failed(buildTrainingForm(infer)))
      signalPassFailure();
  }
};

} // namespace
} // namespace vernier::compiler
