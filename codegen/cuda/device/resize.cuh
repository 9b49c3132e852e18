// Nearest and bilinear resizing and its gradient. Positions follow PyTorch's interpolate.
#ifndef VERNIER_CUDA_DEVICE_RESIZE_CUH
#define VERNIER_CUDA_DEVICE_RESIZE_CUH

#include "long_sum.cuh"
#include "map_threads.cuh"

namespace vn {

// As codegen/program/Problems.h has it.
struct Resize {
  Map in, out;
  double scale = 0; // the factor that pixels are sampled by; 0: that of the sizes
  bool bilinear = false, align_corners = false;

  VN_CONSTANT int vector() const { return vector_of_all(in, out); }
};

constexpr Launch launch_of(const Resize &r, Stream stream = {}) {
  return launch_over(r.out, r.vector(), 1, stream);
}

// How an axis is sampled.
struct Axis {
  int in = 1, out = 1;
  double scale = 0;
  bool bilinear = false, align_corners = false;

  // Nearest: from one result to the next, in float, whose rounding decides which of two pixels is read. A
  // size that stays or doubles repeats each pixel, whatever the factor.
  VN_CONSTANT float nearest_step() const {
    return scale > 0 && in != out && 2 * in != out ? float(1 / scale) : float(in) / float(out);
  }
  // About how many positions of the input there are to one of the result; 0 where all results are one.
  VN_CONSTANT float step() const {
    if (!bilinear)
      return nearest_step();
    if (align_corners)
      return out > 1 ? float(in - 1) / float(out - 1) : 0.0f;
    return scale > 0 && in != out ? float(1 / scale) : float(in) / float(out);
  }
  // The most results that read one position.
  VN_CONSTANT int readers() const {
    const int most = (bilinear ? 2 : 1) * (ceil_div(out, in) + 1);
    return most < out ? most : out;
  }
};
VN_CONSTANT Axis rows_of(const Resize &r) { return {r.in.h, r.out.h, r.scale, r.bilinear, r.align_corners}; }
VN_CONSTANT Axis columns_of(const Resize &r) {
  return {r.in.w, r.out.w, r.scale, r.bilinear, r.align_corners};
}

// A result reads positions `low` and `high` with weights 1 - part and part.
struct Sample {
  int low, high;
  float part;
};

template <Axis axis> VN_DEVICE Sample sample(int result) {
  static_assert(axis.out < 1 << 24, "a position is a float");
  if constexpr (!axis.bilinear) {
    const int at = int(float(result) * axis.nearest_step());
    return {at < axis.in ? at : axis.in - 1, 0, 0.0f};
  } else if constexpr (axis.in == axis.out) {
    // No neighbour, whose infinity would count even with weight 0.
    return {result, result, 0.0f};
  } else if constexpr (axis.scale > 0 && !axis.align_corners) {
    // In double: a map's last positions keep their fraction's digits.
    constexpr double step = 1 / axis.scale;
    const double at = (result + 0.5) * step - 0.5, from = at > 0 ? at : 0;
    const int low = int(from) < axis.in ? int(from) : axis.in - 1;
    return {low, low + 1 < axis.in ? low + 1 : low, float(from - low)};
  } else {
    // In integers: positions are fractions of a known denominator.
    static_assert(2ll * axis.in * axis.out < 1ll << 31, "positions are counted in int");
    constexpr int denominator = !axis.align_corners ? 2 * axis.out : axis.out > 1 ? axis.out - 1 : 1;
    const int centre = (2 * result + 1) * axis.in - axis.out;
    const int numerator = axis.align_corners ? result * (axis.in - 1) : centre > 0 ? centre : 0;
    const int whole = numerator / denominator, low = whole < axis.in ? whole : axis.in - 1;
    return {low, low + 1 < axis.in ? low + 1 : low,
            float(numerator % denominator) * (1.0f / float(denominator))};
  }
}

template <Resize r>
VN_DEVICE void resize(Global<const Number<r.in.element>> in, Global<Number<r.out.element>> out) {
  static_assert(r.in.n == r.out.n && r.in.c == r.out.c, "a resize keeps images and channels");
  static_assert(r.in.elements() < (1ll << 31), "places are counted in int");
  constexpr int vector = r.vector();
  const VectorPlace place = vector_place<r.out, vector>();
  if (place.valid <= 0)
    return;
  const Sample row = sample<rows_of(r)>(place.y), column = sample<columns_of(r)>(place.x);
  const auto load = [&](float(&values)[vector], int y, int x) {
    load_floats(values, in + (((place.n * r.in.h + y) * r.in.w + x) * r.in.pixel + place.channel),
                place.valid);
  };
  float values[vector];
  load(values, row.low, column.low);
  if constexpr (r.bilinear) {
    float right[vector], below[vector], corner[vector];
    load(right, row.low, column.high);
    load(below, row.high, column.low);
    load(corner, row.high, column.high);
    VN_UNROLL
    for (int i = 0; i < vector; ++i) {
      const float upper = values[i] * (1 - column.part) + right[i] * column.part,
                  lower = below[i] * (1 - column.part) + corner[i] * column.part;
      values[i] = upper * (1 - row.part) + lower * row.part;
    }
  }
  store_floats(out + place.in<r.out>(), values, place.valid);
}

// Of resize.in, from that of resize.out. Each element gathers its share of the results that read it.
struct ResizeGradient {
  Resize resize;

  VN_CONSTANT int terms() const { return rows_of(resize).readers() * columns_of(resize).readers(); }
  // Threads that share an element have a row of results each.
  VN_CONSTANT int share() const {
    int share = share_of(vectors_of(resize.in, resize.vector()), terms());
    while (share > rows_of(resize).readers())
      share /= 2;
    return share;
  }
};

constexpr Launch launch_of(const ResizeGradient &g, Stream stream = {}) {
  return launch_over(g.resize.in, g.resize.vector(), g.share(), stream);
}

// The first result whose sample's `low` is not before `position`; axis.out where there is none. Samples do
// not decrease: the guess by the step is moved to what they say.
template <Axis axis> VN_DEVICE int first_reader(int position) {
  constexpr float per_position = axis.step() > 0 ? 1 / axis.step() : float(axis.out);
  const float guess = float(position) * per_position;
  int result = guess > 0 ? (guess < float(axis.out) ? int(guess) : axis.out) : 0;
  while (result > 0 && sample<axis>(result - 1).low >= position)
    --result;
  while (result < axis.out && sample<axis>(result).low < position)
    ++result;
  return result;
}

// With what weight a result reads a position.
template <Axis axis> VN_DEVICE float weight_of(const Sample &sample, int position) {
  if constexpr (!axis.bilinear)
    return sample.low == position ? 1.0f : 0.0f;
  return (sample.low == position ? 1 - sample.part : 0.0f) + (sample.high == position ? sample.part : 0.0f);
}

template <ResizeGradient g>
VN_DEVICE void resize_gradient(Global<const Number<g.resize.out.element>> dy,
                               Global<Number<g.resize.in.element>> dx) {
  constexpr Resize r = g.resize;
  static_assert(r.in.n == r.out.n && r.in.c == r.out.c, "a resize keeps images and channels");
  static_assert(r.out.elements() < (1ll << 31), "places are counted in int");
  constexpr Axis rows = rows_of(r), columns = columns_of(r);
  constexpr int vector = r.vector(), share = g.share();
  constexpr bool wide = g.terms() > most_terms_in_float;
  const VectorPlace place = vector_place<r.in, vector, share>();
  if (share == 1 && place.valid <= 0)
    return;
  LongSum<vector, wide> sum;
  if (place.valid > 0) {
    // A position is the `low` of some results, the `high` of those whose `low` is the one before.
    constexpr int before = r.bilinear ? 1 : 0;
    const int bottom = first_reader<rows>(place.y + 1), left = first_reader<columns>(place.x - before),
              right = first_reader<columns>(place.x + 1);
    for (int oy = first_reader<rows>(place.y - before) + place.member; oy < bottom; oy += share) {
      const float row_weight = weight_of<rows>(sample<rows>(oy), place.y);
      for (int ox = left; ox < right; ++ox) {
        const float weight = row_weight * weight_of<columns>(sample<columns>(ox), place.x);
        float values[vector];
        load_floats(values, dy + (((place.n * r.out.h + oy) * r.out.w + ox) * r.out.pixel + place.channel),
                    place.valid);
        if constexpr (r.bilinear) {
          VN_UNROLL
          for (int i = 0; i < vector; ++i)
            values[i] *= weight;
        }
        sum.add(values);
      }
    }
  }
  store_members<r.in, share>(sum, place, dx);
}

} // namespace vn

#endif
