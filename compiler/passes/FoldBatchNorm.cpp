// Folds batch norms by running statistics into the layers before them. What cannot fold becomes a scale and a
// shift.
//
// A batch norm is y = x * s + t with s = gamma / sqrt(var + epsilon), t = beta - mean * s per channel. It
// merges with the weight and bias of a convolution or linear layer that feeds it, and commutes with a resize
// in between: each resized pixel is a sum of input pixels whose weights add up to one.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_FOLDBATCHNORM
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

// The layer before `norm`, beyond resizes, if nothing else uses what lies between.
Operation *foldableProducer(Value input) {
  Operation *producer = input.getDefiningOp();
  if (!producer || !input.hasOneUse())
    return nullptr;
  if (auto resize = dyn_cast<ResizeOp>(producer))
    return foldableProducer(resize.getInput());
  return isa<ConvolutionOp, LinearOp>(producer) ? producer : nullptr;
}

//===- Patterns
//---------------------------------------------------------------------------------------------------===//

template <typename Layer> struct FoldIntoLayer : OpRewritePattern<BatchNormOp> {
  FoldIntoLayer(MLIRContext *context) : OpRewritePattern(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(BatchNormOp norm, PatternRewriter &rewriter) const override {
    auto layer = norm.getInput().template getDefiningOp<Layer>();
    if (!layer)
      return rewriter.notifyMatchFailure(norm, "the input is computed by no such layer");
    if (!layer->hasOneUse())
      return rewriter.notifyMatchFailure(norm, "the layer's result has other users, which need it unscaled");
    auto weight =
        FoldWeightOp::create(rewriter, norm.getLoc(), layer.getWeight().getType(), layer.getWeight(),
                             norm.getGamma(), norm.getVar(), norm.getEpsilonAttr());
    weight->setDiscardableAttrs(norm->getDiscardableAttrDictionary());
    Value bias = foldedBias(rewriter, norm, layer.getBias());
    auto folded = Layer::create(rewriter, layer.getLoc(), TypeRange(norm.getType()),
                                ValueRange{layer.getInput(), weight, bias}, layer.getProperties(),
                                llvm::to_vector(layer->getDiscardableAttrs()));
    rewriter.replaceOp(norm, folded);
    rewriter.eraseOp(layer);
    return success();
  }
};

struct SinkThroughResize : OpRewritePattern<BatchNormOp> {
  SinkThroughResize(MLIRContext *context) : OpRewritePattern(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(BatchNormOp norm, PatternRewriter &rewriter) const override {
    auto resize = norm.getInput().getDefiningOp<ResizeOp>();
    if (!resize)
      return rewriter.notifyMatchFailure(norm, "the input is computed by no resize");
    if (!resize->hasOneUse())
      return rewriter.notifyMatchFailure(norm, "the resized map has other users, which need it unscaled");
    if (!foldableProducer(resize.getInput()))
      return rewriter.notifyMatchFailure(norm, "no layer below the resize takes the scale");
    auto inner = BatchNormOp::create(rewriter, norm.getLoc(), resize.getInput().getType(), resize.getInput(),
                                     norm.getGamma(), norm.getBeta(), norm.getMean(), norm.getVar(),
                                     norm.getEpsilonAttr(), norm.getMomentumAttr());
    inner->setDiscardableAttrs(norm->getDiscardableAttrDictionary());
    auto outer = ResizeOp::create(rewriter, resize.getLoc(), norm.getType(), resize.getModeAttr(), inner,
                                  resize.getAlignCornersAttr());
    outer->setDiscardableAttrs(resize->getDiscardableAttrDictionary());
    rewriter.replaceOp(norm, outer);
    rewriter.eraseOp(resize);
    return success();
  }
};

struct TurnIntoAffine : OpRewritePattern<BatchNormOp> {
  TurnIntoAffine(MLIRContext *context) : OpRewritePattern(context, /*benefit=*/1) {}

  LogicalResult matchAndRewrite(BatchNormOp norm, PatternRewriter &rewriter) const override {
    auto scale = FoldScaleOp::create(rewriter, norm.getLoc(), norm.getGamma().getType(), norm.getGamma(),
                                     norm.getVar(), norm.getEpsilonAttr());
    scale->setDiscardableAttrs(norm->getDiscardableAttrDictionary());
    auto affine = AffineOp::create(rewriter, norm.getLoc(), norm.getType(), norm.getInput(), scale,
                                   foldedBias(rewriter, norm, /*bias=*/nullptr));
    affine->setDiscardableAttrs(norm->getDiscardableAttrDictionary());
    rewriter.replaceOp(norm, affine);
    return success();
  }
};

//===- Pass
//-------------------------------------------------------------------------------------------------------===//

// Erases what no output needs. Parameters stay: published checkpoints have some that no output depends on.
void eraseDeadOps(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (!isa<ParameterOp>(op) && isOpTriviallyDead(&op))
      op.erase();
}

struct FoldBatchNorm : vernier::compiler::impl::FoldBatchNormBase<FoldBatchNorm> {
  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (!infer)
      return;
    eraseDeadOps(infer.front());
    RewritePatternSet set(&getContext());
    set.add<FoldIntoLayer<ConvolutionOp>, FoldIntoLayer<LinearOp>, SinkThroughResize, TurnIntoAffine>(
        &getContext());
    const FrozenRewritePatternSet patterns(std::move(set));
    int64_t before = count<BatchNormOp>(infer), affineBefore = count<AffineOp>(infer);
    // Not the greedy driver, which erases unused parameters. Every visit of a batch norm brings it one op
    // further down, so that this ends.
    while (count<BatchNormOp>(infer))
      walkAndApplyPatterns(infer, patterns);
    int64_t affine = count<AffineOp>(infer) - affineBefore;
    toAffine += affine;
    folded += before - affine;
  }

  template <typename Op> static int64_t count(func::FuncOp function) {
    return llvm::range_size(function.getOps<Op>());
  }
};

} // namespace
