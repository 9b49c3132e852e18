#include "driver/verify/Fault.h"

#include "codegen/cpu/emit/KernelBuilder.h"
#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "llvm/ADT/StringMap.h"

namespace vernier::driver {
namespace {

// --- rewrites

// An op but for its place and its operands' names.
std::string describe(mlir::Operation *op) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << op->getName() << " " << op->getParentOfType<mlir::FunctionOpInterface>().getName();
  for (mlir::NamedAttribute attribute : op->getAttrDictionary())
    if (!attribute.getName().strref().starts_with("vn."))
      out << " " << attribute.getName().strref() << "=" << attribute.getValue();
  out << " " << op->getOperandTypes() << " " << op->getResultTypes();
  return text;
}

std::vector<mlir::Operation *> newOps(mlir::ModuleOp before, mlir::ModuleOp after) {
  const auto eachOp = [](mlir::ModuleOp module, auto visit) {
    module.walk([&](mlir::Operation *op) {
      if (op->getNumOperands() > 0 && !op->hasTrait<mlir::OpTrait::IsTerminator>())
        visit(op);
    });
  };
  llvm::StringMap<int> old;
  eachOp(before, [&](mlir::Operation *op) { ++old[describe(op)]; });
  std::vector<mlir::Operation *> found;
  eachOp(after, [&](mlir::Operation *op) {
    if (--old[describe(op)] < 0)
      found.push_back(op);
  });
  return found;
}

// Whether a result, a gradient or a statistic depends on `op`.
bool matters(mlir::Operation *op) {
  if (op->hasTrait<mlir::OpTrait::IsTerminator>() || !mlir::isMemoryEffectFree(op))
    return true;
  return llvm::any_of(op->getUsers(), matters);
}

// The last value of the type before `op` in its block that `op` does not read.
mlir::Value otherOperand(mlir::Operation *op, mlir::Type type) {
  const auto fits = [&](mlir::Value value) {
    return value.getType() == type && !llvm::is_contained(op->getOperands(), value);
  };
  for (mlir::Operation *earlier = op->getPrevNode(); earlier; earlier = earlier->getPrevNode())
    for (mlir::Value result : earlier->getResults())
      if (fits(result))
        return result;
  for (mlir::Value argument : op->getBlock()->getArguments())
    if (fits(argument))
      return argument;
  return {};
}

bool takeOtherOperand(mlir::Operation *op) {
  mlir::ScopedDiagnosticHandler quiet(op->getContext(), [](mlir::Diagnostic &) {});
  for (mlir::OpOperand &operand : op->getOpOperands()) {
    mlir::Value right = operand.get(), wrong = otherOperand(op, right.getType());
    auto pool = llvm::dyn_cast<vn::MaxPoolGradOp>(op);
    if (!wrong || (pool && right == pool.getY())) // its maxima follow from its input
      continue;
    operand.set(wrong);
    if (succeeded(mlir::verify(op)))
      return true;
    operand.set(right);
  }
  return false;
}

// Of a window op, one that sees a single pixel.
bool narrowWindow(mlir::Operation *op) {
  mlir::ScopedDiagnosticHandler quiet(op->getContext(), [](mlir::Diagnostic &) {});
  const mlir::Attribute right = op->getAttr("kernel");
  if (!right)
    return false;
  op->setAttr("kernel", mlir::DenseI64ArrayAttr::get(op->getContext(), {1, 1}));
  if (succeeded(mlir::verify(op)))
    return true;
  op->setAttr("kernel", right);
  return false;
}

// --- kernels

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

bool breakRewrite(mlir::ModuleOp before, mlir::ModuleOp after, llvm::DenseSet<mlir::Operation *> &broken) {
  std::vector<mlir::Operation *> ops = newOps(before, after);
  std::rotate(ops.begin(), ops.begin() + ptrdiff_t(ops.size() / 2), ops.end()); // one in the middle first
  return llvm::any_of(ops, [&](mlir::Operation *op) {
    return !broken.contains(op) && matters(op) && (takeOtherOperand(op) || narrowWindow(op)) &&
           broken.insert(op).second;
  });
}

bool breakKernel(std::vector<codegen::KernelDefinition> &kernels, llvm::StringRef name) {
  const auto kernel = llvm::find_if(kernels, [&](const codegen::KernelDefinition &kernel) {
    return llvm::StringRef(kernel.name).starts_with(name);
  });
  if (kernel == kernels.end())
    return false;
  kernel->build = [build = kernel->build](codegen::KernelBuilder &builder) {
    build(builder);
    leaveOutSomething(llvm::cast<mlir::func::FuncOp>(
        llvm::cast<mlir::BlockArgument>(builder.operand(0)).getOwner()->getParentOp()));
  };
  return true;
}

} // namespace vernier::driver
