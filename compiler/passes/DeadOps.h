// What passes leave behind once nothing needs it.
#ifndef VERNIER_COMPILER_PASSES_DEADOPS_H
#define VERNIER_COMPILER_PASSES_DEADOPS_H

#include "mlir/IR/Block.h"

namespace vernier::compiler {

/// Erases what no output needs. Parameters stay: published checkpoints have some that no output depends on.
void eraseDeadOps(mlir::Block &block);

} // namespace vernier::compiler

#endif
