// Sums of branches of which some run at full resolution and others between downsampling and upsampling, and
// the maps in them that ELASTIC's scale policy score compares (arXiv:1812.05262, equation 5).
//
//   x -> conv1 -> conv2 -> relu -> conv3 -------------------> +        full: the relu's map
//   x -> avg_pool -> conv1 -> conv2 -> relu -> conv3 -> resize ^     reduced: the relu's map before the
//   resize
//
// The branches are found by following the program back from an addition, never by names. All begin at one map
// of the sum's size. A branch is a chain: an op of several maps, except a gate's product, ends it. A branch
// without a convolution, such as a shortcut, counts for neither side.
#ifndef VERNIER_COMPILER_ANALYSIS_SCALEBRANCHES_H
#define VERNIER_COMPILER_ANALYSIS_SCALEBRANCHES_H

#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <string>
#include <vector>

namespace vernier::compiler {

/// The branches of one sum at full and at one reduced resolution. Of each branch the map after its last
/// convolution with a window of more than a pixel, with the batch norm and the activation that directly
/// follow; of a branch without one, the same of its last convolution of a single pixel.
struct ScaleBranches {
  /// Of the block in which the sum is, or of the sum where it is the network itself or the block has several;
  /// ", 1/4" is added where branches of one sum have several reduced resolutions.
  std::string place;
  std::vector<mlir::Value> full, reduced;
};

/// In the program's order; of one sum the finer resolution first.
std::vector<ScaleBranches> findScaleBranches(mlir::func::FuncOp function);

} // namespace vernier::compiler

#endif
