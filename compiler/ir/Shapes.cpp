#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"

#include "compiler/ir/VnInterfaces.cpp.inc"

using namespace mlir;
using namespace vernier::vn;

RankedTensorType vernier::vn::floatTensor(MLIRContext *context, ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, Float32Type::get(context));
}

bool vernier::vn::isMap(Value value) {
  if (!isMapType(value.getType()))
    return false;
  // The zeros of a weight that nothing uses, too.
  if (llvm::any_of(value.getUsers(), llvm::IsaPred<StoreGradientOp>))
    return false;
  if (auto sum = value.getDefiningOp<AddOp>()) // of maps, or of a shared weight's gradients
    return isMap(sum.getLhs());
  return !isa_and_nonnull<ParameterOp, FoldWeightOp, ScaleParameterOp, ConvolutionWeightGradOp,
                          SliceParameterOp, ConcatParametersOp, EmbedParameterOp, SpreadParameterOp>(
      value.getDefiningOp());
}

RankedTensorType vernier::vn::mapLike(RankedTensorType map, ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, map.getElementType());
}

RankedTensorType vernier::vn::withElement(RankedTensorType type, Type element) {
  return RankedTensorType::get(type.getShape(), element);
}

LogicalResult vernier::vn::requireOneElement(Operation *op, RankedTensorType map, ValueRange others) {
  for (Type other : others.getTypes())
    if (cast<RankedTensorType>(other).getElementType() != map.getElementType())
      return op->emitOpError("mixes maps of different element types, ")
             << map << " and " << other << ": `vn.cast` one of them";
  return success();
}

RankedTensorType vernier::vn::withDimension(RankedTensorType type, unsigned dim, int64_t size) {
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = size;
  return RankedTensorType::get(shape, type.getElementType());
}

// The shape rule first: what is expected of operands presumes a legal geometry.
LogicalResult vernier::vn::detail::verifyShapes(Operation *op) {
  auto shaped = cast<ShapeOpInterface>(op);
  SmallVector<RankedTensorType> results;
  if (failed(shaped.inferShapes(results)))
    return failure();
  for (const ExpectedOperand &expected : shaped.expectedOperands(std::nullopt)) {
    Type found = op->getOperand(expected.index).getType();
    if (found != expected.type)
      return op->emitOpError("needs `")
             << expected.name << "` of type " << expected.type << ", found " << found;
  }
  for (auto [result, inferred] : llvm::zip_equal(op->getResults(), results))
    if (result.getType() != inferred)
      return op->emitOpError("has result #") << result.getResultNumber() << " of type " << result.getType()
                                             << ", its operands make it " << inferred;
  return success();
}

RankedTensorType vernier::vn::sumsType(RankedTensorType map) {
  return RankedTensorType::get({2, channelsOf(map)}, Float64Type::get(map.getContext()));
}

int64_t vernier::vn::detail::bytesOfOperandsAndResults(Operation *op) {
  int64_t bytes = 0;
  auto add = [&](Type type) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      bytes += tensor.getNumElements() * tensor.getElementTypeBitWidth() / 8;
  };
  llvm::for_each(op->getOperandTypes(), add);
  llvm::for_each(op->getResultTypes(), add);
  return bytes;
}

LogicalResult
vernier::vn::inferFunctionShapes(FunctionOpInterface function,
                                 llvm::function_ref<std::optional<int64_t>(Operation *)> channels) {
  for (Operation &op : function.getFunctionBody().front()) {
    auto shaped = dyn_cast<ShapeOpInterface>(op);
    if (!shaped)
      continue;
    for (const ExpectedOperand &expected : shaped.expectedOperands(channels(&op)))
      if (auto parameter = op.getOperand(expected.index).getDefiningOp<ParameterOp>())
        parameter.getResult().setType(expected.type);
    SmallVector<RankedTensorType> results;
    if (failed(shaped.inferShapes(results)))
      return failure();
    for (auto [result, type] : llvm::zip_equal(op.getResults(), results))
      result.setType(type);
  }
  Operation *terminator = function.getFunctionBody().front().getTerminator();
  function.setFunctionTypeAttr(
      TypeAttr::get(function.cloneTypeWith(function.getArgumentTypes(), terminator->getOperandTypes())));
  return success();
}
