// Maxima and averages over windows.
#ifndef VERNIER_CUDA_DEVICE_POOL_CUH
#define VERNIER_CUDA_DEVICE_POOL_CUH

#include "long_sum.cuh"
#include "map_threads.cuh"

#include <math.h>

namespace vn {

enum class PoolKind { Max, Average };

struct Border {
  int top = 0, bottom = 0, left = 0, right = 0;
};

// As codegen/program/Problems.h has it.
struct Pool {
  Map in, out;
  Pair kernel = {1, 1}, stride = {1, 1};
  Border padding = {};
  PoolKind kind = PoolKind::Max;
  bool count_padding = true; // in averages

  VN_CONSTANT int taps() const { return kernel.y * kernel.x; }
  // Whether no window reaches out of the map.
  VN_CONSTANT bool always_inside() const {
    return padding.top == 0 && padding.left == 0 && (out.h - 1) * stride.y + kernel.y <= in.h &&
           (out.w - 1) * stride.x + kernel.x <= in.w;
  }
  VN_CONSTANT int vector() const { return vector_of_all(in, out); }
  // Of a window so many are on their way together: those of a small one, else of a row.
  VN_CONSTANT int taps_together() const {
    return taps() <= 9 ? taps() : share() == 1 && kernel.x <= 8 ? kernel.x : 1;
  }
  VN_CONSTANT int share() const { return share_of(vectors_of(out, vector()), taps()); }
};

constexpr Launch launch_of(const Pool &p, Stream stream = {}) {
  return launch_over(p.out, p.vector(), p.share(), stream);
}

// How many positions along an axis the average of window `o` counts.
VN_CONSTANT int counted(int o, int kernel, int stride, int before, int after, int size, bool count_padding) {
  int begin = o * stride - before, end = begin + kernel;
  const int last = count_padding ? size + after : size;
  if (!count_padding && begin < 0)
    begin = 0;
  if (end > last)
    end = last;
  return end - begin;
}
template <Pool p> VN_DEVICE float counted_pixels(int oy, int ox) {
  if constexpr (p.always_inside())
    return float(p.taps());
  else
    return float(
        counted(oy, p.kernel.y, p.stride.y, p.padding.top, p.padding.bottom, p.in.h, p.count_padding) *
        counted(ox, p.kernel.x, p.stride.x, p.padding.left, p.padding.right, p.in.w, p.count_padding));
}

// NaN, if one of them is.
VN_DEVICE float maximum(float a, float b) { return b > a || b != b ? b : a; }

template <Pool p>
VN_DEVICE void pool(Global<const Number<p.in.element>> in, Global<Number<p.out.element>> out) {
  static_assert(p.in.n == p.out.n && p.in.c == p.out.c, "a pool keeps images and channels");
  static_assert(p.in.elements() < (1ll << 31), "places are counted in int");
  constexpr int vector = p.vector(), share = p.share();
  const VectorPlace place = vector_place<p.out, vector, share>();
  if (share == 1 && place.valid <= 0)
    return;
  const int top = place.y * p.stride.y - p.padding.top, left = place.x * p.stride.x - p.padding.left;
  const auto over_window = [&](auto body) {
    constexpr int together = p.taps_together();
    if (place.valid > 0)
      for (int first = place.member; first < p.taps(); first += share * together) {
        Loaded<Number<p.in.element>, vector> loaded[together];
        bool inside[together];
        VN_UNROLL
        for (int i = 0; i < together; ++i) {
          const int tap = first + i * share, y = top + tap / p.kernel.x, x = left + tap % p.kernel.x;
          inside[i] = p.always_inside() || (y >= 0 && y < p.in.h && x >= 0 && x < p.in.w);
          if (inside[i])
            loaded[i] = load_channels<vector, p.in.c>(
                in + (((place.n * p.in.h + y) * p.in.w + x) * p.in.pixel + place.channel), place.valid);
        }
        VN_UNROLL
        for (int i = 0; i < together; ++i)
          if (inside[i]) {
            float values[vector];
            VN_UNROLL
            for (int k = 0; k < vector; ++k)
              values[k] = loaded[i][k];
            body(values);
          }
      }
  };
  float result[vector];
  if constexpr (p.kind == PoolKind::Max) {
    VN_UNROLL
    for (int i = 0; i < vector; ++i)
      result[i] = -INFINITY;
    over_window([&](const float(&values)[vector]) {
      VN_UNROLL
      for (int i = 0; i < vector; ++i)
        result[i] = maximum(result[i], values[i]);
    });
    combine_members<share>(result, [](float a, float b) { return maximum(a, b); });
  } else {
    constexpr bool wide = p.taps() > most_terms_in_float;
    LongSum<vector, wide> sum;
    over_window([&](const float(&values)[vector]) { sum.add(values); });
    std::conditional_t<wide, double, float> sums[vector];
    sum.finish(sums);
    combine_members<share>(sums, [](double a, double b) { return a + b; });
    const float count = counted_pixels<p>(place.y, place.x);
    VN_UNROLL
    for (int i = 0; i < vector; ++i)
      result[i] = float(sums[i] / count);
  }
  if (place.valid > 0 && place.member == 0)
    store_floats(out + place.in<p.out>(), result, place.valid);
}

} // namespace vn

#endif
