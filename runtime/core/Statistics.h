// Of several measurements.
#ifndef VERNIER_RUNTIME_CORE_STATISTICS_H
#define VERNIER_RUNTIME_CORE_STATISTICS_H

#include <algorithm>
#include <cstddef>
#include <vector>

namespace vernier::runtime {

/// The one in the middle, or the mean of the two; there is at least one.
inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

} // namespace vernier::runtime

#endif
