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

// Pixels of a window along an axis that an average counts: with padding the part inside the padded map. A
// window counts the product of both axes.
inline Value countAlong(KernelBuilder &k, const PoolProblem &s, int axis, const Window &w) {
  if (!s.countPadding)
    return k.sub(w.upper, w.lower);
  const int64_t extent = axis == 0 ? s.in.h : s.in.w;
  return k.sub(k.min(k.add(w.start, s.kernel[axis]), k.index(extent + s.padding[2 * axis + 1])), w.start);
}

inline bool alwaysInside(const PoolProblem &s) {
  return s.padding[0] == 0 && s.padding[2] == 0 && (s.out.h - 1) * s.stride[0] + s.kernel[0] <= s.in.h &&
         (s.out.w - 1) * s.stride[1] + s.kernel[1] <= s.in.w;
}

// The lines of a map along an axis (1: rows, 0: columns): the axis' extent and step in elements, and the
// numbers that lie side by side in all of its places.
struct Lines {
  int64_t images, count; // count: lines beside each other in an image that are no run
  int64_t imageStep, lineStep;
  int64_t extent, step;
  int64_t elements;
};

// Where line `line` of image `image` begins.
inline Value startOf(KernelBuilder &k, const Lines &lines, Value image, Value line) {
  return k.add(k.mul(image, lines.imageStep), k.mul(line, lines.lineStep));
}

// Whether the numbers of a whole row are one run of each column's kernel.
inline bool wholeRows(const View &a, const View &b) { return a.dense() && b.dense(); }

inline Lines linesOf(const View &view, int axis, bool rows) {
  if (axis == 1)
    return {view.n, view.h, view.image(), view.row(), view.w, view.pixel, view.c};
  if (rows)
    return {view.n, 1, view.image(), 0, view.h, view.row(), view.w * view.c};
  return {view.n, view.w, view.image(), view.pixel, view.h, view.row(), view.c};
}

} // namespace vernier::codegen

#endif
