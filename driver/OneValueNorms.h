// Batch norms over one value: in training the batch, height and width of their map are all 1, so that each
// channel's mean is its only value and its variance 0. They compute their bias, whatever comes in.
#ifndef VERNIER_DRIVER_ONEVALUENORMS_H
#define VERNIER_DRIVER_ONEVALUENORMS_H

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace vernier::driver {

struct OneValueNorm {
  std::string place, warning;
};

// Of the modules, in training form or not, each place once.
std::vector<OneValueNorm> findOneValueNorms(llvm::ArrayRef<mlir::ModuleOp> modules);

} // namespace vernier::driver

#endif
