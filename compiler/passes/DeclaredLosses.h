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

/// Takes the losses out of `infer`, with all that only they need.
void dropLosses(mlir::func::FuncOp infer);

} // namespace vernier::compiler

#endif
