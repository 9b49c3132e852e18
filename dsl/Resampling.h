// Separable resampling: each position of an axis becomes a weighted sum of a run of positions. The compiler
// and its kernels ask here; the interpreter has formulas of its own, which the tests compare.
#ifndef VERNIER_DSL_RESAMPLING_H
#define VERNIER_DSL_RESAMPLING_H

#include "dsl/Sampling.h"

#include <cstddef>
#include <vector>

namespace vernier::dsl {

enum class Resampling { AdaptiveAverage, NearestExact, Bicubic, BilinearAntialias, BicubicAntialias };

inline const char *nameOf(Resampling kind) {
  static constexpr const char *names[] = {"adaptive_average", "nearest_exact", "bicubic",
                                          "bilinear_antialias", "bicubic_antialias"};
  return names[size_t(kind)];
}

// How an axis is sampled.
struct ResamplingAxis {
  Resampling kind;
  int64_t in, out;
  bool alignCorners = false;
  double scale = 0; // as samplingStep() takes it
};

// A result is the sum of the positions from `begin` on, each times its weight.
struct ResamplingRun {
  int64_t begin = 0;
  std::vector<double> weights{};
  bool operator==(const ResamplingRun &) const = default;
};

namespace detail {

// Keys' cubic convolution, of a distance.
inline double cubicKernel(double a, double x) {
  x = std::abs(x);
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

inline ResamplingRun adaptiveRun(const ResamplingAxis &axis, int64_t i) {
  const int64_t begin = i * axis.in / axis.out, end = ((i + 1) * axis.in + axis.out - 1) / axis.out;
  return {begin, std::vector<double>(size_t(end - begin), 1.0 / double(end - begin))};
}

// In float32, as PyTorch: its rounding decides which of two positions is read.
inline ResamplingRun nearestExactRun(const ResamplingAxis &axis, int64_t i) {
  const float step = axis.scale > 0 ? float(1 / axis.scale) : float(axis.in) / float(axis.out);
  return {std::min(int64_t(std::floor((float(i) + 0.5f) * step)), axis.in - 1), {1.0}};
}

inline ResamplingRun bicubicRun(const ResamplingAxis &axis, int64_t i) {
  const double centre = !axis.alignCorners
                            ? (double(i) + 0.5) * samplingStep(axis.in, axis.out, axis.scale) - 0.5
                        : axis.out > 1 ? double(i) * double(axis.in - 1) / double(axis.out - 1)
                                       : 0.0;
  const int64_t low = int64_t(std::floor(centre));
  const auto inside = [&](int64_t position) {
    return std::clamp<int64_t>(position, 0, axis.in - 1); // beyond the border is the border
  };
  ResamplingRun run{inside(low - 1)};
  run.weights.resize(size_t(inside(low + 2) - run.begin + 1));
  for (int64_t position = low - 1; position <= low + 2; ++position)
    run.weights[size_t(inside(position) - run.begin)] += cubicKernel(-0.75, centre - double(position));
  return run;
}

// The filter is as wide as `step` where the map becomes smaller; what lies outside has no weight.
inline ResamplingRun antialiasRun(const ResamplingAxis &axis, int64_t i) {
  const bool cubic = axis.kind == Resampling::BicubicAntialias;
  const double step = samplingStep(axis.in, axis.out, axis.scale), width = std::max(step, 1.0);
  const double centre = (double(i) + 0.5) * step, reach = (cubic ? 2 : 1) * width;
  const int64_t begin = std::max<int64_t>(int64_t(centre - reach + 0.5), 0);
  const int64_t end = std::min(int64_t(centre + reach + 0.5), axis.in);
  ResamplingRun run{begin};
  double sum = 0;
  for (int64_t position = begin; position < end; ++position) {
    const double distance = (double(position) + 0.5 - centre) / width;
    run.weights.push_back(cubic ? cubicKernel(-0.5, distance) : std::max(1 - std::abs(distance), 0.0));
    sum += run.weights.back();
  }
  for (double &weight : run.weights)
    weight /= sum;
  return run;
}

} // namespace detail

inline ResamplingRun resamplingRun(const ResamplingAxis &axis, int64_t i) {
  if (axis.in == axis.out)
    return {i, {1.0}};
  switch (axis.kind) {
  case Resampling::AdaptiveAverage:
    return detail::adaptiveRun(axis, i);
  case Resampling::NearestExact:
    return detail::nearestExactRun(axis, i);
  case Resampling::Bicubic:
    return detail::bicubicRun(axis, i);
  case Resampling::BilinearAntialias:
  case Resampling::BicubicAntialias:
    return detail::antialiasRun(axis, i);
  }
  return {};
}

// Of each result; `transposed`: of each position of the input what its gradient is the sum of.
inline std::vector<ResamplingRun> resamplingRuns(const ResamplingAxis &axis, bool transposed) {
  std::vector<ResamplingRun> runs(size_t(transposed ? axis.in : axis.out));
  for (int64_t i = 0; i < axis.out; ++i) {
    ResamplingRun run = resamplingRun(axis, i);
    if (!transposed) {
      runs[size_t(i)] = std::move(run);
      continue;
    }
    // Neither end of a run lies before the previous result's: those that read a position follow each other.
    for (size_t k = 0; k < run.weights.size(); ++k) {
      ResamplingRun &readers = runs[size_t(run.begin) + k];
      if (readers.weights.empty())
        readers.begin = i;
      readers.weights.push_back(run.weights[k]);
    }
  }
  return runs;
}

// The most positions that one run has.
inline int64_t longestRun(const std::vector<ResamplingRun> &runs) {
  size_t longest = 0;
  for (const ResamplingRun &run : runs)
    longest = std::max(longest, run.weights.size());
  return int64_t(longest);
}

} // namespace vernier::dsl

#endif
