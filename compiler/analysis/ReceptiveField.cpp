#include "compiler/analysis/ReceptiveField.h"
#include "compiler/ir/VnInterfaces.h"
#include <algorithm>

using namespace mlir;
using namespace vernier::compiler;
using vernier::vn::ReceptiveFieldOpInterface;
using vernier::vn::ReceptiveWindow;

static ReceptiveField throughWindow(const ReceptiveField &input, const ReceptiveWindow &window) {
  ReceptiveField result;
  for (int axis : {0, 1}) {
    double growth = (window.size[axis] - 1) * input.step[axis];
    result.least[axis] = input.least[axis] + growth;
    result.most[axis] = input.most[axis] + growth;
    result.step[axis] = input.step[axis] * window.step[axis];
  }
  return result;
}

// Paths that meet have the same step, but for the rounding of odd sizes; the one that comes first counts. An
// operand of one pixel per image (a gate) does not change the step.
static void joinPath(ReceptiveField &field, const ReceptiveField &path) {
  for (int axis : {0, 1}) {
    field.least[axis] = std::min(field.least[axis], path.least[axis]);
    field.most[axis] = std::max(field.most[axis], path.most[axis]);
  }
}

ReceptiveFields::ReceptiveFields(func::FuncOp function) {
  if (function.getNumArguments() > 0)
    fields[function.getArgument(0)] = ReceptiveField();
  for (Operation &op : function.front()) {
    auto sees = dyn_cast<ReceptiveFieldOpInterface>(op);
    if (!sees)
      continue;
    std::optional<ReceptiveField> joined;
    for (OpOperand &operand : op.getOpOperands()) {
      auto field = of(operand.get());
      if (!field)
        continue;
      ReceptiveField path = throughWindow(*field, sees.getReceptiveWindow(operand.getOperandNumber()));
      if (joined)
        joinPath(*joined, path);
      else
        joined = path;
    }
    if (joined)
      fields[op.getResult(0)] = *joined;
  }
}

std::optional<ReceptiveField> ReceptiveFields::of(Value value) const {
  auto found = fields.find(value);
  return found == fields.end() ? std::nullopt : std::optional(found->second);
}
