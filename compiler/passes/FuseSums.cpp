// The sums that batch norms of a training step need, added up where a map is computed.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Report.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_FUSESUMS
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

// The same op with sums as a second result.
Value withMoments(ConvolutionOp convolution, IRRewriter &rewriter) {
  rewriter.setInsertionPoint(convolution);
  RankedTensorType type = convolution.getType();
  auto fused = FusedConvolutionOp::create(
      rewriter, convolution.getLoc(), type, sumsType(type), convolution.getInput(), convolution.getWeight(),
      convolution.getBias(), ValueRange(), ActivationAttr(), convolution.getStridesAttr(),
      convolution.getPaddingAttr(), convolution.getDilationsAttr(), convolution.getGroupsAttr());
  fused->setDiscardableAttrs(convolution->getDiscardableAttrDictionary());
  rewriter.replaceOp(convolution, fused.getResult());
  return fused.getSums();
}

Value withMoments(FusedConvolutionOp convolution, IRRewriter &rewriter) {
  rewriter.setInsertionPoint(convolution);
  RankedTensorType type = convolution.getResult().getType();
  auto fused = FusedConvolutionOp::create(
      rewriter, convolution.getLoc(), type, sumsType(type), convolution.getInput(), convolution.getWeight(),
      convolution.getBias(), convolution.getAddends(), convolution.getActivationAttr(),
      convolution.getStridesAttr(), convolution.getPaddingAttr(), convolution.getDilationsAttr(),
      convolution.getGroupsAttr());
  fused->setDiscardableAttrs(convolution->getDiscardableAttrDictionary());
  rewriter.replaceOp(convolution, ValueRange{fused.getResult()});
  return fused.getSums();
}

Value withMoments(TransposedConvolutionOp convolution, IRRewriter &rewriter) {
  rewriter.setInsertionPoint(convolution);
  RankedTensorType type = convolution.getResult().getType();
  auto summing = TransposedConvolutionOp::create(
      rewriter, convolution.getLoc(), type, sumsType(type), convolution.getInput(), convolution.getWeight(),
      convolution.getScale(), convolution.getBias(), convolution.getAddends(),
      convolution.getActivationAttr(), convolution.getStridesAttr(), convolution.getPaddingAttr(),
      convolution.getDilationsAttr(), convolution.getGroupsAttr(), convolution.getOutputPaddingAttr(),
      convolution.getHoleAttr(), convolution.getHoleIndexAttr());
  summing->setDiscardableAttrs(convolution->getDiscardableAttrDictionary());
  rewriter.replaceOp(convolution, ValueRange{summing.getResult()});
  return summing.getSums();
}

Value withGradientSums(ConvolutionInputGradOp grad, Value x, Value mean, IRRewriter &rewriter) {
  rewriter.setInsertionPoint(grad);
  RankedTensorType type = grad.getResult().getType();
  auto summing = ConvolutionInputGradOp::create(
      rewriter, grad.getLoc(), type, sumsType(type), grad.getDy(), grad.getWeight(), grad.getAddends(),
      grad.getMask(), x, mean, grad.getMaskedAttr(), grad.getStridesAttr(), grad.getPaddingAttr(),
      grad.getDilationsAttr(), grad.getGroupsAttr());
  summing->setDiscardableAttrs(grad->getDiscardableAttrDictionary());
  rewriter.replaceOp(grad, ValueRange{summing.getResult()});
  return summing.getSums();
}

struct FuseSums : vernier::compiler::impl::FuseSumsBase<FuseSums> {
  void runOnOperation() override {
    auto step = getOperation().lookupSymbol<func::FuncOp>(kTrainStepFunction);
    if (!step)
      return;
    IRRewriter rewriter(&getContext());
    int64_t forward = 0, backward = 0;
    for (auto norm : llvm::to_vector(step.getOps<BatchNormTrainingOp>()))
      forward += fuseMoments(norm, rewriter);
    const auto gradients = llvm::to_vector(step.getOps<BatchNormGradOp>());
    for (BatchNormGradOp norm : llvm::reverse(gradients))
      backward += fuseGradientSums(norm, rewriter);
    sums += forward + backward;
    if (forward + backward)
      vernier::compiler::report(
          *this, getOperation(),
          llvm::formatv("sums of {0} batch norms and {1} of their gradients in convolutions", forward,
                        backward)
              .str());
  }

  static bool fuseMoments(BatchNormTrainingOp norm, IRRewriter &rewriter) {
    if (norm.getSums())
      return false;
    Operation *producer = norm.getInput().getDefiningOp();
    Value sums;
    if (auto convolution = dyn_cast_or_null<ConvolutionOp>(producer)) {
      sums = withMoments(convolution, rewriter);
    } else if (auto fused = dyn_cast_or_null<FusedConvolutionOp>(producer)) {
      sums = fused.getSums() ? Value(fused.getSums()) : withMoments(fused, rewriter);
    } else if (auto transposed = dyn_cast_or_null<TransposedConvolutionOp>(producer)) {
      sums = transposed.getSums() ? Value(transposed.getSums()) : withMoments(transposed, rewriter);
    } else {
      return false;
    }
    rewriter.modifyOpInPlace(norm, [&] { norm.getSumsMutable().assign(sums); });
    return true;
  }

  static bool fuseGradientSums(BatchNormGradOp norm, IRRewriter &rewriter) {
    auto producer = norm.getDy().getDefiningOp<ConvolutionInputGradOp>();
    if (!producer || producer.getSums() || norm.getMask() || norm.getSums())
      return false;
    Value sums = withGradientSums(producer, norm.getInput(), norm.getMean(), rewriter);
    rewriter.modifyOpInPlace(norm, [&] { norm.getSumsMutable().assign(sums); });
    return true;
  }
};

} // namespace
