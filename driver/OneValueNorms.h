// Norms over one value, whose mean is that value and its variance 0: they compute their bias, whatever comes
// in. Batch norms where in training the batch, height and width of their map are all 1; layer norms of one
// channel.
#ifndef VERNIER_DRIVER_ONEVALUENORMS_H
#define VERNIER_DRIVER_ONEVALUENORMS_H

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace vernier::driver {

struct OneValueNorm {
  std::string place, warning;
  bool ofBatch = true; // or of a layer
};

// Of the modules, in training form or not, each place once.
std::vector<OneValueNorm> findOneValueNorms(llvm::ArrayRef<mlir::ModuleOp> modules);

} // namespace vernier::driver

#endif
