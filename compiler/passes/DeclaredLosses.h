// Targets and losses that a specification declares.
#ifndef VERNIER_COMPILER_PASSES_DECLAREDLOSSES_H
#define VERNIER_COMPILER_PASSES_DECLAREDLOSSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>
#include <vector>

namespace vernier::compiler {

/// Whether `function` says what training minimises.
bool declaresLosses(mlir::func::FuncOp function);

/// The names of its losses that have one, each once, in the order in which a training step gives them.
std::vector<std::string> namesOfLosses(mlir::func::FuncOp function);

/// Takes the losses out of `infer`, with all that only they need; not what nothing needed before.
void dropLosses(mlir::func::FuncOp infer);

/// A function of an image, targets and more while it is made: what it takes and returns, by name.
struct LossFunction {
  mlir::func::FuncOp function;
  llvm::SmallVector<llvm::StringRef> inputs, targets, outputs;
  llvm::SmallVector<mlir::Value> results;

  /// Begins with an image, which `function` takes, and the loss.
  explicit LossFunction(mlir::func::FuncOp function);

  mlir::Value take(llvm::StringRef name, mlir::Type type);
  /// Makes each vn.target in it an argument.
  void takeTargets();
  /// Takes the terms out of it and returns first their sum, then `values` by their `names`, then the sums of
  /// terms that have names, "loss.NAME"; and to the caller each term with its weight.
  llvm::SmallVector<std::pair<mlir::Value, double>>
  returnLosses(mlir::OpBuilder &builder, mlir::ArrayAttr names, llvm::ArrayRef<mlir::Value> values);
  /// Its terminator, type and names.
  void finish(mlir::OpBuilder &builder);
};

} // namespace vernier::compiler

#endif
