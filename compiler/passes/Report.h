// What passes tell the person who builds a model.
#ifndef VERNIER_COMPILER_PASSES_REPORT_H
#define VERNIER_COMPILER_PASSES_REPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace vernier::compiler {

/// Adds a line, "sink-pointwise: ...", to the module's `vn.report`, which `vernier build` prints. A pass, or
/// the lowering, writes at most one line for each function, and none if it changed nothing.
void report(mlir::ModuleOp module, llvm::StringRef who, const llvm::Twine &saved);

/// The same for a pass over the module, named by its flag without `vn-`.
void report(mlir::Pass &pass, mlir::ModuleOp module, const llvm::Twine &saved);

/// The lines so far.
llvm::SmallVector<llvm::StringRef> reportLines(mlir::ModuleOp module);

} // namespace vernier::compiler

#endif
