// A network with open `choose` holes in parts, so that code for each part and choice serves all
// configurations.
#ifndef VERNIER_COMPILER_LOWER_SEGMENTS_H
#define VERNIER_COMPILER_LOWER_SEGMENTS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace vernier::compiler {

/// Consecutive ops of a network that depend on the same open holes.
struct Segment {
  std::vector<std::string> holes; // names, in the specification's order
  // With @infer from the maps that the ops take (vn.inputs) to the network's outputs among their results
  // (vn.outputs) and to what later segments take (vn.passed_on).
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// The segments of `module`'s @infer as lowerGraph made it, in order: run one after the other, they compute
/// what it computes. So that what passes fuse is not torn apart,
///   - ops that depend on fewer holes than their neighbours on both sides, which depend on the same ones,
///     belong to those;
///   - of ops that depend on a part of the holes of those before them, all up to the last that reads a result
///     of theirs belong to them: from a stage's resize to the end of its first block.
/// Resizes to the size that a map has already are left out. A network without open holes is one segment.
std::vector<Segment> splitIntoSegments(mlir::ModuleOp module);

} // namespace vernier::compiler

#endif
