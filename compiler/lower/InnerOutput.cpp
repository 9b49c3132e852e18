#include "compiler/lower/InnerOutput.h"

#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace vernier::compiler {

// Of several ops at one place, such as those that an op of the specification became, the last.
static Value findMap(func::FuncOp infer, StringRef place) {
  Value found;
  for (Operation &op : infer.front().without_terminator()) {
    if (place.empty()) {
      if (auto pool = dyn_cast<vn::GlobalAvgPoolOp>(op))
        found = pool.getInput();
    } else if (auto own = op.getAttrOfType<StringAttr>(vn::kPlaceAttr);
               own && own.getValue() == place && !isa<vn::ParameterOp>(op)) {
      found = op.getResult(0);
    }
  }
  return found && found.getDefiningOp() ? found : Value();
}

LogicalResult addInnerOutput(ModuleOp module, StringRef name, StringRef place) {
  auto infer = module.lookupSymbol<func::FuncOp>(vn::kInferFunction);
  const Value map = findMap(infer, place);
  if (!map)
    return failure();
  Operation *end = infer.front().getTerminator();
  end->insertOperands(end->getNumOperands(), map);
  Builder builder(module.getContext());
  infer.setFunctionType(builder.getFunctionType(infer.getFunctionType().getInputs(), end->getOperandTypes()));
  SmallVector<Attribute> names(infer->getAttrOfType<ArrayAttr>(vn::kOutputsAttr).getValue());
  names.push_back(builder.getStringAttr(name));
  infer->setAttr(vn::kOutputsAttr, builder.getArrayAttr(names));
  return success();
}

} // namespace vernier::compiler
