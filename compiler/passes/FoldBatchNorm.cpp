// Folds batch norms by running statistics into the layers before them. What cannot fold becomes a scale and a
// shift.
//
// A batch norm is y = x * s + t with s = gamma / sqrt(var + epsilon), t = beta - mean * s per channel. It
// merges with the weight and bias of a convolution or linear layer that feeds it, and commutes with a crop
// and with a resize in between: each resized pixel is a sum of input pixels whose weights add up to one. Of a
// sum each summand is scaled and one is shifted. Numbers that channels are multiplied by merge alike: they
// scale each bias, and shift nothing.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/DeadOps.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Report.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_FOLDBATCHNORM
#define GEN_PASS_DEF_FOLDFROZEN
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

//===- Helpers
//----------------------------------------------------------------------------------------------------===//

Value foldedBias(PatternRewriter &rewriter, BatchNormOp norm, Value bias) {
  auto fold = FoldBiasOp::create(rewriter, norm.getLoc(), norm.getGamma().getType(), norm.getGamma(),
                                 norm.getBeta(), norm.getMean(), norm.getVar(), bias, norm.getEpsilonAttr());
  fold->setDiscardableAttrs(norm->getDiscardableAttrDictionary());
  return fold;
}

Value foldedScale(PatternRewriter &rewriter, BatchNormOp norm) {
  auto scale = FoldScaleOp::create(rewriter, norm.getLoc(), norm.getGamma().getType(), norm.getGamma(),
                                   norm.getVar(), norm.getEpsilonAttr());
  scale->setDiscardableAttrs(norm->getDiscardableAttrDictionary());
  return scale;
}

// What folding does to a layer's parameters.
struct Folding {
  BatchNormOp norm;      // or
  ScaleChannelsOp scale; // one of them is null

  // `norm` shifts one layer, to whose bias it adds; a bias elsewhere in the sum would be left unscaled.
  bool shifts() { return bool(norm); }
  Value weight(PatternRewriter &rewriter, Value weight) {
    if (scale)
      return scaled(rewriter, weight);
    auto fold = FoldWeightOp::create(rewriter, norm.getLoc(), weight.getType(), weight, norm.getGamma(),
                                     norm.getVar(), norm.getEpsilonAttr());
    fold->setDiscardableAttrs(norm->getDiscardableAttrDictionary());
    return fold;
  }
  Value factor(PatternRewriter &rewriter) { return scale ? scale.getScale() : foldedScale(rewriter, norm); }
  // Null: none.
  Value bias(PatternRewriter &rewriter, Value bias, bool shifts) {
    if (scale)
      return bias ? scaled(rewriter, bias) : Value();
    return shifts ? foldedBias(rewriter, norm, bias) : Value();
  }

private:
  Value scaled(PatternRewriter &rewriter, Value parameter) {
    auto result =
        ScaleParameterOp::create(rewriter, scale.getLoc(), parameter.getType(), parameter, scale.getScale());
    result->setDiscardableAttrs(scale->getDiscardableAttrDictionary());
    return result;
  }
};

// Layers that take the scale in place of `value`, if all that it is computed from can: nothing else uses what
// lies between. A shift goes to the layer with a bias, of which there may be but one.
struct Producers {
  int64_t layers = 0, biases = 0;
  static std::optional<Producers> of(Value value, bool shifts, bool frozen, llvm::StringRef &reason);
};

bool isFrozen(Value value) {
  auto parameter = value.getDefiningOp<ParameterOp>();
  return parameter && parameter.getFrozen();
}

// `frozen`: training is to differentiate what comes of it, so that the layers' own weights are frozen, too.
std::optional<Producers> Producers::of(Value value, bool shifts, bool frozen, llvm::StringRef &reason) {
  Operation *op = value.getDefiningOp();
  if (!value.hasOneUse()) {
    reason = "what would be scaled has other users, which need it unscaled";
    return std::nullopt;
  }
  if (isa_and_present<ResizeOp, CropOp>(op))
    return of(op->getOperand(0), shifts, frozen, reason);
  if (auto add = dyn_cast_or_null<AddOp>(op)) {
    if (add.getLhs().getType() != add.getRhs().getType()) {
      reason = "one summand is broadcast";
      return std::nullopt;
    }
    const auto lhs = of(add.getLhs(), shifts, frozen, reason);
    const auto rhs = lhs ? of(add.getRhs(), shifts, frozen, reason) : std::nullopt;
    if (!rhs)
      return std::nullopt;
    const Producers both = {lhs->layers + rhs->layers, lhs->biases + rhs->biases};
    if (shifts && both.biases > 1) {
      reason = "two summands have a bias";
      return std::nullopt;
    }
    return both;
  }
  const auto single = [&](auto layer) -> std::optional<Producers> {
    if (frozen && !(isFrozen(layer.getWeight()) && (!layer.getBias() || isFrozen(layer.getBias())))) {
      reason = "the layer is trained";
      return std::nullopt;
    }
    return Producers{1, layer.getBias() ? 1 : 0};
  };
  if (auto convolution = dyn_cast_or_null<ConvolutionOp>(op))
    return single(convolution);
  if (auto linear = dyn_cast_or_null<LinearOp>(op))
    return single(linear);
  if (auto transposed = dyn_cast_or_null<TransposedConvolutionOp>(op)) {
    if (!transposed.getScale() && !frozen)
      return single(transposed);
    reason =
        frozen ? "a transposed convolution with a scale has no gradient" : "the layer has a scale already";
    return std::nullopt;
  }
  reason = "the input is not made of layers' results";
  return std::nullopt;
}

//===- Patterns
//---------------------------------------------------------------------------------------------------===//

template <typename Op> struct FoldIntoLayers : OpRewritePattern<Op> {
  const bool frozen; // only what training leaves alone
  FoldIntoLayers(MLIRContext *context, bool frozen = false)
      : OpRewritePattern<Op>(context, /*benefit=*/2), frozen(frozen) {}

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Folding folding;
    if constexpr (std::is_same_v<Op, BatchNormOp>)
      folding.norm = op;
    else
      folding.scale = op;
    llvm::StringRef reason;
    if (frozen && !isFrozen(op->getOperand(1)))
      return rewriter.notifyMatchFailure(op, "it is trained");
    if (!Producers::of(op.getInput(), folding.shifts(), frozen, reason))
      return rewriter.notifyMatchFailure(op, reason);
    Operation *before = op.getInput().getDefiningOp();
    rewriter.replaceOp(op, folded(folding, op.getInput(), folding.shifts(), rewriter));
    erase(before, rewriter);
    return success();
  }

private:
  // `value` scaled and, if asked, shifted: what computes it anew where the op stands.
  static Value folded(Folding folding, Value value, bool shifts, PatternRewriter &rewriter) {
    Operation *op = value.getDefiningOp();
    if (auto layer = dyn_cast<ConvolutionOp>(op))
      return foldedLayer(folding, layer, shifts, rewriter);
    if (auto layer = dyn_cast<LinearOp>(op))
      return foldedLayer(folding, layer, shifts, rewriter);
    if (auto layer = dyn_cast<TransposedConvolutionOp>(op))
      return scaledLayer(folding, layer, shifts, rewriter);
    IRMapping operands;
    llvm::StringRef reason;
    const bool shiftsLast = shifts && op->getNumOperands() > 1 &&
                            Producers::of(op->getOperands().back(), shifts, /*frozen=*/false, reason)->biases;
    for (OpOperand &operand : op->getOpOperands()) {
      const bool last = operand.getOperandNumber() + 1 == op->getNumOperands();
      const bool first = operand.getOperandNumber() == 0;
      operands.map(operand.get(),
                   folded(folding, operand.get(), shiftsLast ? last : shifts && first, rewriter));
    }
    return rewriter.clone(*op, operands)->getResult(0);
  }

  template <typename Layer>
  static Value foldedLayer(Folding folding, Layer layer, bool shifts, PatternRewriter &rewriter) {
    Value weight = folding.weight(rewriter, layer.getWeight());
    Value bias = folding.bias(rewriter, layer.getBias(), shifts);
    return Layer::create(rewriter, layer.getLoc(), TypeRange(layer.getType()),
                         ValueRange(bias ? llvm::SmallVector<Value>{layer.getInput(), weight, bias}
                                         : llvm::SmallVector<Value>{layer.getInput(), weight}),
                         layer.getProperties(), llvm::to_vector(layer->getDiscardableAttrs()));
  }

  // Its weights have the outputs within the inputs: the sums are scaled in their place.
  static Value scaledLayer(Folding folding, TransposedConvolutionOp layer, bool shifts,
                           PatternRewriter &rewriter) {
    Value scale = folding.factor(rewriter);
    auto scaled = TransposedConvolutionOp::create(
        rewriter, layer.getLoc(), layer.getResult().getType(), /*sums=*/Type(), layer.getInput(),
        layer.getWeight(), scale, folding.bias(rewriter, layer.getBias(), shifts), layer.getAddends(),
        layer.getActivationAttr(), layer.getStridesAttr(), layer.getPaddingAttr(), layer.getDilationsAttr(),
        layer.getGroupsAttr(), layer.getOutputPaddingAttr(), layer.getHoleAttr(), layer.getHoleIndexAttr());
    scaled->setDiscardableAttrs(layer->getDiscardableAttrDictionary());
    return scaled.getResult();
  }

  // What nothing needs any more, down to the layers.
  static void erase(Operation *op, PatternRewriter &rewriter) {
    const llvm::SmallVector<Value> operands = isa<ConvolutionOp, TransposedConvolutionOp, LinearOp>(op)
                                                  ? llvm::SmallVector<Value>()
                                                  : llvm::to_vector(op->getOperands());
    rewriter.eraseOp(op);
    for (Value operand : operands)
      erase(operand.getDefiningOp(), rewriter);
  }
};

struct TurnIntoAffine : OpRewritePattern<BatchNormOp> {
  const bool frozen;
  TurnIntoAffine(MLIRContext *context, bool frozen = false)
      : OpRewritePattern(context, /*benefit=*/1), frozen(frozen) {}

  LogicalResult matchAndRewrite(BatchNormOp norm, PatternRewriter &rewriter) const override {
    if (frozen && !isFrozen(norm.getGamma()))
      return rewriter.notifyMatchFailure(norm, "it is trained");
    Value scale = foldedScale(rewriter, norm);
    auto affine = AffineOp::create(rewriter, norm.getLoc(), norm.getType(), norm.getInput(), scale,
                                   foldedBias(rewriter, norm, /*bias=*/nullptr));
    affine->setDiscardableAttrs(norm->getDiscardableAttrDictionary());
    rewriter.replaceOp(norm, affine);
    return success();
  }
};

//===- Pass
//-------------------------------------------------------------------------------------------------------===//

struct FoldBatchNorm : vernier::compiler::impl::FoldBatchNormBase<FoldBatchNorm> {
  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (!infer)
      return;
    vernier::compiler::eraseDeadOps(infer.front());
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldIntoLayers<BatchNormOp>, FoldIntoLayers<ScaleChannelsOp>, TurnIntoAffine>(&getContext());
    int64_t before = count<BatchNormOp>(infer), affineBefore = count<AffineOp>(infer);
    const int64_t scales = count<ScaleChannelsOp>(infer);
    // Not the greedy driver, which erases unused parameters.
    walkAndApplyPatterns(infer, std::move(patterns));
    int64_t affine = count<AffineOp>(infer) - affineBefore;
    toAffine += affine;
    folded += before - affine;
    if (before)
      vernier::compiler::report(*this, getOperation(),
                                std::to_string(before - affine) + " of " + std::to_string(before) +
                                    " batch norms in weights and biases");
    if (scales)
      vernier::compiler::report(*this, getOperation(),
                                std::to_string(scales - count<ScaleChannelsOp>(infer)) + " of " +
                                    std::to_string(scales) + " scales of channels in weights and biases");
  }

  template <typename Op> static int64_t count(func::FuncOp function) {
    return llvm::range_size(function.getOps<Op>());
  }
};

struct FoldFrozen : vernier::compiler::impl::FoldFrozenBase<FoldFrozen> {
  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (!infer)
      return;
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldIntoLayers<BatchNormOp>, TurnIntoAffine>(&getContext(), /*frozen=*/true);
    walkAndApplyPatterns(infer, std::move(patterns));
  }
};

} // namespace
