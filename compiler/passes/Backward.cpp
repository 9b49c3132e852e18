#include "compiler/passes/Backward.h"

#include "compiler/ir/Shapes.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace vernier::vn;

namespace vernier::compiler {

SmallVector<Value> cloneForward(OpBuilder &builder, func::FuncOp forward, IRMapping &mapping) {
  for (Operation &op : forward.front().without_terminator())
    builder.clone(op, mapping);
  return llvm::map_to_vector(forward.front().getTerminator()->getOperands(),
                             [&](Value result) { return mapping.lookup(result); });
}

void takeRandomState(Block &block, function_ref<Value(Type)> take) {
  for (RandomStateOp state : llvm::make_early_inc_range(block.getOps<RandomStateOp>())) {
    state.replaceAllUsesWith(take(state.getType()));
    state.erase();
  }
}

void eraseUnused(Block &block, const llvm::StringSet<> &parameters) {
  const auto isKept = [&](Operation &op) {
    auto parameter = dyn_cast<ParameterOp>(op);
    return parameter && !parameters.contains(parameter.getName());
  };
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op) && !isKept(op))
      op.erase();
}

void eraseUnused(Block &block) {
  llvm::StringSet<> all;
  block.walk([&](ParameterOp parameter) { all.insert(parameter.getName()); });
  eraseUnused(block, all);
}

//===- Loss
//---------------------------------------------------------------------------------------------------===//

Type labelsType(LossKind kind, RankedTensorType logits) {
  return kind == LossKind::Softmax ? labelsOf(logits) : logits;
}

Value buildLoss(OpBuilder &builder, LossKind kind, Value logits, Value labels, Value smoothing) {
  Location loc = logits.getLoc();
  Type scalar = floatTensor(builder.getContext(), {1});
  Operation *loss;
  if (kind == LossKind::Softmax)
    loss = SoftmaxCrossEntropyOp::create(builder, loc, scalar, logits, labels, smoothing,
                                         /*count=*/Value(), /*weights=*/Value(),
                                         /*ignored=*/IntegerAttr(), /*each_image=*/UnitAttr());
  else
    loss = PointwiseLossOp::create(builder, loc, scalar, Pointwise::Binary, logits, labels,
                                   llvm::APFloat(1.0), llvm::APFloat(0.5), /*each_image=*/false);
  loss->setAttr(kPlaceAttr, builder.getStringAttr("loss"));
  return loss->getResult(0);
}

//===- Backward
//-----------------------------------------------------------------------------------------------===//

Backward::Backward(OpBuilder &builder, Block &block, ArrayRef<Value> inputs)
    : builder(builder), block(block), active(inputs.begin(), inputs.end()) {
  for (Operation &op : block) {
    forward.push_back(&op);
    auto parameter = dyn_cast<ParameterOp>(op);
    if ((parameter && parameter.isTrainable()) ||
        llvm::any_of(op.getOperands(), [&](Value operand) { return active.contains(operand); }))
      active.insert(op.result_begin(), op.result_end());
  }
}

Value Backward::gradientOf(Value value) {
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

// The adjoint of `op`, whose users have all been visited.
LogicalResult Backward::visit(Operation &op) {
  if (auto loss = dyn_cast<LossOpInterface>(op)) {
    const auto weight = weights.find(op.getResult(0));
    SmallVector<Value> operandGradients(op.getNumOperands());
    if (weight != weights.end() &&
        failed(loss.buildLossGradient(
            builder, weight->second, [&](Value value) { return active.contains(value); }, operandGradients)))
      return failure();
    contributeAll(op, operandGradients);
    return success();
  }
  SmallVector<Value> resultGradients;
  for (Value result : op.getResults())
    resultGradients.push_back(gradientOf(result));
  if (resultGradients.empty() || !resultGradients.front() ||
      llvm::none_of(op.getOperands(), [&](Value operand) { return active.contains(operand); }))
    return success();
  auto differentiable = dyn_cast<GradientOpInterface>(op);
  if (auto affine = dyn_cast<AffineOp>(op)) // of a batch norm that is trained, it has lost the statistics
    if (affine.getActivation() != Activation() || active.contains(affine.getScale()) ||
        active.contains(affine.getShift()))
      differentiable = nullptr;
  if (!differentiable)
    return op.emitOpError("has no gradient: differentiate before folding and fusing");
  SmallVector<Value> operandGradients(op.getNumOperands());
  differentiable.buildGradient(
      builder, resultGradients, [&](Value value) { return active.contains(value); }, operandGradients);
  contributeAll(op, operandGradients);
  return success();
}

void Backward::contributeAll(Operation &op, ArrayRef<Value> gradients) {
  for (auto [operand, gradient] : llvm::zip_equal(op.getOperands(), gradients))
    if (gradient)
      contribute(operand, gradient);
}

// Gradients of slices that together cover a map, or a parameter's inputs, are joined instead of embedded in
// zeros and added. The embeddings are left to eraseDeadOps: the caller may hold the last op of the block.
template <typename Embed, typename Concat>
void Backward::joinSlices(Location loc, SmallVectorImpl<Value> &parts, unsigned dimension) {
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

void Backward::storeGradient(ParameterOp parameter, Value gradient) {
  if (gradient)
    ++storedGradients;
  else {
    ++zeroGradients;
    gradient = ZerosOp::create(builder, parameter.getLoc(), parameter.getType());
  }
  StoreGradientOp::create(builder, parameter.getLoc(), parameter.getNameAttr(), gradient);
}

LogicalResult Backward::run() {
  for (Operation *op : llvm::reverse(forward)) {
    Operation *last = &block.back();
    if (auto parameter = dyn_cast<ParameterOp>(op)) {
      Value gradient = gradientOf(parameter.getResult());
      if (parameter.isTrainable())
        storeGradient(parameter, gradient);
    } else if (failed(visit(*op)))
      return failure();
    if (auto place = op->getAttrOfType<StringAttr>(kPlaceAttr))
      for (Operation &made : llvm::make_range(std::next(last->getIterator()), block.end()))
        made.setAttr(kPlaceAttr, place);
  }
  return success();
}

} // namespace vernier::compiler
