// Verifiers of ops with a body.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"

using namespace mlir;
using namespace vernier::vn;

namespace {

// One list of the body against one of the op: the same types, but `images` images.
LogicalResult verifyParts(ImageBlocksOp op, TypeRange parts, TypeRange wholes, StringRef partName) {
  if (parts.size() != wholes.size())
    return op.emitOpError("has ") << wholes.size() << " " << partName << "s outside of its body and "
                                  << parts.size() << " inside";
  for (auto [index, part, whole] : llvm::enumerate(parts, wholes)) {
    RankedTensorType expected = withDimension(cast<RankedTensorType>(whole), 0, op.getImages());
    if (part != expected)
      return op.emitOpError() << partName << " " << index << " is " << part << " in its body instead of "
                              << expected;
  }
  return success();
}

} // namespace

LogicalResult ImageBlocksOp::verify() {
  if (getInputs().empty()) // C1
    return emitOpError("needs at least one input");
  int64_t batch = batchOf(cast<RankedTensorType>(getInputs().front().getType()));
  for (Type type : llvm::concat<const Type>(getInputs().getTypes(), getResultTypes()))
    if (batchOf(cast<RankedTensorType>(type)) != batch) // C1
      return emitOpError("has maps of different batch, ")
             << batch << " and " << batchOf(cast<RankedTensorType>(type));
  if (batch % getImages() != 0) // C1
    return emitOpError("divides a batch of ") << batch << " into blocks of " << getImages();
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield)
    return emitOpError("has a body without vn.yield");
  if (failed(verifyParts(*this, getBody().front().getArgumentTypes(), getInputs().getTypes(), "input"))) // C2
    return failure();
  return verifyParts(*this, yield.getValues().getTypes(), getResultTypes(), "result"); // C3
}
