#ifndef VERNIER_RUNTIME_CORE_STEPRANGE_H
#define VERNIER_RUNTIME_CORE_STEPRANGE_H

#include <cstdint>

namespace vernier::runtime {

/// Steps [begin, end) of a program.
struct StepRange {
  int64_t begin = 0, end = 0;
};

} // namespace vernier::runtime

#endif
