// What the elements of an op's results are made of. A sum whose terms cancel is as far from the exact one as
// the rounding of its terms makes it, however small it is itself.
#ifndef VERNIER_DRIVER_VERIFY_MAGNITUDES_H
#define VERNIER_DRIVER_VERIFY_MAGNITUDES_H

#include "compiler/interpreter/Tensor.h"
#include "mlir/IR/Operation.h"

#include <vector>

namespace vernier::driver {

// Of each result the sums of the magnitudes of what a kernel adds up for its elements. `operands` are the
// op's, `magnitudes` what they are made of themselves: their absolute values where they were stored.
std::vector<interpreter::Tensor> magnitudesOf(mlir::Operation *op,
                                              llvm::ArrayRef<const interpreter::Tensor *> operands,
                                              llvm::ArrayRef<const interpreter::Tensor *> magnitudes);

interpreter::Tensor absolute(interpreter::Tensor tensor);

} // namespace vernier::driver

#endif
