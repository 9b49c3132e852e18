// A training step of a network in segments (compiler/lower/Segments.h).
#ifndef VERNIER_COMPILER_PASSES_DIFFERENTIATESEGMENT_H
#define VERNIER_COMPILER_PASSES_DIFFERENTIATESEGMENT_H

#include "compiler/passes/Passes.h"
#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace vernier::compiler {

/// What a segment has to do with others in a training step: all segments run forward in order, then backward
/// in the reverse order. The gradient of a map that several segments take is handed from the last of them to
/// the first, each of which adds its part, and then to the segment that computes the map.
struct SegmentTraining {
  bool needed = false;  // the loss depends on it
  bool hasLoss = false; // it computes the logits
  // Names of gradients, empty where there is none: for each of vn.inputs what later segments have added up,
  // and what this one adds its part to; for each of vn.passed_on what later segments give.
  std::vector<std::string> gradientBefore, gradientAfter, gradientOf;
};

/// For segments in order, one variant of each; the loss is that of the first of the network's outputs.
std::vector<SegmentTraining> planSegmentTraining(llvm::ArrayRef<mlir::ModuleOp> segments,
                                                 llvm::StringRef logits);

/// Adds @train_step to a needed segment whose @train_forward is `infer` in its training form. Arguments
/// (vn.inputs): those of @infer, gradients that other segments give, and the labels and label smoothing where
/// the loss is. Results: the loss and logits where they are (vn.outputs), what later segments take
/// (vn.passed_on) and gradients (vn.gradients).
llvm::LogicalResult differentiateSegment(mlir::ModuleOp module, const SegmentTraining &training,
                                         LossKind loss);

} // namespace vernier::compiler

#endif
