// Faults for the tests of `vernier verify`: what it must find.
#ifndef VERNIER_DRIVER_VERIFY_FAULT_H
#define VERNIER_DRIVER_VERIFY_FAULT_H

#include "codegen/cpu/emit/Emit.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/DenseSet.h"

#include <vector>

namespace vernier::driver {

// Breaks one of the rewrites that led from `before` to `after`: one op that is new, and not among `broken`,
// takes another operand of the same type or, where there is none, looks at one pixel of its window. It is
// `broken` then. False where no op could do so.
bool breakRewrite(mlir::ModuleOp before, mlir::ModuleOp after, llvm::DenseSet<mlir::Operation *> &broken);

// Lets the first kernel whose name begins with `name` leave out its multiply-adds, or else another operation
// on floats, or a store. False where no kernel has the name.
bool breakKernel(std::vector<codegen::KernelDefinition> &kernels, llvm::StringRef name);

} // namespace vernier::driver

#endif
