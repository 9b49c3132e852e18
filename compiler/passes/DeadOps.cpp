#include "compiler/passes/DeadOps.h"

#include "compiler/ir/VnOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace vernier::compiler {

void eraseDeadOps(mlir::Block &block) {
  for (mlir::Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (!llvm::isa<vn::ParameterOp>(op) && mlir::isOpTriviallyDead(&op))
      op.erase();
}

} // namespace vernier::compiler
