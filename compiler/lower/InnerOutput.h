// A map inside a network as one of its outputs.
#ifndef VERNIER_COMPILER_LOWER_INNEROUTPUT_H
#define VERNIER_COMPILER_LOWER_INNEROUTPUT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LogicalResult.h"

namespace vernier::compiler {

/// Lets @infer return, after its other outputs and named `name`, what the op at `place` computes; where
/// `place` is empty, what the last global average pooling takes. Fails, changing nothing, where there is no
/// such map.
mlir::LogicalResult addInnerOutput(mlir::ModuleOp module, llvm::StringRef name, llvm::StringRef place);

} // namespace vernier::compiler

#endif
