#include "compiler/passes/DeclaredLosses.h"

#include "compiler/ir/VnOps.h"
#include "compiler/passes/Backward.h"

namespace vernier::compiler {

bool declaresLosses(mlir::func::FuncOp function) { return !function.getOps<vn::MinimizeOp>().empty(); }

void dropLosses(mlir::func::FuncOp infer) {
  if (!declaresLosses(infer) && infer.getOps<vn::TargetOp>().empty())
    return;
  for (vn::MinimizeOp term : llvm::make_early_inc_range(infer.getOps<vn::MinimizeOp>()))
    term.erase();
  eraseUnused(infer.front());
}

} // namespace vernier::compiler
