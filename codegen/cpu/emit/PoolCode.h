// What the kernels of all pools share: names, and the windows' places in their input.
#ifndef VERNIER_CODEGEN_CPU_EMIT_POOLCODE_H
#define VERNIER_CODEGEN_CPU_EMIT_POOLCODE_H

#include "codegen/cpu/emit/MapLoops.h"

namespace vernier::codegen {

inline std::string poolName(const char *what, const PoolProblem &s) {
  std::string name = std::string(what) + std::to_string(s.kernel[0]) + "x" + std::to_string(s.kernel[1]) +
                     "_s" + std::to_string(s.stride[0]) + "x" + std::to_string(s.stride[1]) + "_p";
  for (int64_t p : s.padding)
    name += std::to_string(p) + "_";
  return name + (s.countPadding ? "counted_" : "") + s.in.name() + "_to_" + s.out.name();
}

// The rows (or columns) [lower, upper) of the input that window `o` covers.
struct Window {
  Value start, lower, upper;
};
inline Window window(KernelBuilder &k, Value o, int64_t stride, int64_t padding, int64_t kernel,
                     int64_t extent) {
  Value start = k.add(k.mul(o, stride), -padding);
  return {start, k.max(start, k.index(0)), k.min(k.add(start, kernel), k.index(extent))};
}

inline bool alwaysInside(const PoolProblem &s) {
  return s.padding[0] == 0 && s.padding[2] == 0 && (s.out.h - 1) * s.stride[0] + s.kernel[0] <= s.in.h &&
         (s.out.w - 1) * s.stride[1] + s.kernel[1] <= s.in.w;
}

} // namespace vernier::codegen

#endif
