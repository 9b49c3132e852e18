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

// "0.05ms" in picoseconds; nothing if it is no positive time.
static std::optional<int64_t> parseTime(llvm::StringRef text) {
  const llvm::StringRef number = text.take_while([](char c) { return llvm::isDigit(c) || c == '.'; });
  const double picoseconds = llvm::StringSwitch<double>(text.drop_front(number.size()).trim())
                                 .Case("ns", 1e3)
                                 .Case("us", 1e6)
                                 .Case("ms", 1e9)
                                 .Case("s", 1e12)
                                 .Default(0);
  double value = 0;
  if (number.getAsDouble(value) || !(value * picoseconds >= 1) || value * picoseconds > 1e18)
    return std::nullopt;
  return std::llround(value * picoseconds);
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
    budget.latency = name == "latency";
    budget.unit = llvm::StringSwitch<std::optional<BudgetKind>>(name)
                      .Case("macs", BudgetKind::Macs)
                      .Case("params", BudgetKind::Parameters)
                      .Case("neurons", BudgetKind::Neurons)
                      .Default(std::nullopt);
    if (!budget.unit && !budget.latency)
      return malformed(text, "unknown unit `" + name + "`");
    if (amount.empty())
      return budget;
    if (amount.consume_front("=")) {
      if (budget.latency) {
        budget.limit = parseTime(amount.trim());
        if (!budget.limit)
          return malformed(text, "`" + amount.trim() + "` is no time such as 0.05ms");
        return budget;
      }
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

// A product such as 0.29 * 100 falls short of the integer it means by a rounding error.
static int64_t wholeLimit(double limit) { return int64_t(std::min(std::floor(limit * (1 + 1e-12)), 0x1p62)); }

// `cost`: of one neuron at a scale, in the unit of the result.
static std::optional<int64_t> limitBy(const AllocationBudget &budget, const LearnedHole &hole,
                                      llvm::function_ref<int64_t(size_t scale)> cost) {
  if (budget.limit)
    return budget.limit;
  vernier::vn::HoleOp op = hole.op;
  const BudgetKind own = op.getBudget();
  if (own == BudgetKind::None)
    return std::nullopt;
  const auto ownCost = [&](const HoleScale &scale) { return costOf(scale, own, false); };
  const auto dearest =
      std::max_element(hole.scales.begin(), hole.scales.end(),
                       [&](const HoleScale &a, const HoleScale &b) { return ownCost(a) < ownCost(b); });
  return wholeLimit(double(op.getLimit()) * budget.fraction *
                    double(cost(size_t(dearest - hole.scales.begin()))) /
                    double(std::max<int64_t>(1, ownCost(*dearest))));
}

std::optional<int64_t> vernier::compiler::limitOf(const AllocationBudget &budget, const LearnedHole &hole) {
  vn::HoleOp op = hole.op;
  const BudgetKind unit = unitOf(budget, op);
  if (!budget.limit && unit == op.getBudget() && unit != BudgetKind::None)
    return wholeLimit(double(op.getLimit()) * budget.fraction);
  return limitBy(budget, hole, [&](size_t scale) { return costOf(hole.scales[scale], unit, false); });
}

std::optional<int64_t> vernier::compiler::latencyLimitOf(const AllocationBudget &budget,
                                                         const LearnedHole &hole,
                                                         llvm::ArrayRef<int64_t> neurons) {
  return limitBy(budget, hole, [&](size_t scale) { return neurons[scale]; });
}
