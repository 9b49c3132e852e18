// Turns @infer, as the specification has it, into what evaluates its losses.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Backward.h"
#include "compiler/passes/DeclaredLosses.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/TrainingForm.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_EVALUATIONFORM
#include "compiler/passes/Passes.h.inc"

using namespace mlir;
using namespace vernier::vn;

namespace {

struct EvaluationForm : impl::EvaluationFormBase<EvaluationForm> {
  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (!infer || !declaresLosses(infer) || infer.getNumArguments() != 1) {
      getOperation().emitError("needs a function @infer of one image that declares losses");
      return signalPassFailure();
    }
    dropDropout(infer);
    Block &entry = infer.front();
    const int64_t images = batchOf(cast<RankedTensorType>(infer.getArgumentTypes().front()));
    Type perImage = floatTensor(&getContext(), {images});
    for (Operation &op : entry) {
      if (auto loss = dyn_cast<SoftmaxCrossEntropyOp>(op))
        loss.setEachImage(true);
      else if (auto loss = dyn_cast<PointwiseLossOp>(op))
        loss.setEachImage(true);
      else if (auto count = dyn_cast<CountLabelsOp>(op))
        count.setEachImage(true);
      else
        continue;
      op.getResult(0).setType(perImage);
    }
    auto returned = cast<func::ReturnOp>(entry.getTerminator());
    const SmallVector<Value> values(returned.getOperands());
    returned.erase();
    OpBuilder builder = OpBuilder::atBlockEnd(&entry);
    LossFunction form(infer);
    form.takeTargets();
    form.returnLosses(builder, infer->getAttrOfType<ArrayAttr>(kOutputsAttr), values);
    form.finish(builder);
    eraseUnused(entry);
  }
};

} // namespace
} // namespace vernier::compiler
