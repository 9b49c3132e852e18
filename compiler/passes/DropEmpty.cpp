// Removes what computes maps of zero channels: branches that an allocation left without neurons.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_DROPEMPTY
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

bool isEmpty(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && llvm::is_contained(type.getShape(), 0);
}

// The place in the specification, where an op has one.
InFlightDiagnostic errorAtPlace(Operation *op, const Twine &message) {
  InFlightDiagnostic error = emitError(op->getLoc(), message);
  if (auto place = op->getAttrOfType<StringAttr>(kPlaceAttr))
    error << " at `" << place.getValue() << "`";
  return error;
}

// Keeps a concat's inputs that have channels. Returns how many it dropped.
FailureOr<unsigned> dropInputs(ConcatOp concat) {
  SmallVector<Value> kept;
  for (Value input : concat.getInputs())
    if (!isEmpty(input))
      kept.push_back(input);
  unsigned dropped = concat.getInputs().size() - kept.size();
  if (dropped == 0)
    return 0;
  if (kept.empty()) {
    InFlightDiagnostic error = errorAtPlace(concat, "every branch of the concat has 0 channels");
    error.attachNote() << "help: give at least one of them a channel";
    return error;
  }
  if (kept.size() == 1) {
    concat.getResult().replaceAllUsesWith(kept.front());
    concat.erase();
  } else {
    concat.getInputsMutable().assign(kept);
  }
  return dropped;
}

struct DropEmpty : vernier::compiler::impl::DropEmptyBase<DropEmpty> {
  void runOnOperation() override {
    for (func::FuncOp function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(runOn(function.front())))
        return signalPassFailure();
  }

  LogicalResult runOn(Block &block) {
    for (ConcatOp concat : llvm::make_early_inc_range(block.getOps<ConcatOp>())) {
      FailureOr<unsigned> dropped = dropInputs(concat);
      if (failed(dropped))
        return failure();
      droppedBranches += *dropped;
    }

    // Operands come before users, so one sweep from the end reaches all that only fed dropped branches. What
    // was unused before stays: published checkpoints have parameters that no output depends on.
    llvm::SmallPtrSet<Operation *, 32> fedErased;
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op) && (fedErased.contains(&op) || llvm::any_of(op.getResults(), isEmpty))) {
        for (Value operand : op.getOperands())
          fedErased.insert(operand.getDefiningOp());
        op.erase();
        ++erasedOps;
      }

    for (Operation &op : block)
      if (llvm::any_of(op.getOperands(), isEmpty) && !llvm::any_of(op.getResults(), isEmpty))
        return errorAtPlace(&op, "'" + op.getName().getStringRef() + "' depends on a map of 0 channels");
    return success();
  }
};

} // namespace
