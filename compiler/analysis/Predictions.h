// Outputs that are compared with what is true: what an evaluation can say of them beside their losses.
#ifndef VERNIER_COMPILER_ANALYSIS_PREDICTIONS_H
#define VERNIER_COMPILER_ANALYSIS_PREDICTIONS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>
#include <vector>

namespace vernier::compiler {

/// An output of a network and the target that a loss compares it with.
struct Prediction {
  std::string output, target;
  /// Logits of classes and labels; or of each channel whether it is there, as a logit or as its sigmoid.
  enum class Kind { Classes, Logits, Probabilities } kind;
};

/// Of @infer after vn-evaluation-form, in the order of its losses, each pair once. An output counts where it
/// is what the loss reads, or the sigmoid of it.
std::vector<Prediction> findPredictions(mlir::func::FuncOp evaluation);

} // namespace vernier::compiler

#endif
