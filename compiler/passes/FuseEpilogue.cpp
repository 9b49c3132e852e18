// Moves additions and activation into the convolution that computes their operand, and
// activations into affine ops, sums and products: a kernel then stores each result element once.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/FuseActivation.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Report.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "llvm/Support/FormatVariadic.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_FUSEEPILOGUE
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

//===- A convolution and its epilogue so far
//----------------------------------------------------------------------===//

struct Convolution {
  Operation *op = nullptr;
  Value input, weight, bias;
  SmallVector<Value> addends;
  Activation activation = Activation::None;
  DenseI64ArrayAttr strides, padding, dilations;
  IntegerAttr groups;

  // The convolution, fused or not, that computes `value`; nothing otherwise.
  static std::optional<Convolution> of(Value value) {
    Operation *op = value.getDefiningOp();
    if (auto plain = dyn_cast_or_null<ConvolutionOp>(op))
      return Convolution(plain);
    if (auto fused = dyn_cast_or_null<FusedConvolutionOp>(op))
      return Convolution(fused).withEpilogueOf(fused);
    if (auto transposed = dyn_cast_or_null<TransposedConvolutionOp>(op))
      return Convolution(transposed).withEpilogueOf(transposed);
    return std::nullopt;
  }

  // Replaces `last`, the op that the epilogue takes in, and this convolution. Stands where `last` stood: an
  // addend may be computed after the convolution.
  void replace(Operation *last, PatternRewriter &rewriter) const {
    Operation *fused = fuse(last->getResult(0).getType(), rewriter);
    fused->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOp(last, fused->getResult(0));
    rewriter.eraseOp(op);
  }

private:
  template <typename Op>
  explicit Convolution(Op op)
      : op(op), input(op.getInput()), weight(op.getWeight()), bias(op.getBias()),
        strides(op.getStridesAttr()), padding(op.getPaddingAttr()), dilations(op.getDilationsAttr()),
        groups(op.getGroupsAttr()) {}

  template <typename Op> Convolution withEpilogueOf(Op op) && {
    addends = llvm::to_vector(op.getAddends());
    activation = op.getActivation();
    return std::move(*this);
  }

  Operation *fuse(Type type, PatternRewriter &rewriter) const {
    const auto applied = ActivationAttr::get(op->getContext(), activation);
    if (auto transposed = dyn_cast<TransposedConvolutionOp>(op))
      return TransposedConvolutionOp::create(rewriter, op->getLoc(), type, /*sums=*/Type(), input, weight,
                                             transposed.getScale(), bias, addends, applied, strides, padding,
                                             dilations, groups, transposed.getOutputPaddingAttr(),
                                             transposed.getHoleAttr(), transposed.getHoleIndexAttr());
    return FusedConvolutionOp::create(rewriter, op->getLoc(), type, /*sums=*/Type(), input, weight, bias,
                                      addends, applied, strides, padding, dilations, groups);
  }
};

//===- Patterns
//---------------------------------------------------------------------------------------------------===//

struct FuseAddition : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AddOp add, PatternRewriter &rewriter) const override {
    if (add.getLhs().getType() != add.getRhs().getType())
      return rewriter.notifyMatchFailure(add, "one summand is broadcast");
    std::optional<Convolution> lhs = candidate(add, add.getLhs(), rewriter);
    std::optional<Convolution> rhs = candidate(add, add.getRhs(), rewriter);
    if (!lhs && !rhs)
      return failure();
    // Of two convolutions the later one: the earlier one's result has to exist by then anyway.
    bool takeLhs = lhs && (!rhs || rhs->op->isBeforeInBlock(lhs->op));
    Convolution &convolution = takeLhs ? *lhs : *rhs;
    Value addend = takeLhs ? add.getRhs() : add.getLhs();
    auto resize = enlarging(addend);
    convolution.addends.push_back(resize ? resize.getInput() : addend);
    convolution.activation = add.getActivation();
    convolution.replace(add, rewriter);
    if (resize && resize->use_empty())
      rewriter.eraseOp(resize);
    return success();
  }

private:
  // The resize, if any, that a convolution's epilogue does while it reads.
  static ResizeOp enlarging(Value addend) {
    auto resize = addend.getDefiningOp<ResizeOp>();
    return resize && resize.repeatsEqually() ? resize : ResizeOp();
  }

  static std::optional<Convolution> candidate(AddOp add, Value operand, PatternRewriter &rewriter) {
    auto decline = [&](StringRef reason) {
      (void)rewriter.notifyMatchFailure(add, reason);
      return std::nullopt;
    };
    std::optional<Convolution> convolution = Convolution::of(operand);
    if (!convolution)
      return decline("the operand is computed by no convolution");
    if (!operand.hasOneUse())
      return decline("the convolution's result has other users");
    if (convolution->activation != Activation::None)
      return decline("the activation comes before the addition");
    return convolution;
  }
};

struct FuseActivation : OpRewritePattern<ActivateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ActivateOp activate, PatternRewriter &rewriter) const override {
    std::optional<Convolution> convolution = Convolution::of(activate.getInput());
    if (!convolution)
      return rewriter.notifyMatchFailure(activate, "the operand is computed by no convolution");
    if (!activate.getInput().hasOneUse())
      return rewriter.notifyMatchFailure(activate, "the convolution's result has other users");
    if (convolution->activation != Activation::None)
      return rewriter.notifyMatchFailure(activate, "the convolution has an activation already");
    convolution->activation = activate.getActivation();
    convolution->replace(activate, rewriter);
    return success();
  }
};

template <typename Op> struct FuseInto : OpRewritePattern<ActivateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ActivateOp activate, PatternRewriter &rewriter) const override {
    return vernier::compiler::fuseActivationInto<Op>(activate, rewriter);
  }
};

//===- Pass
//-------------------------------------------------------------------------------------------------------===//

struct FuseEpilogue : vernier::compiler::impl::FuseEpilogueBase<FuseEpilogue> {
  using FuseEpilogueBase::FuseEpilogueBase;

  void runOnOperation() override {
    auto on = getOperation().lookupSymbol<func::FuncOp>(function);
    if (!on)
      return;
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseAddition>(&getContext());
    if (function == kInferFunction) // those of a training step join batch norms
      patterns.add<FuseActivation, FuseInto<AffineOp>, FuseInto<AddOp>, FuseInto<SubtractOp>,
                   FuseInto<MultiplyOp>, FuseInto<DivideOp>>(&getContext());
    int64_t before = operations(on);
    // One walk in program order is enough: what is fused is the operand of what comes later. The greedy
    // driver would erase unused parameters.
    walkAndApplyPatterns(on, std::move(patterns));
    const int64_t fused = before - operations(on);
    fusedOps += fused;
    if (fused)
      vernier::compiler::report(*this, getOperation(),
                                llvm::formatv("{0}: {1} additions, resizes and activations in epilogues",
                                              function == kInferFunction ? "inference" : "training", fused)
                                    .str());
  }

  static int64_t operations(func::FuncOp function) { return function.front().getOperations().size(); }
};

} // namespace
