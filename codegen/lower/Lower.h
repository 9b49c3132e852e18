// From the dialect to steps: each op becomes one or a few problems over buffers, of which a backend makes
// steps.
//
// What is one kernel, and which type the numbers of a map have, the passes have decided; the lowering obeys.
// Where a cast is all that reads a map, the op that computes the map writes the cast's result.
//
// What the lowering decides on the way: a concat's operands are written straight into its buffer where their
// producer can write a slice; a channel slice is read in place; what depends on parameters alone goes to the
// `prepare` program; the gradient of a parameter is computed in its place among the gradients.
#ifndef VERNIER_CODEGEN_LOWER_LOWER_H
#define VERNIER_CODEGEN_LOWER_LOWER_H

#include "codegen/program/Backend.h"
#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LogicalResult.h"

#include "llvm/ADT/DenseMap.h"

namespace vernier::codegen {

struct LoweringOptions {
  // Of a network with open holes: an output that only the choices give with which it has the size that it has
  // in the configuration (see lowerSegments). Empty: there is none.
  std::string partialOutput{};
  // If set: every buffer has memory of its own, and the map receives where each value lies when its program
  // has run, so that kernels can be compared one by one (`vernier verify`). A value that never leaves a
  // kernel has no place. In a part that runs for a few images at a time it is the last run's.
  llvm::DenseMap<mlir::Value, Location> *kept = nullptr;
  // Of a training build that declares its losses, at each size the module whose @infer evaluates them
  // (vn-evaluation-form), after the inference passes. Empty: there are none.
  std::vector<mlir::ModuleOp> evaluations{};
};

// Where a parameter's memory is.
vn_space spaceOf(vn::ParameterOp parameter);

// BF16 where a value of the function is of that type, else F32.
Element elementOfMaps(mlir::func::FuncOp function);

// The array that a training step is given for a target: labels, N x C, or N x C x H x W.
Io targetIo(mlir::Value target);

// A network for each of its input sizes and batches, of which there may be one: a module has @infer after the
// inference passes and, for training, @train_step. Parameters are the same at all sizes, and packed weights
// are kept once. Reports an op that has no kernel at the op and fails.
mlir::FailureOr<Compilation> lowerModule(llvm::ArrayRef<mlir::ModuleOp> sizes, const Backend &backend,
                                         const LoweringOptions &options = {});

// A part of a network (compiler/lower/Segments.h) for each choice of the holes that it depends on.
struct SegmentModules {
  std::vector<int> holes; // indices into the network's, ascending
  struct Variant {
    mlir::ModuleOp module; // after the inference passes
    int64_t macs = 0;      // before them, of one image
  };
  std::vector<Variant> variants; // the last hole's choices change first
};

// A network with open holes at one size: one of its configurations, from which the arrays of a call are
// taken, and its segments.
struct SizeSegments {
  mlir::ModuleOp configuration;
  llvm::ArrayRef<SegmentModules> segments;
};

// One program of each size for all configurations of a network with open holes: each segment's code once for
// each of its choices, with one list of parameters, packed weights that are kept once, and an arena for the
// largest.
mlir::FailureOr<Compilation> lowerSegments(llvm::ArrayRef<SizeSegments> sizes, std::vector<OpenHole> holes,
                                           const Backend &backend, const LoweringOptions &options = {});

} // namespace vernier::codegen

#endif
