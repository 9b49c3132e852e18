// Reverse-mode differentiation of @infer into @train_step by the ops' gradient interface.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/TrainingForm.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;
using vernier::compiler::LossKind;

namespace {

//===- Forward
//------------------------------------------------------------------------------------------------===//

// Clones the ops of @train_forward and returns the clones of its results.
SmallVector<Value> cloneForward(OpBuilder &builder, func::FuncOp forward, IRMapping &mapping) {
  for (Operation &op : forward.front().without_terminator())
    builder.clone(op, mapping);
  return llvm::map_to_vector(forward.front().getTerminator()->getOperands(),
                             [&](Value result) { return mapping.lookup(result); });
}

// Values that depend on a trainable parameter: only these need a gradient.
DenseSet<Value> findActive(Block &block) {
  DenseSet<Value> active;
  for (Operation &op : block) {
    auto parameter = dyn_cast<ParameterOp>(op);
    if ((parameter && parameter.isTrainable()) ||
        llvm::any_of(op.getOperands(), [&](Value operand) { return active.contains(operand); }))
      active.insert(op.result_begin(), op.result_end());
  }
  return active;
}

//===- Backward
//-----------------------------------------------------------------------------------------------===//

class Backward {
public:
  Backward(OpBuilder &builder, const DenseSet<Value> &active) : builder(builder), active(active) {}

  void contribute(Value value, Value gradient) { contributions[value].push_back(gradient); }

  // The complete gradient of `value`, or null if nothing contributed.
  Value gradientOf(Value value) {
    auto found = contributions.find(value);
    if (found == contributions.end())
      return nullptr;
    SmallVector<Value> parts = std::move(found->second);
    contributions.erase(found);
    joinSlices<EmbedChannelsOp, ConcatOp>(value.getLoc(), parts, 3);
    joinSlices<EmbedParameterOp, ConcatParametersOp>(
        value.getLoc(), parts, cast<RankedTensorType>(value.getType()).getRank() == 1 ? 0 : 1);
    Value sum = parts.front();
    for (Value part : ArrayRef(parts).drop_front())
      sum = AddOp::create(builder, value.getLoc(), sum.getType(), sum, part);
    return sum;
  }

  // Builds the adjoint of `op`, whose users have all been visited.
  LogicalResult visit(Operation &op) {
    SmallVector<Value> resultGradients;
    for (Value result : op.getResults())
      resultGradients.push_back(gradientOf(result));
    if (resultGradients.empty() || !resultGradients.front() ||
        llvm::none_of(op.getOperands(), [&](Value operand) { return active.contains(operand); }))
      return success();
    auto differentiable = dyn_cast<GradientOpInterface>(op);
    if (!differentiable)
      return op.emitOpError("has no gradient: differentiate before folding and fusing");
    SmallVector<Value> operandGradients(op.getNumOperands());
    differentiable.buildGradient(
        builder, resultGradients, [&](Value value) { return active.contains(value); }, operandGradients);
    for (auto [operand, gradient] : llvm::zip_equal(op.getOperands(), operandGradients))
      if (gradient)
        contribute(operand, gradient);
    return success();
  }

private:
  // Gradients of slices that together cover a map, or a parameter's inputs, are joined instead of embedded in
  // zeros and added. The embeddings are left to eraseDeadOps: the caller may hold the last op of the block.
  template <typename Embed, typename Concat>
  void joinSlices(Location loc, SmallVectorImpl<Value> &parts, unsigned dimension) {
    SmallVector<Embed> embeds;
    for (Value part : parts)
      if (auto embed = part.getDefiningOp<Embed>())
        embeds.push_back(embed);
    llvm::sort(embeds, [](Embed a, Embed b) { return a.getBegin() < b.getBegin(); });
    int64_t end = 0;
    SmallVector<Value> slices;
    for (Embed embed : embeds) {
      if (embed.getBegin() != end)
        return;
      end += embed.getInput().getType().getDimSize(dimension);
      slices.push_back(embed.getInput());
    }
    if (embeds.empty() || end != embeds.front().getType().getDimSize(dimension))
      return;
    llvm::erase_if(parts, [](Value part) { return part.getDefiningOp<Embed>() != nullptr; });
    parts.push_back(Concat::create(builder, loc, embeds.front().getType(), slices));
  }

  OpBuilder &builder;
  const DenseSet<Value> &active;
  DenseMap<Value, SmallVector<Value>> contributions;
};

// Ops after `last` belong to `place`.
void tagPlace(Block &block, Operation *last, Operation &forward) {
  auto place = forward.getAttrOfType<StringAttr>(kPlaceAttr);
  if (!place)
    return;
  for (Operation &op : llvm::make_range(std::next(last->getIterator()), block.end()))
    op.setAttr(kPlaceAttr, place);
}

void eraseDeadOps(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

//===- Pass
//---------------------------------------------------------------------------------------------------===//

struct Differentiate : vernier::compiler::impl::DifferentiateBase<Differentiate> {
  using DifferentiateBase::DifferentiateBase;

  func::FuncOp createTrainStep(func::FuncOp infer, RankedTensorType logits) {
    OpBuilder builder(&getContext());
    Type labels = loss == LossKind::Softmax
                      ? RankedTensorType::get({batchOf(logits)}, builder.getI32Type())
                      : floatTensor(&getContext(), {batchOf(logits), channelsOf(logits)});
    Type scalar = floatTensor(&getContext(), {1});
    builder.setInsertionPointAfter(infer);
    auto step = func::FuncOp::create(
        builder, infer.getLoc(), kTrainStepFunction,
        builder.getFunctionType({infer.getArgumentTypes().front(), labels, scalar}, {scalar, logits}));
    step->setAttr(kOutputsAttr, builder.getStrArrayAttr({"loss", "logits"}));
    return step;
  }

  // The loss of `logits` and its gradient.
  std::pair<Value, Value> buildLoss(OpBuilder &builder, Location loc, Value logits, Block &entry) {
    Type scalar = floatTensor(&getContext(), {1});
    Value labels = entry.getArgument(1), smoothing = entry.getArgument(2);
    Value lossValue, gradient;
    if (loss == LossKind::Softmax) {
      lossValue = SoftmaxCrossEntropyOp::create(builder, loc, scalar, logits, labels, smoothing);
      gradient = SoftmaxCrossEntropyGradOp::create(builder, loc, logits.getType(), logits, labels, smoothing);
    } else {
      lossValue = BinaryCrossEntropyOp::create(builder, loc, scalar, logits, labels);
      gradient = BinaryCrossEntropyGradOp::create(builder, loc, logits.getType(), logits, labels);
    }
    for (Value value : {lossValue, gradient})
      value.getDefiningOp()->setAttr(kPlaceAttr, builder.getStringAttr("loss"));
    return {lossValue, gradient};
  }

  void storeGradient(OpBuilder &builder, ParameterOp parameter, Value gradient) {
    if (gradient)
      ++storedGradients;
    else {
      ++zeroGradients;
      gradient = ZerosOp::create(builder, parameter.getLoc(), parameter.getType());
    }
    StoreGradientOp::create(builder, parameter.getLoc(), parameter.getNameAttr(), gradient);
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

    SmallVector<Operation *> forward;
    for (Operation &op : entry)
      forward.push_back(&op);
    DenseSet<Value> active = findActive(entry);
    Value logits = outputs.front();
    auto [lossValue, lossGradient] = buildLoss(builder, infer.getLoc(), logits, entry);

    Backward backward(builder, active);
    backward.contribute(logits, lossGradient);
    for (Operation *op : llvm::reverse(forward)) {
      Operation *last = &entry.back();
      if (auto parameter = dyn_cast<ParameterOp>(op)) {
        Value gradient = backward.gradientOf(parameter.getResult());
        if (parameter.isTrainable())
          storeGradient(builder, parameter, gradient);
      } else if (failed(backward.visit(*op)))
        return signalPassFailure();
      tagPlace(entry, last, *op);
    }
    func::ReturnOp::create(builder, infer.getLoc(), ValueRange{lossValue, logits});
    eraseDeadOps(entry); // running statistics, joined slices, and what only other outputs needed
  }
};

} // namespace
