// Which labels the losses that read a target take.
#ifndef VERNIER_COMPILER_IR_LABELRANGE_H
#define VERNIER_COMPILER_IR_LABELRANGE_H

#include "mlir/IR/Value.h"
#include <optional>

namespace vernier::vn {

/// From 0 to `classes` - 1, or `ignored`.
struct LabelRange {
  int64_t classes = 0;              ///< the fewest of all that read it; 0: nothing does
  std::optional<int64_t> ignored{}; ///< by all of them
};

LabelRange labelRangeOf(mlir::Value labels);

} // namespace vernier::vn

#endif
