#include "driver/verify/Fault.h"

#include "compiler/ir/VnOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "llvm/ADT/StringMap.h"

namespace vernier::driver {
namespace {

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

} // namespace

bool breakRewrite(mlir::ModuleOp before, mlir::ModuleOp after, llvm::DenseSet<mlir::Operation *> &broken) {
  std::vector<mlir::Operation *> ops = newOps(before, after);
  std::rotate(ops.begin(), ops.begin() + ptrdiff_t(ops.size() / 2), ops.end()); // one in the middle first
  return llvm::any_of(ops, [&](mlir::Operation *op) {
    return !broken.contains(op) && matters(op) && (takeOtherOperand(op) || narrowWindow(op)) &&
           broken.insert(op).second;
  });
}

} // namespace vernier::driver
