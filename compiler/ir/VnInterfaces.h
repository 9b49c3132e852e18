// Op interfaces of the dialect and the small structs that they exchange.
#ifndef VERNIER_COMPILER_IR_VNINTERFACES_H
#define VERNIER_COMPILER_IR_VNINTERFACES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include <optional>

namespace vernier::vn {

/// The type that operand `index` must have, and what the op's definition calls it.
struct ExpectedOperand {
  unsigned index;
  llvm::StringRef name;
  mlir::RankedTensorType type;
};

/// One axis pair (height, width) of a window sliding over an operand: its extent, and how far it moves from
/// one result pixel to the next, both in operand pixels. Upsampling by 2 moves by one half.
struct ReceptiveWindow {
  double size[2] = {1, 1};
  double step[2] = {1, 1};
};

namespace detail {
llvm::LogicalResult verifyShapes(mlir::Operation *op);
int64_t bytesOfOperandsAndResults(mlir::Operation *op);
} // namespace detail

} // namespace vernier::vn

#include "compiler/ir/VnInterfaces.h.inc"

#endif
