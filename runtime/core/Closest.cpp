#include "runtime/core/Closest.h"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace vernier::runtime {

// Two letters that changed places are one mistake.
static size_t editDistance(std::string_view a, std::string_view b) {
  const auto same = [&](size_t i, size_t j) {
    return std::tolower((unsigned char)a[i]) == std::tolower((unsigned char)b[j]);
  };
  std::vector<size_t> before, above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), size_t(0));
  for (size_t i = 0; i < a.size(); ++i) {
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      row[j + 1] = std::min({above[j] + (same(i, j) ? 0 : 1), row[j] + 1, above[j + 1] + 1});
      if (i > 0 && j > 0 && same(i, j - 1) && same(i - 1, j))
        row[j + 1] = std::min(row[j + 1], before[j - 1] + 1);
    }
    before = above;
    std::swap(above, row);
  }
  return above[b.size()];
}

std::string closestName(std::string_view name, const std::vector<std::string> &candidates) {
  std::string best;
  size_t bestDistance = name.size() < 64 ? std::max<size_t>(name.size(), 3) / 3 + 1 : 0;
  for (const std::string &candidate : candidates)
    if (const size_t distance = editDistance(name, candidate); distance < bestDistance)
      best = candidate, bestDistance = distance;
  return best;
}

} // namespace vernier::runtime
