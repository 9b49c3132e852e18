#include "codegen/cpu/emit/BrokenKernel.h"

#include "codegen/cpu/emit/KernelBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace vernier::codegen {
namespace {

// A choice between floats: a mask.
bool choosesFloats(mlir::Operation *op) {
  return llvm::isa<mlir::arith::SelectOp>(op) &&
         llvm::isa<mlir::FloatType>(mlir::getElementTypeOrSelf(op->getResult(0).getType()));
}

// An instruction by its name, with two operands of the result's type: a maximum.
bool isInstruction(mlir::Operation *op) {
  return llvm::isa<mlir::LLVM::CallIntrinsicOp>(op) && op->getNumResults() == 1 &&
         op->getNumOperands() >= 2 && op->getOperand(0).getType() == op->getResult(0).getType();
}

// Takes `op` out; its result becomes `instead`.
void leaveOut(mlir::Operation *op, mlir::Value instead) {
  op->getResult(0).replaceAllUsesWith(instead);
  op->erase();
}

// The multiply-adds, all of them, since a kernel has code for tiles that a shape may not need; where the
// target has none the additions to what came before; else the first operation on floats, else the last store.
void leaveOutSomething(mlir::func::FuncOp kernel) {
  llvm::SmallVector<mlir::vector::FMAOp> multiplyAdds;
  llvm::SmallVector<mlir::arith::AddFOp> productsAdded;
  mlir::Operation *operation = nullptr, *store = nullptr;
  kernel.walk([&](mlir::Operation *op) {
    auto add = llvm::dyn_cast<mlir::arith::AddFOp>(op);
    if (auto fma = llvm::dyn_cast<mlir::vector::FMAOp>(op))
      multiplyAdds.push_back(fma);
    else if (add && add.getLhs().getDefiningOp<mlir::arith::MulFOp>())
      productsAdded.push_back(add);
    else if (!operation &&
             (choosesFloats(op) || isInstruction(op) ||
              llvm::isa<mlir::arith::AddFOp, mlir::arith::SubFOp, mlir::arith::MulFOp, mlir::arith::DivFOp>(
                  op)))
      operation = op;
    else if (llvm::isa<mlir::vector::StoreOp, mlir::vector::MaskedStoreOp, mlir::memref::StoreOp>(op))
      store = op;
  });
  for (mlir::vector::FMAOp fma : multiplyAdds)
    leaveOut(fma, fma.getAcc());
  if (!multiplyAdds.empty())
    return;
  for (mlir::arith::AddFOp add : productsAdded)
    leaveOut(add, add.getRhs());
  if (!productsAdded.empty())
    return;
  if (operation)
    leaveOut(operation, operation->getOperand(choosesFloats(operation) ? 2 : 0));
  else if (store)
    store->erase();
}

} // namespace

void breakKernel(KernelDefinition &kernel) {
  kernel.build = [build = kernel.build](KernelBuilder &builder) {
    build(builder);
    leaveOutSomething(llvm::cast<mlir::func::FuncOp>(
        llvm::cast<mlir::BlockArgument>(builder.operand(0)).getOwner()->getParentOp()));
  };
}

} // namespace vernier::codegen
