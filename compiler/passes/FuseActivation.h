// Activations behind ops that can apply them to their first result.
#ifndef VERNIER_COMPILER_PASSES_FUSEACTIVATION_H
#define VERNIER_COMPILER_PASSES_FUSEACTIVATION_H

#include "compiler/ir/VnOps.h"
#include "mlir/IR/PatternMatch.h"

namespace vernier::compiler {

/// Makes `activate` part of the Op before it, if nothing else uses its operand.
template <typename Op>
mlir::LogicalResult fuseActivationInto(vn::ActivateOp activate, mlir::RewriterBase &rewriter) {
  mlir::Value value = activate.getInput();
  auto op = value.getDefiningOp<Op>();
  if (!op || op->getResult(0) != value)
    return rewriter.notifyMatchFailure(activate, "the operand is computed by no such op");
  if (!value.hasOneUse())
    return rewriter.notifyMatchFailure(activate, "the op's result has other users");
  if (op.getActivation() != Activation::None)
    return rewriter.notifyMatchFailure(activate, "the op has an activation already");
  rewriter.modifyOpInPlace(op, [&] { op.setActivation(activate.getActivation()); });
  rewriter.replaceOp(activate, value);
  return mlir::success();
}

} // namespace vernier::compiler

#endif
