// Faults for the tests of `vernier verify`: what it must find.
#ifndef VERNIER_DRIVER_VERIFY_FAULT_H
#define VERNIER_DRIVER_VERIFY_FAULT_H

#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/DenseSet.h"

namespace vernier::driver {

// Breaks one of the rewrites that led from `before` to `after`: one op that is new, and not among `broken`,
// takes another operand of the same type or, where there is none, looks at one pixel of its window. It is
// `broken` then. False where no op could do so.
bool breakRewrite(mlir::ModuleOp before, mlir::ModuleOp after, llvm::DenseSet<mlir::Operation *> &broken);

} // namespace vernier::driver

#endif
