#include "runtime/core/Closest.h"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace vernier::runtime {

static size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t(0));
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const bool same = std::tolower((unsigned char)a[i]) == std::tolower((unsigned char)b[j]);
      const size_t replaced = diagonal + (same ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
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
