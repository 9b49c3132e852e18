// What training draws by chance: what its ops must be.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"

using namespace mlir;
using namespace vernier::vn;

template <class Op> static LogicalResult requireRate(Op op) {
  const double rate = op.getRate().convertToDouble();
  if (!(rate >= 0 && rate < 1))
    return op.emitOpError("drops with probability ") << rate << ", not from 0 to below 1";
  return success();
}

LogicalResult DropoutOp::inferShapes(SmallVectorImpl<RankedTensorType> &results) {
  results.push_back(getInput().getType()); // C2
  return success();
}

LogicalResult DropoutOp::verify() { return requireRate(*this); } // C1

LogicalResult KeepMaskOp::verify() {
  if (getState().getType().getShape() != ArrayRef<int64_t>{2}) // C1
    return emitOpError("needs a state of two numbers, not ") << getState().getType();
  return requireRate(*this); // C2
}
