#include "compiler/passes/DeclaredLosses.h"

#include "compiler/ir/VnOps.h"
#include "compiler/passes/Backward.h"

namespace vernier::compiler {

bool declaresLosses(mlir::func::FuncOp function) { return !function.getOps<vn::MinimizeOp>().empty(); }

std::vector<std::string> namesOfLosses(mlir::func::FuncOp function) {
  std::vector<std::string> names;
  for (vn::MinimizeOp term : function.getOps<vn::MinimizeOp>())
    if (const std::string name = term.getName().str(); !name.empty() && !llvm::is_contained(names, name))
      names.push_back(name);
  return names;
}

void dropLosses(mlir::func::FuncOp infer) {
  if (!declaresLosses(infer) && infer.getOps<vn::TargetOp>().empty())
    return;
  for (vn::MinimizeOp term : llvm::make_early_inc_range(infer.getOps<vn::MinimizeOp>()))
    term.erase();
  eraseUnused(infer.front());
}

} // namespace vernier::compiler
