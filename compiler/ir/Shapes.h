// Shape helpers of the ops, and shape inference over a function after its channel counts changed.
#ifndef VERNIER_COMPILER_IR_SHAPES_H
#define VERNIER_COMPILER_IR_SHAPES_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "mlir/IR/ValueRange.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include <optional>

namespace vernier::vn {

/// A float tensor of this shape.
mlir::RankedTensorType floatTensor(mlir::MLIRContext *context, llvm::ArrayRef<int64_t> shape);

/// Whether `value` is a map: rank alone does not tell a convolution's weight, or its gradient, from one.
bool isMap(mlir::Value value);

/// A map of this shape with elements as those of `map`.
mlir::RankedTensorType mapLike(mlir::RankedTensorType map, llvm::ArrayRef<int64_t> shape);

/// `type` with other elements.
mlir::RankedTensorType withElement(mlir::RankedTensorType type, mlir::Type element);

/// An error of `op` unless its maps `others` have elements as those of its map `map`.
llvm::LogicalResult requireOneElement(mlir::Operation *op, mlir::RankedTensorType map,
                                      mlir::ValueRange others);

/// What says the class of each pixel of `logits`: N x H x W, N where there is one pixel.
mlir::RankedTensorType labelsOf(mlir::RankedTensorType logits);

/// Two sums of double precision for each channel of a map.
mlir::RankedTensorType sumsType(mlir::RankedTensorType map);

/// `type` with another size of dimension `dim`.
mlir::RankedTensorType withDimension(mlir::RankedTensorType type, unsigned dim, int64_t size);

/// N x H x W x C, by name.
inline int64_t batchOf(mlir::RankedTensorType map) { return map.getDimSize(0); }
inline int64_t heightOf(mlir::RankedTensorType map) { return map.getDimSize(1); }
inline int64_t widthOf(mlir::RankedTensorType map) { return map.getDimSize(2); }
inline int64_t channelsOf(mlir::RankedTensorType map) { return map.getDimSize(3); }

/// Recomputes every type in `function` in order: parameters from what uses them, results by ShapeOpInterface,
/// at last the function's result types. `channels` gives the new number of output channels of a convolution
/// or linear layer, or nothing where it stays. Fails with an op's error where a shape rule is violated.
llvm::LogicalResult
inferFunctionShapes(mlir::FunctionOpInterface function,
                    llvm::function_ref<std::optional<int64_t>(mlir::Operation *)> channels);

} // namespace vernier::vn

#endif
