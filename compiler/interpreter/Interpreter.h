// Runs a function of the dialect in double precision: slow, plain, and the reference for every backend. Maps
// of bf16 are rounded to it, as the machine stores them; numbers of f32 keep all their digits.
//
//   Environment environment;
//   environment.parameters = ...;                       // by name, running statistics included
//   auto outputs = interpret(function, {image}, environment);
#ifndef VERNIER_COMPILER_INTERPRETER_INTERPRETER_H
#define VERNIER_COMPILER_INTERPRETER_INTERPRETER_H

#include "compiler/interpreter/Kernels.h"
#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <functional>
#include <map>
#include <string>

namespace vernier::interpreter {

/// What a function reads and writes beside its arguments and results.
struct Environment {
  /// What training is given beside the image, by the target's name: what `vn.target` computes.
  std::map<std::string, Tensor> targets;
  /// The sum of what `vn.minimize` was given, each times its weight, and of each name; "" is that of all.
  std::map<std::string, double> losses;
  /// Parameters and running statistics by name. Training updates the statistics in place.
  std::map<std::string, Tensor> parameters;
  /// What `vn.store_gradient` stored, by the parameter's name.
  std::map<std::string, Tensor> gradients;
  /// Whether maps of bf16 are rounded to it; without, what a choice of types computes but for rounding.
  bool rounds = true;
  /// If set, sees every op with its results, in program order: for locating a difference.
  std::function<void(mlir::Operation *, const std::vector<Tensor> &)> observer;
};

/// Runs `function` and returns its results. A missing parameter, an argument of the wrong shape, or an op
/// whose computed result has another shape than its type says is an error of the op. Values are freed after
/// their last use.
llvm::FailureOr<std::vector<Tensor>> interpret(mlir::func::FuncOp function, std::vector<Tensor> arguments,
                                               Environment &environment);

/// What `op`, which must have no side effect and read no parameter, computes from its operands.
llvm::FailureOr<std::vector<Tensor>> evaluate(mlir::Operation *op, llvm::ArrayRef<const Tensor *> operands,
                                              bool rounds = true);

} // namespace vernier::interpreter

#endif
