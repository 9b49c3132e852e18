#include "driver/search/Halving.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>

namespace vernier::driver {
namespace {

// Of each row what is to be small: its costs, and the accuracy with the other sign.
using Objectives = std::vector<double>;

bool dominates(const Objectives &a, const Objectives &b) {
  bool better = false;
  for (auto [left, right] : llvm::zip_equal(a, b)) {
    if (left > right)
      return false;
    better |= left < right;
  }
  return better;
}

// How far apart each row's neighbours on the front are, over all objectives; its ends are infinitely far.
std::vector<double> crowdingDistances(const std::vector<Objectives> &objectives,
                                      const std::vector<size_t> &front) {
  std::vector<double> distances(front.size(), 0);
  for (size_t o = 0; o < objectives[front[0]].size(); ++o) {
    const auto value = [&](size_t place) { return objectives[front[place]][o]; };
    std::vector<size_t> order(front.size());
    for (size_t i = 0; i < order.size(); ++i)
      order[i] = i;
    llvm::sort(order, [&](size_t a, size_t b) { return std::pair(value(a), a) < std::pair(value(b), b); });
    const double span = value(order.back()) - value(order.front());
    distances[order.front()] = distances[order.back()] = std::numeric_limits<double>::infinity();
    for (size_t i = 1; i + 1 < order.size() && span > 0; ++i)
      distances[order[i]] += (value(order[i + 1]) - value(order[i - 1])) / span;
  }
  return distances;
}

} // namespace

std::vector<size_t> betterRows(llvm::ArrayRef<SearchRow> rows, llvm::ArrayRef<SearchUnit> costs, size_t count,
                               size_t mostAccurate) {
  std::vector<Objectives> objectives;
  std::vector<size_t> rest, kept;
  for (auto [index, row] : llvm::enumerate(rows)) {
    Objectives &entry = objectives.emplace_back(1, -row.accuracy);
    for (SearchUnit unit : costs)
      entry.push_back(costOf(row, unit));
    rest.push_back(index);
  }
  std::vector<size_t> byAccuracy = rest;
  llvm::sort(byAccuracy,
             [&](size_t a, size_t b) { return std::pair(objectives[a], a) < std::pair(objectives[b], b); });
  std::vector<bool> taken(rows.size());
  const auto take = [&](size_t row) {
    if (kept.size() < count && !taken[row])
      kept.push_back(row);
    taken[row] = true;
  };
  for (size_t i = 0; i < std::min(mostAccurate, byAccuracy.size()); ++i)
    take(byAccuracy[i]);
  while (kept.size() < count && !rest.empty()) {
    std::vector<size_t> front, behind;
    for (size_t row : rest)
      (llvm::any_of(rest, [&](size_t other) { return dominates(objectives[other], objectives[row]); })
           ? behind
           : front)
          .push_back(row);
    const std::vector<double> distances = crowdingDistances(objectives, front);
    std::vector<size_t> order(front.size());
    for (size_t i = 0; i < order.size(); ++i)
      order[i] = i;
    llvm::sort(order,
               [&](size_t a, size_t b) { return std::pair(-distances[a], a) < std::pair(-distances[b], b); });
    for (size_t i : order)
      take(front[i]);
    rest = std::move(behind);
  }
  llvm::sort(kept);
  return kept;
}

} // namespace vernier::driver
