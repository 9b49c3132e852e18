// Shapes and gradients of losses.
#include "compiler/ir/LabelRange.h"
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"

using namespace mlir;
using namespace vernier::vn;

using Types = SmallVectorImpl<RankedTensorType>;
using Expected = SmallVector<ExpectedOperand>;

RankedTensorType vernier::vn::labelsOf(RankedTensorType logits) {
  SmallVector<int64_t> shape = {batchOf(logits)};
  if (heightOf(logits) * widthOf(logits) != 1)
    shape.append({heightOf(logits), widthOf(logits)});
  return RankedTensorType::get(shape, IntegerType::get(logits.getContext(), 32));
}

// One number of the batch, or one of each image.
static RankedTensorType lossType(MLIRContext *context, bool eachImage, int64_t images) {
  return floatTensor(context, {eachImage ? images : 1});
}

LogicalResult CountLabelsOp::inferShapes(Types &results) {
  results.push_back(lossType(getContext(), getEachImage(), getLabels().getType().getDimSize(0))); // C1
  if (!getIgnored() && !getWeights())                                                             // C2
    return emitOpError("counts all labels: none is ignored, and none is weighted");
  return success();
}
Expected CountLabelsOp::expectedOperands(std::optional<int64_t>) { return {}; }

//===- Softmax cross-entropy
//---------------------------------------------------------------------------------------------------===//

// C3
template <class Op> static LogicalResult requireCount(Op op) {
  if ((op.getIgnored().has_value() || op.getWeights()) != bool(op.getCount()))
    return op.emitOpError("needs a count of labels if some are ignored or weighted, and only then");
  return success();
}

template <class Op> static Expected expectedLabels(Op op) { // C1, and what the weights are
  RankedTensorType logits = op.getLogits().getType();
  Expected expected = {{1, "labels", labelsOf(logits)}};
  if (op.getWeights())
    expected.push_back(
        {op.getCount() ? 4u : 3u, "weights", floatTensor(op.getContext(), {channelsOf(logits)})});
  return expected;
}

LogicalResult SoftmaxCrossEntropyOp::inferShapes(Types &results) {
  results.push_back(lossType(getContext(), getEachImage(), batchOf(getLogits().getType()))); // C2
  if (getCount() && getCount().getType() != results.back())                                  // C4
    return emitOpError("has a count of type ") << getCount().getType() << "; expected " << results.back();
  return requireCount(*this);
}
Expected SoftmaxCrossEntropyOp::expectedOperands(std::optional<int64_t>) { return expectedLabels(*this); }

LogicalResult SoftmaxCrossEntropyGradOp::inferShapes(Types &results) {
  results.push_back(getLogits().getType()); // C2
  return requireCount(*this);
}
Expected SoftmaxCrossEntropyGradOp::expectedOperands(std::optional<int64_t>) { return expectedLabels(*this); }

LogicalResult SoftmaxCrossEntropyOp::buildLossGradient(OpBuilder &builder, double weight,
                                                       function_ref<bool(Value)> wanted,
                                                       MutableArrayRef<Value> operandGradients) {
  if (getEachImage())
    return emitOpError("of each image has no gradient");
  if (wanted(getLogits()))
    operandGradients[0] = SoftmaxCrossEntropyGradOp::create(
        builder, getLoc(), getLogits().getType(), getLogits(), getLabels(), getSmoothing(), getCount(),
        getWeights(), getIgnoredAttr(), builder.getF64FloatAttr(weight));
  return success();
}

LabelRange vernier::vn::labelRangeOf(Value labels) {
  LabelRange range;
  const auto read = [&](auto loss) {
    const int64_t classes = channelsOf(loss.getLogits().getType());
    const std::optional<int64_t> ignored = loss.getIgnored();
    range.ignored = range.classes == 0 || range.ignored == ignored ? ignored : std::nullopt;
    range.classes = range.classes == 0 ? classes : std::min(range.classes, classes);
  };
  for (Operation *user : labels.getUsers())
    if (auto loss = dyn_cast<SoftmaxCrossEntropyOp>(user))
      read(loss);
  return range;
}

//===- Losses of single elements
//---------------------------------------------------------------------------------------------------===//

// C3
template <class Op> static LogicalResult requireTarget(Op op) {
  if ((op.getKind() == Pointwise::Mean) == bool(op.getTarget()))
    return op.emitOpError("needs a target unless it is the mean, and only then");
  return success();
}

template <class Op> static Expected expectedTarget(Op op) { // C1
  if (!op.getTarget())
    return {};
  return {{1, "target", op.getInput().getType()}};
}

LogicalResult PointwiseLossOp::inferShapes(Types &results) {
  results.push_back(lossType(getContext(), getEachImage(), batchOf(getInput().getType()))); // C2
  return requireTarget(*this);
}
Expected PointwiseLossOp::expectedOperands(std::optional<int64_t>) { return expectedTarget(*this); }

LogicalResult PointwiseLossGradOp::inferShapes(Types &results) {
  results.push_back(getInput().getType()); // C2
  return requireTarget(*this);
}
Expected PointwiseLossGradOp::expectedOperands(std::optional<int64_t>) { return expectedTarget(*this); }

static Value scaled(OpBuilder &builder, Location loc, Value map, double factor) {
  return ActivateOp::create(builder, loc, map.getType(),
                            vernier::Activation{vernier::Activation::ScaleShift, factor, 0}, map);
}

LogicalResult PointwiseLossOp::buildLossGradient(OpBuilder &builder, double weight,
                                                 function_ref<bool(Value)> wanted,
                                                 MutableArrayRef<Value> operandGradients) {
  if (getEachImage())
    return emitOpError("of each image has no gradient");
  const bool ofTarget = getTarget() && wanted(getTarget());
  Value gradient;
  const bool difference =
      getKind() == Pointwise::Squared || getKind() == Pointwise::Absolute || getKind() == Pointwise::SmoothL1;
  if (wanted(getInput()) || (ofTarget && difference))
    gradient = PointwiseLossGradOp::create(builder, getLoc(), getInput().getType(), getKind(), getInput(),
                                           getTarget(), getSharpness(), getShare(), llvm::APFloat(weight));
  if (wanted(getInput()))
    operandGradients[0] = gradient;
  if (!ofTarget)
    return success();
  if (difference)
    operandGradients[1] = scaled(builder, getLoc(), gradient, -1);
  else if (getKind() == Pointwise::Binary && getSharpness().isExactlyValue(1)) // linear in its target
    operandGradients[1] =
        scaled(builder, getLoc(), getInput(), -weight / double(getInput().getType().getNumElements()));
  else
    return emitError("the target of a ") << (getKind() == Pointwise::Focal ? "focal" : "weighted binary")
                                         << " loss depends on parameters that are trained";
  return success();
}

LogicalResult NumbersOp::verify() {
  if (int64_t(getValues().size()) != getType().getNumElements()) // C1
    return emitOpError("has ") << getValues().size() << " values for " << getType();
  return success();
}

LogicalResult WeightedSumOp::verify() {
  if (getTerms().size() != getWeights().size()) // C1
    return emitOpError("has ") << getTerms().size() << " terms and " << getWeights().size() << " weights";
  for (Value term : getTerms()) // C2
    if (term.getType() != getType())
      return emitOpError("adds ") << term.getType() << " to a sum of type " << getType();
  return success();
}
