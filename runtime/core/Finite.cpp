#include "runtime/core/Finite.h"

#include "runtime/core/Shape.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <vector>

namespace vernier::runtime {

bool allFinite(std::span<const float> values) {
  uint32_t bad = 0;
  for (float value : values)
    bad |= isNonFinite(value);
  return bad == 0;
}

NonFinite findNonFinite(std::span<const float> values) {
  NonFinite found{.elements = int64_t(values.size())};
  if (allFinite(values))
    return found;
  const auto bad = [](float value) { return !std::isfinite(value); };
  const auto first = std::ranges::find_if(values, bad);
  found.first = first - values.begin();
  found.value = *first;
  found.count = std::ranges::count_if(values, bad);
  return found;
}

std::string nonFiniteText(const NonFinite &found, std::span<const int64_t> shape) {
  std::vector<int64_t> place(shape.size());
  int64_t rest = found.first;
  for (size_t i = shape.size(); i-- > 0;) {
    place[i] = rest % shape[i];
    rest /= shape[i];
  }
  const std::string value = std::isnan(found.value) ? "nan" : found.value > 0 ? "inf" : "-inf";
  return fmt::format("{} at {}{}", value, shapeText(place),
                     found.elements == 1 ? ""
                     : found.count == 1
                         ? fmt::format(", the only one of {} elements", found.elements)
                         : fmt::format(", the first of {} among {} elements", found.count, found.elements));
}

} // namespace vernier::runtime
