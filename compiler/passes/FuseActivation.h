// Activations behind additions and products.
#ifndef VERNIER_COMPILER_PASSES_FUSEACTIVATION_H
#define VERNIER_COMPILER_PASSES_FUSEACTIVATION_H

#include "compiler/ir/VnOps.h"
#include "mlir/IR/PatternMatch.h"

namespace vernier::compiler {

/// Makes `activate` part of the `vn.add` or `vn.multiply` before it, if nothing else uses its result.
template <typename Op>
mlir::LogicalResult fuseIntoBinary(vn::ActivateOp activate, mlir::RewriterBase &rewriter) {
  auto binary = activate.getInput().getDefiningOp<Op>();
  if (!binary)
    return rewriter.notifyMatchFailure(activate, "the operand is computed by no such op");
  if (!binary->hasOneUse())
    return rewriter.notifyMatchFailure(activate, "the op's result has other users");
  if (binary.getActivation() != vn::Activation::None)
    return rewriter.notifyMatchFailure(activate, "the op has an activation already");
  rewriter.modifyOpInPlace(binary, [&] { binary.setActivation(activate.getActivation()); });
  rewriter.replaceOp(activate, binary);
  return mlir::success();
}

} // namespace vernier::compiler

#endif
