#include "driver/allocate/Budgets.h"

#include "driver/Refusal.h"
#include "driver/TextTable.h"
#include "driver/allocate/Latencies.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/GlobPattern.h"

namespace vernier::driver {

std::vector<compiler::AllocationBudget> parseBudgets(const std::vector<std::string> &texts) {
  std::vector<compiler::AllocationBudget> budgets(1); // each hole's own limit
  for (const std::string &text : texts) {
    auto budget = compiler::AllocationBudget::parse(text);
    if (!budget)
      refuse(llvm::toString(budget.takeError()), "--budget",
             "UNIT, FRACTION, UNIT*FRACTION or UNIT=NUMBER, where UNIT is macs, params, neurons or latency "
             "(latency=0.05ms); `HOLES:` before it, such as layer1.*:neurons=88, for some holes only");
    budgets.push_back(std::move(*budget));
  }
  return budgets;
}

std::vector<const compiler::AllocationBudget *>
matchBudgets(const std::vector<compiler::AllocationBudget> &budgets,
             std::vector<compiler::LearnedHole> &holes) {
  std::vector<const compiler::AllocationBudget *> matched(holes.size());
  for (const compiler::AllocationBudget &budget : budgets) {
    auto pattern = llvm::GlobPattern::create(budget.holes);
    if (!pattern)
      refuse("`" + budget.holes + "` is no pattern: " + llvm::toString(pattern.takeError()),
             "--budget " + budget.text, "write * for any text: layer1.*:neurons=88");
    bool any = false;
    for (size_t i = 0; i < holes.size(); ++i)
      if (pattern->match(holes[i].op.getSymName())) {
        matched[i] = &budget;
        any = true;
      }
    if (!any)
      refuse("no hole of the model is called `" + budget.holes + "`", "--budget " + budget.text,
             "the first hole is `" + holes.front().op.getSymName().str() + "`");
  }
  return matched;
}

std::string describeBudget(const AllocateOptions &options) {
  std::string text = options.budgets.empty() ? "the specification's" : llvm::join(options.budgets, ", ");
  if (options.countFollowing)
    text += "; the layers that follow included";
  return text;
}

std::string Spending::text(int64_t amount) const {
  return latency ? milliseconds(double(amount) / kPicoseconds) : withCommas(amount);
}

Spending spendingOf(const compiler::AllocationBudget &budget, compiler::LearnedHole &hole,
                    const AllocateOptions &options, const LatencyTable &table) {
  Spending spending;
  if (budget.latency) {
    spending.costs = picoseconds(*table.find(hole.op.getSymName()));
    spending.limit = compiler::latencyLimitOf(budget, hole, spending.costs);
    spending.unit = "latency";
    spending.latency = true;
    return spending;
  }
  const vn::BudgetKind unit = compiler::unitOf(budget, hole.op);
  for (const compiler::HoleScale &scale : hole.scales)
    spending.costs.push_back(compiler::costOf(scale, unit, options.countFollowing));
  spending.limit = compiler::limitOf(budget, hole);
  spending.unit = compiler::unitName(unit).str();
  return spending;
}

} // namespace vernier::driver
