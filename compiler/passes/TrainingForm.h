// The forward half of a training step.
#ifndef VERNIER_COMPILER_PASSES_TRAININGFORM_H
#define VERNIER_COMPILER_PASSES_TRAININGFORM_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace vernier::compiler {

/// What a training step computes before its gradients are added.
inline constexpr llvm::StringLiteral kTrainForwardFunction = "train_forward";

/// Adds @train_forward, a copy of `infer` whose batch norms take the batch's own statistics and whose
/// dropouts drop; `infer` keeps none of these. Frozen batch norms have been folded.
mlir::FailureOr<mlir::func::FuncOp> buildTrainingForm(mlir::func::FuncOp infer);

/// Takes out what is identity in inference.
void dropDropout(mlir::func::FuncOp infer);

} // namespace vernier::compiler

#endif
