// The name that was probably meant.
#ifndef VERNIER_RUNTIME_CORE_CLOSEST_H
#define VERNIER_RUNTIME_CORE_CLOSEST_H

#include <string>
#include <string_view>
#include <vector>

namespace vernier::runtime {

/// The candidate with the smallest edit distance to `name`, ignoring case; empty where that exceeds a third
/// of the name's length, since far-off suggestions only confuse.
std::string closestName(std::string_view name, const std::vector<std::string> &candidates);

} // namespace vernier::runtime

#endif
