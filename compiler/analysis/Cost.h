// What a program costs, in all and by block of the specification: the table that `vernier describe` prints.
#ifndef VERNIER_COMPILER_ANALYSIS_COST_H
#define VERNIER_COMPILER_ANALYSIS_COST_H

#include "compiler/analysis/ReceptiveField.h"
#include <string>
#include <vector>

namespace vernier::compiler {

/// One block call, with everything inside it.
struct BlockCost {
  std::string place;                   // "layer1.0"
  std::string block;                   // "bottleneck"
  unsigned depth = 0;                  // 0: called by the network itself
  int64_t macs = 0;                    // per image
  int64_t parameters = 0;              // trainable
  int64_t bytes = 0;                   // read and written by the ops of one call of the program
  mlir::RankedTensorType result;       // of its last op
  std::optional<ReceptiveField> field; // of its last op
};

/// All ops of one kind.
struct KindCost {
  std::string kind; // "convolution 3x3 depthwise", "max_pool"
  int64_t ops = 0;
  int64_t macs = 0;  // per image
  int64_t bytes = 0; // read and written by one call of the program
};

struct CostSummary {
  int64_t batch = 1;
  int64_t macs = 0; // per image: convolutions and linear layers
  int64_t parameters = 0;
  int64_t bytes = 0;
  std::vector<BlockCost> blocks; // in the order of the program, a block before those it calls
  std::vector<KindCost> kinds;   // the most multiply-adds first, then the most bytes; parameters are no op
};

/// Adds up the ops' costs. A block call that adds no element to the path counts with the block around it.
CostSummary summarizeCost(mlir::func::FuncOp function);

} // namespace vernier::compiler

#endif
