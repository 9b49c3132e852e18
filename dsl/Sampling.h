// Which pixels a resize reads, per axis: PyTorch's interpolate without recompute_scale_factor. The front end
// and the compiler's passes ask here; the interpreter has formulas of its own, which the tests compare.
#ifndef VERNIER_DSL_SAMPLING_H
#define VERNIER_DSL_SAMPLING_H

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace vernier::dsl {

// From one result position to the next, in input positions. `scale` is the factor that was given, from which
// the size was rounded down; 0 where the size itself was given. A size that stays is a copy, whatever the
// factor.
inline double samplingStep(int64_t in, int64_t out, double scale) {
  return scale > 0 && in != out ? 1.0 / scale : static_cast<double>(in) / static_cast<double>(out);
}

// The same as `nearest` takes it: in float32, whose rounding decides which of two pixels is read. A size that
// doubles repeats each pixel, whatever the factor.
inline float nearestStep(int64_t in, int64_t out, double scale) {
  return scale > 0 && in != out && 2 * in != out ? static_cast<float>(1.0 / scale)
                                                 : static_cast<float>(in) / static_cast<float>(out);
}

// The input position that result position i of `nearest` reads.
inline int64_t nearestSource(int64_t i, int64_t in, int64_t out, double scale) {
  const float position = static_cast<float>(i) * nearestStep(in, out, scale);
  return std::min(static_cast<int64_t>(std::floor(position)), in - 1);
}

// Whether `nearest` repeats each position equally often: result position i reads i / (out / in). A whole
// factor is not enough: float32 takes 2 positions to 82 as 42 and 40.
inline bool repeatsEqually(int64_t in, int64_t out, double scale) {
  if (out % in != 0)
    return false;
  for (int64_t i = 0; i < out; ++i)
    if (nearestSource(i, in, out, scale) != i / (out / in))
      return false;
  return true;
}

// Whether a factor samples where the sizes alone would, as float32 sees it.
inline bool samplesAsSizesDo(bool nearest, int64_t in, int64_t out, double scale) {
  const auto bilinearStep = [&](double by) { return static_cast<float>(samplingStep(in, out, by)); };
  return nearest ? nearestStep(in, out, scale) == nearestStep(in, out, 0)
                 : bilinearStep(scale) == bilinearStep(0);
}

} // namespace vernier::dsl

#endif
