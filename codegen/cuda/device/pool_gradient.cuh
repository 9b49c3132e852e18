// Gradients of pools: each element gathers from the windows that cover it.
#ifndef VERNIER_CUDA_DEVICE_POOL_GRADIENT_CUH
#define VERNIER_CUDA_DEVICE_POOL_GRADIENT_CUH

#include "epilogue.cuh"
#include "pool.cuh"

namespace vn {

// As codegen/program/Problems.h has it. The epilogue, of a max pool, has addends and a mask, no sums.
struct PoolGradient {
  Pool pool;
  Map dy, dx;
  Epilogue epilogue = {};

  VN_CONSTANT int vector() const {
    if (pool.kind == PoolKind::Average)
      return vector_of_all(dy, dx);
    const int maps = vector_of_all(pool.in, pool.out, dy), result = vector_of(dx, epilogue, 0);
    return maps < result ? maps : result;
  }
  // The most windows that cover an element.
  VN_CONSTANT int terms() const {
    const int rows = ceil_div(pool.kernel.y, pool.stride.y), columns = ceil_div(pool.kernel.x, pool.stride.x);
    return (rows < pool.out.h ? rows : pool.out.h) * (columns < pool.out.w ? columns : pool.out.w);
  }
};

// Whether each element is of one window, and these are so small that a thread keeps one.
VN_CONSTANT bool by_windows(const PoolGradient &g) {
  const Pool &p = g.pool;
  return p.kind == PoolKind::Max && p.stride.y == p.kernel.y && p.stride.x == p.kernel.x &&
         p.padding.top == 0 && p.padding.left == 0 && p.out.h * p.kernel.y == p.in.h &&
         p.out.w * p.kernel.x == p.in.w && p.taps() <= 16;
}

constexpr Launch launch_of(const PoolGradient &g, Stream stream = {}) {
  return launch_over(by_windows(g) ? g.pool.out : g.dx, g.vector(), 1, stream);
}

// Windows [begin, end) of an axis that cover a position.
struct Windows {
  int begin, end;
};
VN_DEVICE Windows windows_over(int position, int kernel, int stride, int before, int windows) {
  const int past_first = position + before - kernel + 1, end = (position + before) / stride + 1;
  return {past_first > 0 ? ceil_div(past_first, stride) : 0, end < windows ? end : windows};
}

// Calls body(oy, ox) for the windows of a pool that cover pixel (y, x).
template <Pool p, class Body> VN_DEVICE void over_windows(int y, int x, Body body) {
  const Windows rows = windows_over(y, p.kernel.y, p.stride.y, p.padding.top, p.out.h),
                columns = windows_over(x, p.kernel.x, p.stride.x, p.padding.left, p.out.w);
  for (int oy = rows.begin; oy < rows.end; ++oy)
    for (int ox = columns.begin; ox < columns.end; ++ox)
      body(oy, ox);
}

template <PoolGradient g>
VN_DEVICE void average_pool_gradient(Global<const Number<g.dy.element>> dy, Global<Number<g.dx.element>> dx) {
  constexpr Pool p = g.pool;
  static_assert(p.kind == PoolKind::Average && g.epilogue.addends == 0 &&
                    g.epilogue.masked == Activation::None,
                "a gradient of an average has no epilogue");
  static_assert(g.dy.elements() < (1ll << 31), "places are counted in int");
  constexpr int vector = g.vector();
  const VectorPlace place = vector_place<g.dx, vector>();
  if (place.valid <= 0)
    return;
  LongSum<vector, (g.terms() > most_terms_in_float)> sum;
  over_windows<p>(place.y, place.x, [&](int oy, int ox) {
    float values[vector];
    load_floats(values, dy + (((place.n * g.dy.h + oy) * g.dy.w + ox) * g.dy.pixel + place.channel),
                place.valid);
    const float factor = 1.0f / counted_pixels<p>(oy, ox);
    VN_UNROLL
    for (int i = 0; i < vector; ++i)
      values[i] *= factor;
    sum.add(values);
  });
  float result[vector];
  sum.finish(result);
  store_floats(dx + place.in<g.dx>(), result, place.valid);
}

// Where in a window an element's place is taken by another, takes[i] becomes false. The maximum is the first
// of equal elements, or the last of several NaN.
template <PoolGradient g, int vector>
VN_DEVICE void yield_to_others(bool (&takes)[vector], const float (&best)[vector],
                               Global<const Number<g.pool.in.element>> in, const VectorPlace &place, int oy,
                               int ox) {
  constexpr Pool p = g.pool;
  const int top = oy * p.stride.y - p.padding.top, left = ox * p.stride.x - p.padding.left;
  bool later = false; // whether those matter that follow
  VN_UNROLL
  for (int i = 0; i < vector; ++i)
    later = later || (takes[i] && best[i] != best[i]);
  const int first_row = top > 0 ? top : 0, end = top + p.kernel.y < p.in.h ? top + p.kernel.y : p.in.h,
            end_row = later ? end : place.y + 1;
  const int first_column = left > 0 ? left : 0,
            end_column = left + p.kernel.x < p.in.w ? left + p.kernel.x : p.in.w;
  bool any = true;
  for (int y = first_row; y < end_row && any; ++y) {
    for (int x = first_column; x < end_column; ++x) {
      if (y == place.y && x == place.x)
        continue;
      const bool before = y < place.y || (y == place.y && x < place.x);
      float other[vector];
      load_floats(other, in + (((place.n * p.in.h + y) * p.in.w + x) * p.in.pixel + place.channel),
                  place.valid);
      VN_UNROLL
      for (int i = 0; i < vector; ++i)
        takes[i] = takes[i] && !(before ? other[i] == best[i] : other[i] != other[i]);
    }
    any = false;
    VN_UNROLL
    for (int i = 0; i < vector; ++i)
      any = any || takes[i];
  }
}

// A thread has a vector of a window: where its maximum is gets the gradient, the others nothing.
template <PoolGradient g>
VN_DEVICE void max_pool_gradient_by_windows(Global<const Number<g.pool.in.element>> in,
                                            Global<const Number<g.dy.element>> dy,
                                            Global<Number<g.dx.element>> dx,
                                            const EpilogueOperands &operands) {
  constexpr Pool p = g.pool;
  constexpr int vector = g.vector(), taps = p.taps(), rows = p.kernel.y, columns = p.kernel.x;
  const VectorPlace place = vector_place<p.out, vector>();
  if (place.valid <= 0)
    return;
  const int top = place.y * rows, left = place.x * columns;
  Loaded<Number<p.in.element>, vector> window[taps];
  VN_UNROLL
  for (int tap = 0; tap < taps; ++tap)
    window[tap] = load_channels<vector, p.in.c>(
        in + (((place.n * p.in.h + top + tap / columns) * p.in.w + left + tap % columns) * p.in.pixel +
              place.channel),
        place.valid);
  const Loaded<Number<g.dy.element>, vector> gradient =
      load_channels<vector, p.in.c>(dy + (place.in<g.dy>()), place.valid);
  float best[vector];
  int winner[vector] = {};
  VN_UNROLL
  for (int i = 0; i < vector; ++i) {
    best[i] = window[0][i];
    VN_UNROLL
    for (int tap = 1; tap < taps; ++tap) {
      const float value = window[tap][i];
      if (value > best[i] || value != value) {
        best[i] = value;
        winner[i] = tap;
      }
    }
  }
  VN_UNROLL
  for (int row = 0; row < rows; ++row) {
    float results[columns][vector]; // a row at a time: stores would keep the loads behind them
    VN_UNROLL
    for (int column = 0; column < columns; ++column) {
      VN_UNROLL
      for (int i = 0; i < vector; ++i)
        results[column][i] = winner[i] == row * columns + column ? gradient[i] : 0.0f;
      apply<g.epilogue>(results[column], operands, place.n, top + row, left + column, place.channel,
                        place.valid);
    }
    VN_UNROLL
    for (int column = 0; column < columns; ++column)
      store_floats(
          dx + (((place.n * g.dx.h + top + row) * g.dx.w + left + column) * g.dx.pixel + place.channel),
          results[column], place.valid);
  }
}

// in and out are the pool's, dy the gradient of out; `operands` those of the epilogue.
template <PoolGradient g>
VN_DEVICE void max_pool_gradient(Global<const Number<g.pool.in.element>> in,
                                 Global<const Number<g.pool.out.element>> out,
                                 Global<const Number<g.dy.element>> dy, Global<Number<g.dx.element>> dx,
                                 const EpilogueOperands &operands = {}) {
  constexpr Pool p = g.pool;
  static_assert(p.kind == PoolKind::Max && p.in.element == p.out.element,
                "a maximum is one of its window's elements, not rounded");
  static_assert(g.epilogue.sums == Sums::None, "no sums");
  static_assert(p.in.elements() < (1ll << 31) && p.out.elements() < (1ll << 31) &&
                    g.dy.elements() < (1ll << 31),
                "places are counted in int");
  if constexpr (by_windows(g)) {
    max_pool_gradient_by_windows<g>(in, dy, dx, operands);
    return;
  }
  constexpr int vector = g.vector();
  const VectorPlace place = vector_place<g.dx, vector>();
  if (place.valid <= 0)
    return;
  float here[vector];
  load_floats(here, in + place.in<p.in>(), place.valid);
  LongSum<vector, (g.terms() > most_terms_in_float)> sum;
  over_windows<p>(place.y, place.x, [&](int oy, int ox) {
    float best[vector];
    const int window = (place.n * p.out.h + oy) * p.out.w + ox;
    load_floats(best, out + (window * p.out.pixel + place.channel), place.valid);
    bool takes[vector], any = false;
    VN_UNROLL
    for (int i = 0; i < vector; ++i) {
      takes[i] = i < place.valid && (here[i] == best[i] || (here[i] != here[i] && best[i] != best[i]));
      any = any || takes[i];
    }
    if (!any)
      return;
    yield_to_others<g>(takes, best, in, place, oy, ox);
    float gradient[vector];
    load_floats(gradient, dy + (window * g.dy.pixel + place.channel), place.valid);
    VN_UNROLL
    for (int i = 0; i < vector; ++i)
      gradient[i] = takes[i] ? gradient[i] : 0.0f;
    sum.add(gradient);
  });
  float result[vector];
  sum.finish(result);
  apply<g.epilogue>(result, operands, place.n, place.y, place.x, place.channel, place.valid);
  store_floats(dx + place.in<g.dx>(), result, place.valid);
}

} // namespace vn

#endif
