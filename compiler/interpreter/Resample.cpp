// Separable resampling, position by position from the definition.
#include "compiler/interpreter/Kernels.h"

#include <algorithm>
#include <cmath>

namespace vernier::interpreter {
namespace {

using dsl::Resampling;

// Position `from` counts in result `to`.
struct Tap {
  int64_t from, to;
  double weight;
};

// By Horner's rule, as the tables of kernels have it: what is 0 there and times infinity NaN is so here, too.
double keys(double a, double distance) {
  const double x = std::abs(distance);
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

void windowTaps(std::vector<Tap> &taps, int64_t to, int64_t in, int64_t out) {
  std::vector<int64_t> window;
  for (int64_t from = 0; from < in; ++from)
    if ((from + 1) * out > to * in && from * out < (to + 1) * in) // the two intervals meet
      window.push_back(from);
  for (int64_t from : window)
    taps.push_back({from, to, 1.0 / static_cast<double>(window.size())});
}

void cubicTaps(std::vector<Tap> &taps, int64_t to, int64_t in, double centre) {
  const int64_t low = static_cast<int64_t>(std::floor(centre));
  const int64_t first = std::clamp<int64_t>(low - 1, 0, in - 1);
  const int64_t last = std::clamp<int64_t>(low + 2, 0, in - 1);
  for (int64_t from = first; from <= last; ++from) {
    double weight = 0;
    for (int64_t k = low - 1; k <= low + 2; ++k) // what lies outside has the border's value
      if (std::clamp<int64_t>(k, 0, in - 1) == from)
        weight += keys(-0.75, centre - static_cast<double>(k));
    taps.push_back({from, to, weight});
  }
}

void filterTaps(std::vector<Tap> &taps, int64_t to, int64_t in, double step, bool cubic) {
  const double stretch = step > 1 ? step : 1, support = cubic ? 2 * stretch : stretch;
  const double centre = (static_cast<double>(to) + 0.5) * step;
  const size_t before = taps.size();
  double sum = 0;
  for (int64_t from = 0; from < in; ++from) {
    const double at = static_cast<double>(from);
    if (at < std::floor(centre - support + 0.5) || at >= std::floor(centre + support + 0.5))
      continue;
    const double x = (at + 0.5 - centre) / stretch;
    const double weight = cubic ? keys(-0.5, x) : std::max(0.0, 1 - std::abs(x));
    taps.push_back({from, to, weight});
    sum += weight;
  }
  for (size_t k = before; k < taps.size(); ++k)
    taps[k].weight /= sum;
}

std::vector<Tap> tapsOf(int64_t in, int64_t out, Resampling kind, bool alignCorners, double scale) {
  std::vector<Tap> taps;
  const double step = scale > 0 ? 1 / scale : static_cast<double>(in) / static_cast<double>(out);
  for (int64_t to = 0; to < out; ++to) {
    const double middle = static_cast<double>(to) + 0.5;
    if (in == out) {
      taps.push_back({to, to, 1});
    } else if (kind == Resampling::AdaptiveAverage) {
      windowTaps(taps, to, in, out);
    } else if (kind == Resampling::NearestExact) {
      // Rounded to float32: it decides which position is taken.
      const float rounded =
          scale > 0 ? static_cast<float>(1 / scale) : static_cast<float>(in) / static_cast<float>(out);
      const float at = static_cast<float>(middle) * rounded;
      taps.push_back({std::min(static_cast<int64_t>(at), in - 1), to, 1});
    } else if (kind == Resampling::Bicubic) {
      const double aligned =
          out > 1 ? static_cast<double>(to) * static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
      cubicTaps(taps, to, in, alignCorners ? aligned : middle * step - 0.5);
    } else {
      filterTaps(taps, to, in, step, kind == Resampling::BicubicAntialias);
    }
  }
  return taps;
}

// y += the taps' sums of x, or with `transposed` x += those of y.
void addTaps(const std::vector<Tap> &rows, const std::vector<Tap> &columns, const Tensor &from, Tensor &to,
             bool transposed) {
#pragma omp parallel for schedule(static)
  for (int64_t n = 0; n < from.batch(); ++n)
    for (const Tap &row : rows)
      for (const Tap &column : columns) {
        const double *in =
            transposed ? from.pixel(n, row.to, column.to) : from.pixel(n, row.from, column.from);
        double *out = transposed ? to.pixel(n, row.from, column.from) : to.pixel(n, row.to, column.to);
        for (int64_t c = 0; c < from.channels(); ++c)
          out[c] += row.weight * column.weight * in[c];
      }
}

} // namespace

Tensor resample(const Tensor &x, int64_t height, int64_t width, Resampling kind, bool alignCorners,
                double scale) {
  Tensor y({x.batch(), height, width, x.channels()});
  addTaps(tapsOf(x.height(), height, kind, alignCorners, scale),
          tapsOf(x.width(), width, kind, alignCorners, scale), x, y, false);
  return y;
}

Tensor resampleGrad(const Tensor &dy, const std::vector<int64_t> &inputShape, Resampling kind,
                    bool alignCorners, double scale) {
  Tensor dx(inputShape);
  addTaps(tapsOf(dx.height(), dy.height(), kind, alignCorners, scale),
          tapsOf(dx.width(), dy.width(), kind, alignCorners, scale), dy, dx, true);
  return dx;
}

} // namespace vernier::interpreter
