// What reverse-mode differentiation of a function and of a segment share.
#ifndef VERNIER_COMPILER_PASSES_BACKWARD_H
#define VERNIER_COMPILER_PASSES_BACKWARD_H

#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSet.h"

namespace vernier::compiler {

/// Clones the ops of `forward` and returns the clones of its results.
llvm::SmallVector<mlir::Value> cloneForward(mlir::OpBuilder &builder, mlir::func::FuncOp forward,
                                            mlir::IRMapping &mapping);

/// The loss of `logits`, one pixel for each image.
mlir::Value buildLoss(mlir::OpBuilder &builder, LossKind kind, mlir::Value logits, mlir::Value labels,
                      mlir::Value smoothing);

/// The type of what a loss compares logits with.
mlir::Type labelsType(LossKind kind, mlir::RankedTensorType logits);

/// Has `take` give what `vn.random_state` stands for in `block`, if anything is random there.
void takeRandomState(mlir::Block &block, llvm::function_ref<mlir::Value(mlir::Type)> take);

/// Erases what no result, stored gradient or running statistic needs; of parameters all, or those named.
void eraseUnused(mlir::Block &block);
void eraseUnused(mlir::Block &block, const llvm::StringSet<> &parameters);

/// Appends to a block, which holds forward ops, what computes gradients.
class Backward {
public:
  /// Gradients are needed of what depends on a trainable parameter or on one of `inputs`.
  Backward(mlir::OpBuilder &builder, mlir::Block &block, llvm::ArrayRef<mlir::Value> inputs);

  /// Adds to what the gradient of `value` is the sum of.
  void contribute(mlir::Value value, mlir::Value gradient) { contributions[value].push_back(gradient); }

  /// Has what `loss`, the result of a LossOpInterface, computes minimised, `weight` times.
  void minimize(mlir::Value loss, double weight) { weights[loss] += weight; }

  /// The complete gradient of `value`, or null if nothing contributed.
  mlir::Value gradientOf(mlir::Value value);

  /// Builds the adjoints of the forward ops, from the last to the first, in which parameters' gradients are
  /// stored; zeros where nothing contributes.
  llvm::LogicalResult run();

  int64_t storedGradients = 0, zeroGradients = 0;

private:
  llvm::LogicalResult visit(mlir::Operation &op);
  void contributeAll(mlir::Operation &op, llvm::ArrayRef<mlir::Value> gradients);
  void storeGradient(vn::ParameterOp parameter, mlir::Value gradient);
  template <typename Embed, typename Concat>
  void joinSlices(mlir::Location loc, llvm::SmallVectorImpl<mlir::Value> &parts, unsigned dimension);

  mlir::OpBuilder &builder;
  mlir::Block &block;
  llvm::SmallVector<mlir::Operation *> forward;
  llvm::DenseSet<mlir::Value> active;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Value>> contributions;
  llvm::DenseMap<mlir::Value, double> weights; // of losses
};

} // namespace vernier::compiler

#endif
