// The forward half of a training step: @infer with its batch norms in their training form.
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
  for (Operation &op : infer.front()) {
    auto norm = dyn_cast<BatchNormOp>(op);
    if (!norm) {
      builder.clone(op, mapping);
      continue;
    }
    auto mean = norm.getMean().getDefiningOp<ParameterOp>(), var = norm.getVar().getDefiningOp<ParameterOp>();
    if (!mean || !var)
      return norm.emitOpError("has running statistics that are no parameters");
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
