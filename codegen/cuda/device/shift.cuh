// Padding, cropping, and the gradient of a border that was replicated.
#ifndef VERNIER_CUDA_DEVICE_SHIFT_CUH
#define VERNIER_CUDA_DEVICE_SHIFT_CUH

#include "long_sum.cuh"
#include "map_threads.cuh"

namespace vn {

// As codegen/program/Problems.h has it: `in` in `out`, shifted by (top, left); pixels outside are zero or
// replicate the border, negative shifts crop.
struct Shift {
  Map in, out;
  int top = 0, left = 0;
  bool replicate = false;

  VN_CONSTANT int vector() const { return vector_of_all(in, out); }
};

constexpr Launch launch_of(const Shift &s, Stream stream = {}) {
  return launch_over(s.out, s.vector(), 1, stream);
}

template <Shift s>
VN_DEVICE void shift(Global<const Number<s.in.element>> in, Global<Number<s.out.element>> out) {
  static_assert(s.in.n == s.out.n && s.in.c == s.out.c, "a shift keeps images and channels");
  static_assert(s.in.elements() < (1ll << 31), "places are counted in int");
  constexpr int vector = s.vector();
  const VectorPlace place = vector_place<s.out, vector>();
  if (place.valid <= 0)
    return;
  int y = place.y - s.top, x = place.x - s.left;
  float values[vector] = {};
  if (s.replicate || (y >= 0 && y < s.in.h && x >= 0 && x < s.in.w)) {
    y = y < 0 ? 0 : y < s.in.h ? y : s.in.h - 1;
    x = x < 0 ? 0 : x < s.in.w ? x : s.in.w - 1;
    load_floats(values, in + (((place.n * s.in.h + y) * s.in.w + x) * s.in.pixel + place.channel),
                place.valid);
  }
  store_floats(out + place.in<s.out>(), values, place.valid);
}

// Of what was shifted by (top, left), its border replicated: pixels at the border add up all that they were
// copied to.
struct ReplicateGradient {
  Map dy, dx;
  int top = 0, left = 0;

  VN_CONSTANT int vector() const { return vector_of_all(dy, dx); }
  VN_CONSTANT int terms() const {
    const int rows = dy.h > dx.h ? dy.h - dx.h + 1 : dy.h, columns = dy.w > dx.w ? dy.w - dx.w + 1 : dy.w;
    return rows * columns;
  }
};

constexpr Launch launch_of(const ReplicateGradient &g, Stream stream = {}) {
  return launch_over(g.dx, g.vector(), 1, stream);
}

// Results [begin, end) of an axis that are copies of `position`.
struct Copies {
  int begin, end;
};
VN_DEVICE Copies copies_of(int position, int size, int shift, int results) {
  const int begin = position == 0 ? 0 : position + shift,
            end = position == size - 1 ? results : position + shift + 1;
  return {begin < 0 ? 0 : begin, end > results ? results : end};
}

template <ReplicateGradient g>
VN_DEVICE void replicate_gradient(Global<const Number<g.dy.element>> dy, Global<Number<g.dx.element>> dx) {
  static_assert(g.dy.n == g.dx.n && g.dy.c == g.dx.c, "a shift keeps images and channels");
  static_assert(g.dy.elements() < (1ll << 31), "places are counted in int");
  constexpr int vector = g.vector();
  const VectorPlace place = vector_place<g.dx, vector>();
  if (place.valid <= 0)
    return;
  const Copies rows = copies_of(place.y, g.dx.h, g.top, g.dy.h),
               columns = copies_of(place.x, g.dx.w, g.left, g.dy.w);
  LongSum<vector, (g.terms() > most_terms_in_float)> sum;
  for (int y = rows.begin; y < rows.end; ++y)
    for (int x = columns.begin; x < columns.end; ++x) {
      float values[vector];
      load_floats(values, dy + (((place.n * g.dy.h + y) * g.dy.w + x) * g.dy.pixel + place.channel),
                  place.valid);
      sum.add(values);
    }
  float result[vector];
  sum.finish(result);
  store_floats(dx + place.in<g.dx>(), result, place.valid);
}

} // namespace vn

#endif
