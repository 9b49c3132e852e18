// Two configurations of a model side by side.
#ifndef VERNIER_DRIVER_DESCRIBE_DESCRIBEDIFF_H
#define VERNIER_DRIVER_DESCRIBE_DESCRIBEDIFF_H

#include "compiler/analysis/Cost.h"
#include "driver/LoadModel.h"

#include "llvm/Support/raw_ostream.h"

namespace vernier::driver {

// The blocks that differ, then the whole.
void printDifference(llvm::raw_ostream &out, const LoadedModel &from, const compiler::CostSummary &fromCost,
                     const LoadedModel &to, const compiler::CostSummary &toCost);

} // namespace vernier::driver

#endif
