// The gradients of a training step against differences of its loss.
#ifndef VERNIER_DRIVER_VERIFY_FINITEDIFFERENCES_H
#define VERNIER_DRIVER_VERIFY_FINITEDIFFERENCES_H

#include "driver/verify/Results.h"

namespace vernier::driver {

// `gradients`: what a training step computed, "gradient of NAME" among it. `lossOnly` has the loss of the
// same network as first result; it is taken apart. All parameters move at once, each by the same part of its
// own size, half along its gradient and half at random; the loss must change as the gradients say. `moved`
// computes the gradients from other inputs: where last places decide them, they say no more than that.
Difference finiteDifferences(mlir::func::FuncOp lossOnly, Inputs &inputs,
                             const std::vector<Result> &gradients, double goodEnough,
                             llvm::function_ref<std::vector<Result>(Inputs &)> moved);

} // namespace vernier::driver

#endif
