// What becomes part of the op that computes a map's gradient: additions of the map's other gradients and the
// gradient of the activation that made the map.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Report.h"
#include "dsl/ShapeRules.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/FormatVariadic.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_FUSEGRADIENTS
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

// Windows that share no element, so that each element of the gradient is written once.
bool disjointWindows(MaxPoolGradOp pool) {
  RankedTensorType in = pool.getInput().getType(), out = pool.getY().getType();
  const auto along = [&](int axis) {
    return vernier::dsl::disjointWindows(in.getDimSize(1 + axis), pool.getKernel()[axis],
                                         pool.getStrides()[axis], pool.getPadding()[2 * axis],
                                         out.getDimSize(1 + axis));
  };
  return along(0) && along(1);
}

bool takesTail(Operation *op) {
  if (auto pool = dyn_cast_or_null<MaxPoolGradOp>(op))
    return disjointWindows(pool);
  return isa_and_nonnull<ConvolutionInputGradOp>(op);
}

class Tails {
public:
  Tails(Block &block, IRRewriter &rewriter) : rewriter(rewriter) {
    for (Operation &op : block)
      numbers[&op] = int64_t(numbers.size());
  }

  // Takes into `op` what can be; returns how many ops became part of it.
  int64_t fuse(Operation *op) {
    Value result = op->getResult(0), mask;
    SmallVector<Value> addends;
    SmallVector<Operation *> taken;
    Activation activation = Activation::None;
    while (result.hasOneUse() && !mask) {
      Operation *user = *result.user_begin();
      if (auto add = dyn_cast<AddOp>(user); add && add.getActivation() == Activation::None) {
        Value other = add.getLhs() == result ? add.getRhs() : add.getLhs();
        // Of two ops that could add, the later one: the earlier one's result has to exist by then anyway.
        if (other.getType() != result.getType() ||
            (!isBefore(other, op) && other.hasOneUse() && canTake(other.getDefiningOp())))
          break;
        addends.push_back(other);
      } else if (auto grad = dyn_cast<ActivateGradOp>(user); grad && grad.getDy() == result) {
        activation = grad.getActivation();
        mask = grad.getOf();
      } else {
        break;
      }
      taken.push_back(user);
      result = user->getResult(0);
    }
    if (taken.empty())
      return 0;
    const auto ready = [&](Value value) { return isBefore(value, op); };
    const bool stays = llvm::all_of(addends, ready) && (!mask || ready(mask));
    const int64_t number = numbers.lookup(taken.back());
    if (!stays)
      rewriter.moveOpAfter(op, taken.back());
    numbers[op] = number;
    finished.insert(op);
    rewriter.modifyOpInPlace(op, [&] {
      if (auto convolution = dyn_cast<ConvolutionInputGradOp>(op))
        finish(convolution, addends, mask, activation);
      else
        finish(cast<MaxPoolGradOp>(op), addends, mask, activation);
    });
    rewriter.replaceAllUsesWith(taken.back()->getResult(0), op->getResult(0));
    for (Operation *last : llvm::reverse(taken)) {
      numbers.erase(last);
      rewriter.eraseOp(last);
    }
    return int64_t(taken.size());
  }

private:
  template <typename Op> static void finish(Op op, ValueRange addends, Value mask, Activation activation) {
    op.getAddendsMutable().assign(addends);
    if (!mask)
      return;
    op.getMaskMutable().assign(mask);
    op.setMasked(activation);
  }

  // Whether an op may still take in something: one that has taken in what it could will not.
  bool canTake(Operation *op) const { return takesTail(op) && !finished.contains(op); }

  // By the order of the function as it was: what became part of an op that stands earlier still counts as
  // where the last of it stood.
  bool isBefore(Value value, Operation *op) const {
    Operation *producer = value.getDefiningOp();
    return !producer || numbers.lookup(producer) < numbers.lookup(op);
  }

  IRRewriter &rewriter;
  DenseMap<Operation *, int64_t> numbers;
  DenseSet<Operation *> finished;
};

struct FuseGradients : vernier::compiler::impl::FuseGradientsBase<FuseGradients> {
  void runOnOperation() override {
    auto step = getOperation().lookupSymbol<func::FuncOp>(kTrainStepFunction);
    if (!step)
      return;
    IRRewriter rewriter(&getContext());
    Block &block = step.front();
    SmallVector<Operation *> ops;
    for (Operation &op : block)
      if (takesTail(&op))
        ops.push_back(&op);
    Tails tails(block, rewriter);
    int64_t fused = 0;
    for (Operation *op : ops)
      fused += tails.fuse(op);
    for (auto norm : llvm::to_vector(step.getOps<BatchNormGradOp>()))
      fused += fuseMask(norm, rewriter);
    fusedOps += fused;
    if (fused)
      vernier::compiler::report(
          *this, getOperation(),
          llvm::formatv("{0} additions and masks of gradients in what computes them", fused).str());
  }

  static bool fuseMask(BatchNormGradOp norm, IRRewriter &rewriter) {
    auto grad = norm.getDy().getDefiningOp<ActivateGradOp>();
    if (!grad || !grad->hasOneUse() || norm.getMask())
      return false;
    rewriter.modifyOpInPlace(norm, [&] {
      norm.getDyMutable().assign(grad.getDy());
      norm.getMaskMutable().assign(grad.getOf());
      norm.setMasked(grad.getActivation());
    });
    rewriter.eraseOp(grad);
    return true;
  }
};

} // namespace
