// Compares what each op's kernels leave in memory with what the interpreter computes from the very operands
// that they read: errors do not add up, and what a ReLU decides is the same on both sides.
#ifndef VERNIER_DRIVER_VERIFY_KERNELCHECK_H
#define VERNIER_DRIVER_VERIFY_KERNELCHECK_H

#include "driver/verify/Execution.h"
#include "driver/verify/Report.h"

namespace vernier::driver {

// After `execution` has run `function`, which is @infer or @train_step. Adds a row for each kind of op to
// `report`, and the first op whose result is off; an op's maps say by their type how far it may be.
void checkKernels(mlir::func::FuncOp function, const LoadedCode &code, Execution &execution,
                  const Inputs &inputs, Report &report);

} // namespace vernier::driver

#endif
