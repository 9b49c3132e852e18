#include "compiler/analysis/AllocationBudget.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include <algorithm>
#include <cmath>

using namespace vernier::compiler;
using vernier::vn::BudgetKind;

// More than this times a limit is taken for a forgotten unit: `88` for `neurons=88`.
static constexpr double kMaxFraction = 10;

static llvm::Error malformed(llvm::StringRef text, const llvm::Twine &why) {
  return llvm::createStringError("`" + text + "` is no budget: " + why);
}

llvm::Expected<AllocationBudget> AllocationBudget::parse(llvm::StringRef text) {
  AllocationBudget budget;
  budget.text = text.str();
  auto [pattern, rest] = text.rsplit(':');
  if (text.contains(':'))
    budget.holes = pattern.trim().str();
  else
    rest = text;
  rest = rest.trim();

  llvm::StringRef name = rest.take_while([](char c) { return llvm::isAlpha(c); }),
                  amount = rest.drop_front(name.size()).trim();
  if (!name.empty()) {
    budget.unit = llvm::StringSwitch<std::optional<BudgetKind>>(name)
                      .Case("macs", BudgetKind::Macs)
                      .Case("params", BudgetKind::Parameters)
                      .Case("neurons", BudgetKind::Neurons)
                      .Default(std::nullopt);
    if (!budget.unit)
      return malformed(text, "unknown unit `" + name + "`");
    if (amount.empty())
      return budget;
    if (amount.consume_front("=")) {
      int64_t limit;
      if (amount.trim().getAsInteger(10, limit) || limit < 1)
        return malformed(text, "`" + amount.trim() + "` is no positive integer");
      budget.limit = limit;
      return budget;
    }
    if (!amount.consume_front("*"))
      return malformed(text, "`*` or `=` must follow the unit");
    amount = amount.trim();
  }
  if (amount.getAsDouble(budget.fraction) || !(budget.fraction > 0))
    return malformed(text, "`" + amount + "` is no positive number");
  if (budget.fraction > kMaxFraction)
    return malformed(text, llvm::Twine(amount) + " times the hole's own limit is too much; write neurons=" +
                               amount + " for a number");
  return budget;
}

llvm::StringRef vernier::compiler::unitName(BudgetKind unit) {
  switch (unit) {
  case BudgetKind::None:
    return "";
  case BudgetKind::Macs:
    return "macs";
  case BudgetKind::Parameters:
    return "params";
  case BudgetKind::Neurons:
    return "neurons";
  }
  llvm_unreachable("all units are above");
}

int64_t vernier::compiler::costOf(const HoleScale &scale, BudgetKind unit, bool countFollowing) {
  NeuronCost cost = countFollowing ? scale.cost + scale.following : scale.cost;
  switch (unit) {
  case BudgetKind::None:
    return 0;
  case BudgetKind::Macs:
    return cost.macs;
  case BudgetKind::Parameters:
    return cost.parameters;
  case BudgetKind::Neurons:
    return 1;
  }
  llvm_unreachable("all units are above");
}

BudgetKind vernier::compiler::unitOf(const AllocationBudget &budget, vn::HoleOp hole) {
  return budget.unit.value_or(hole.getBudget());
}

std::optional<int64_t> vernier::compiler::limitOf(const AllocationBudget &budget, const LearnedHole &hole) {
  if (budget.limit)
    return budget.limit;
  vn::HoleOp op = hole.op;
  BudgetKind own = op.getBudget(), unit = unitOf(budget, op);
  if (own == BudgetKind::None)
    return std::nullopt;
  double limit = double(op.getLimit());
  if (unit != own) {
    const HoleScale &dearest = *std::max_element(hole.scales.begin(), hole.scales.end(),
                                                 [&](const HoleScale &a, const HoleScale &b) {
                                                   return costOf(a, own, false) < costOf(b, own, false);
                                                 });
    limit *= double(costOf(dearest, unit, false)) / double(std::max<int64_t>(1, costOf(dearest, own, false)));
  }
  // A product such as 0.29 * 100 falls short of the integer it means by a rounding error.
  return int64_t(std::min(std::floor(limit * budget.fraction * (1 + 1e-12)), 0x1p62));
}
