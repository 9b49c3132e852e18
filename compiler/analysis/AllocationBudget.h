// What an allocation may spend on each hole, as a person writes it:
//
//   macs            the hole's own limit, in multiply-adds (ScaleNet's equation 5)
//   0.5             half of the hole's own limit
//   params*0.75     three quarters of the limit, in parameters
//   neurons=88      88 neurons in each hole
//   latency=0.05ms  this much time for each image, by what one neuron of each scale was measured to take
//   layer1.*:neurons=88   the same, for holes whose name matches; the last of several that match counts
//
// A limit in another unit than the hole's own is what as many neurons cost as its own limit pays for at the
// scale where they are dearest. So a limit of the multiply-adds of a 3x3 convolution with 64 channels becomes
// its parameters, or 64 neurons.
#ifndef VERNIER_COMPILER_ANALYSIS_ALLOCATIONBUDGET_H
#define VERNIER_COMPILER_ANALYSIS_ALLOCATIONBUDGET_H

#include "compiler/analysis/LearnedHoles.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace vernier::compiler {

struct AllocationBudget {
  std::string text;                   // as written
  std::string holes = "*";            // a glob pattern
  std::optional<vn::BudgetKind> unit; // none: the hole's own
  bool latency = false;               // in time, instead of a unit
  double fraction = 1;                // of the hole's own limit
  std::optional<int64_t> limit;       // instead of it; a latency in picoseconds

  /// An error's text says what is wrong and what can be written.
  static llvm::Expected<AllocationBudget> parse(llvm::StringRef text);
};

/// As the language and the command line spell it: macs, params, neurons; empty for None.
llvm::StringRef unitName(vn::BudgetKind unit);

/// Of one neuron in `unit`; with `countFollowing`, what reads it included.
int64_t costOf(const HoleScale &scale, vn::BudgetKind unit, bool countFollowing);

/// The unit in which `budget` counts for `hole`, or None if neither says.
vn::BudgetKind unitOf(const AllocationBudget &budget, vn::HoleOp hole);

/// What `budget` lets an allocation of `hole` spend; nothing if the hole has no limit and the budget does not
/// name one.
std::optional<int64_t> limitOf(const AllocationBudget &budget, const LearnedHole &hole);

/// The same of a budget in time, in picoseconds; `neurons`: what one at each scale takes, in picoseconds.
std::optional<int64_t> latencyLimitOf(const AllocationBudget &budget, const LearnedHole &hole,
                                      llvm::ArrayRef<int64_t> neurons);

} // namespace vernier::compiler

#endif
