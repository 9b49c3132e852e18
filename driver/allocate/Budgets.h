// What each learned hole may spend.
#ifndef VERNIER_DRIVER_ALLOCATE_BUDGETS_H
#define VERNIER_DRIVER_ALLOCATE_BUDGETS_H

#include "compiler/analysis/AllocationBudget.h"
#include "driver/allocate/AllocateOptions.h"
#include "driver/latency/LatencyTable.h"

#include <optional>
#include <string>
#include <vector>

namespace vernier::driver {

// Each hole's own limit and then those of `texts`; refuses what is no budget.
std::vector<compiler::AllocationBudget> parseBudgets(const std::vector<std::string> &texts);

// The last of `budgets` that is for each hole. Refuses one that is for none of them.
std::vector<const compiler::AllocationBudget *>
matchBudgets(const std::vector<compiler::AllocationBudget> &budgets,
             std::vector<compiler::LearnedHole> &holes);

// All budgets in a few words, for the configuration.
std::string describeBudget(const AllocateOptions &options);

// A budget in its unit: what one neuron at each scale costs, and what may be spent.
struct Spending {
  std::vector<int64_t> costs;
  std::optional<int64_t> limit; // none: the hole has none of its own
  std::string unit;             // as it is printed
  bool latency = false;         // costs and limit are picoseconds

  // An amount of it for a person: "3,268,608", of a latency in milliseconds.
  std::string text(int64_t amount) const;
};

// `table` has the times of one neuron of `hole` if the budget is a latency.
Spending spendingOf(const compiler::AllocationBudget &budget, compiler::LearnedHole &hole,
                    const AllocateOptions &options, const LatencyTable &table);

} // namespace vernier::driver

#endif
