// Weighted sums of runs of rows and columns, by tables that the emitted code has beside the kernel.
#ifndef VERNIER_CUDA_DEVICE_RESAMPLE_CUH
#define VERNIER_CUDA_DEVICE_RESAMPLE_CUH

#include "long_sum.cuh"
#include "map_threads.cuh"

namespace vn {

struct Resample {
  Map in, out;
  Pair longest; // run of rows, of columns

  VN_CONSTANT int vector() const { return vector_of_all(in, out); }
  VN_CONSTANT int terms() const { return longest.y * longest.x; }
  // Threads that share an element have rows of its run each.
  VN_CONSTANT int share() const {
    int share = share_of(vectors_of(out, vector()), terms());
    while (share > 1 && share > longest.y)
      share /= 2;
    return share;
  }
};

constexpr Launch launch_of(const Resample &r, Stream stream = {}) {
  return launch_over(r.out, r.vector(), r.share(), stream);
}

// Positions from `begin` on.
struct Run {
  int begin, count;
};
// Of each result, with `longest` weights for each.
struct Runs {
  const Run *runs;
  const float *weights;
};

template <Resample r>
VN_DEVICE void resample(Global<const Number<r.in.element>> in, Global<Number<r.out.element>> out,
                        const Runs &rows, const Runs &columns) {
  static_assert(r.in.n == r.out.n && r.in.c == r.out.c, "resampling keeps images and channels");
  static_assert(r.in.elements() < (1ll << 31), "places are counted in int");
  constexpr int vector = r.vector(), share = r.share();
  constexpr bool wide = r.terms() > most_terms_in_float;
  const VectorPlace place = vector_place<r.out, vector, share>();
  if (share == 1 && place.valid <= 0)
    return;
  LongSum<vector, wide> sum;
  if (place.valid > 0) {
    const Run row = rows.runs[place.y], column = columns.runs[place.x];
    for (int y = place.member; y < row.count; y += share) {
      const float row_weight = rows.weights[place.y * r.longest.y + y];
      const int from = ((place.n * r.in.h + row.begin + y) * r.in.w + column.begin) * r.in.pixel;
      for (int x = 0; x < column.count; ++x) {
        const float weight = row_weight * columns.weights[place.x * r.longest.x + x];
        float values[vector];
        load_floats(values, in + (from + x * r.in.pixel + place.channel), place.valid);
        VN_UNROLL
        for (int i = 0; i < vector; ++i)
          values[i] *= weight;
        sum.add(values);
      }
    }
  }
  store_members<r.out, share>(sum, place, out);
}

} // namespace vn

#endif
