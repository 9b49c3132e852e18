// What an allocation must know of a seed network: for each scale of each learned hole, what one neuron costs
// and which batch norm tells its importance. All of it is found by following the program, never by names.
#ifndef VERNIER_COMPILER_ANALYSIS_LEARNEDHOLES_H
#define VERNIER_COMPILER_ANALYSIS_LEARNEDHOLES_H

#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <vector>

namespace vernier::compiler {

/// Of one neuron, for one image. Batch norms and biases of following layers belong to no single neuron's
/// choice and are not counted.
struct NeuronCost {
  int64_t macs = 0;       // at the size of the map where the neuron is computed
  int64_t parameters = 0; // weights, and the bias if there is one

  NeuronCost operator+(NeuronCost other) const { return {macs + other.macs, parameters + other.parameters}; }
};

/// Elements `begin`, `begin` + 1, ... of a gamma belong to the neurons of one scale.
struct GammaRange {
  vn::ParameterOp gamma;
  int64_t begin = 0;
};

/// One element of a hole. Several layers may take their channels from it; their costs add up. Where a layer's
/// input has as many channels as the hole says too, the seed's number counts, so that a cost is never
/// underestimated.
struct HoleScale {
  int64_t channels = 0;   // of the seed
  NeuronCost cost;        // of the layers whose output channels it decides
  NeuronCost following;   // of the layers that next read these channels
  mlir::Operation *layer; // the first of the former, for messages; null: no layer refers to this element
  llvm::SmallVector<GammaRange, 1> gammas;
};

struct LearnedHole {
  vn::HoleOp op;
  std::vector<HoleScale> scales;
};

/// The unbound learned holes of the module around `function`, in the module's order.
std::vector<LearnedHole> findLearnedHoles(mlir::func::FuncOp function);

} // namespace vernier::compiler

#endif
