// Sums that keep float32's precision whatever their length.
#ifndef VERNIER_CUDA_DEVICE_LONG_SUM_CUH
#define VERNIER_CUDA_DEVICE_LONG_SUM_CUH

#include "platform.cuh"

namespace vn {

constexpr int most_terms_in_float = 64;

// Of vectors of `count` numbers: in float or, where there may be more than 64 of them, float sums of 64 added
// in double.
template <int count, bool wide> struct LongSum {
  float part[count] = {};
  double total[wide ? count : 1] = {};
  int terms = 0; // in `part`

  VN_DEVICE void add(const float (&values)[count]) {
    VN_UNROLL
    for (int i = 0; i < count; ++i)
      part[i] += values[i];
    if constexpr (wide)
      if (++terms == most_terms_in_float)
        widen();
  }
  // All that was added; nothing is added later.
  VN_DEVICE void finish(double (&sums)[count]) {
    if constexpr (wide)
      widen();
    VN_UNROLL
    for (int i = 0; i < count; ++i)
      sums[i] = wide ? total[wide ? i : 0] : double(part[i]);
  }
  VN_DEVICE void finish(float (&sums)[count]) {
    if constexpr (wide)
      widen();
    VN_UNROLL
    for (int i = 0; i < count; ++i)
      sums[i] = wide ? float(total[wide ? i : 0]) : part[i];
  }

private:
  VN_DEVICE void widen() {
    VN_UNROLL
    for (int i = 0; i < count; ++i) {
      total[i] += double(part[i]);
      part[i] = 0;
    }
    terms = 0;
  }
};

} // namespace vn

#endif
