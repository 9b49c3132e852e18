// Kernels in which a thread makes one vector of channels of one pixel of a map, and how several threads of a
// block share one where it takes long and there are few.
#ifndef VERNIER_CUDA_DEVICE_MAP_THREADS_CUH
#define VERNIER_CUDA_DEVICE_MAP_THREADS_CUH

#include "barrier.cuh"
#include "launch.cuh"
#include "long_sum.cuh"
#include "map.cuh"

#include <type_traits>

namespace vn {

constexpr int map_threads = 256; // of a block

VN_CONSTANT int vectors_of(const Map &map, int vector) { return map.pixels() * ceil_div(map.c, vector); }

// `share` threads for each vector: a power of two.
constexpr Launch launch_over(const Map &map, int vector, int share, Stream stream) {
  return {{unsigned(ceil_div(vectors_of(map, vector), map_threads / share))}, {map_threads}, 0, stream};
}

// How many threads share a vector that is made of up to `terms` others, so that a GPU is busy and each of
// them has some to do.
VN_CONSTANT int share_of(int vectors, int terms) {
  constexpr int wanted = 1 << 16, fewest = 8;
  int share = 1;
  while (share < 32 && 2 * share * fewest <= terms && vectors * share < wanted)
    share *= 2;
  return terms <= 64 ? 1 : share;
}

struct VectorPlace {
  int n, y, x, channel;
  int valid;  // of the vector's channels those that are there; none or fewer past the map's last vector
  int member; // of the threads that share it

  template <Map map> VN_DEVICE int in() const { return ((n * map.h + y) * map.w + x) * map.pixel + channel; }
};

// Neighbours have neighbouring vectors. Where share is 1 a thread without a vector may return; where it is
// not, it must come to what the block does together.
template <Map map, int vector, int share = 1> VN_DEVICE VectorPlace vector_place() {
  static_assert(map.elements() < (1ll << 31), "places are counted in int");
  constexpr int vectors = ceil_div(map.c, vector), each = map_threads / share;
  const int thread = int(threadIdx.x), index = int(blockIdx.x) * each + thread % each;
  const int pixel = index / vectors, channel = index % vectors * vector;
  const int left = map.c % vector == 0 ? vector : map.c - channel; // where it is known, no load depends on it
  return {pixel / (map.h * map.w),         pixel / map.w % map.h,         pixel % map.w, channel,
          pixel < map.pixels() ? left : 0, share == 1 ? 0 : thread / each};
}

// What member 0 gets is what all who share its vector have, one after the other: combine(combine(0's, 1's),
// 2's). All threads of the block call it.
template <int share, int count, class T, class Combine>
VN_DEVICE void combine_members(T (&values)[count], Combine combine) {
  if constexpr (share > 1) {
    constexpr int each = map_threads / share;
    VN_SHARED(T, all, map_threads * count);
    const int thread = int(threadIdx.x);
    VN_UNROLL
    for (int i = 0; i < count; ++i)
      all[i * map_threads + thread] = values[i];
    syncthreads();
    if (thread < each)
      for (int member = 1; member < share; ++member) {
        VN_UNROLL
        for (int i = 0; i < count; ++i) {
          const T other = all[i * map_threads + member * each + thread];
          values[i] = combine(values[i], other);
        }
      }
  }
}

// Stores what all who share a vector have added up. All threads of the block call it.
template <Map map, int share, int count, bool wide, class T>
VN_DEVICE void store_members(LongSum<count, wide> &sum, const VectorPlace &place, Global<T> out) {
  std::conditional_t<wide, double, float> sums[count];
  sum.finish(sums);
  combine_members<share>(sums, [](double a, double b) { return a + b; });
  if (place.valid > 0 && place.member == 0) {
    float result[count];
    VN_UNROLL
    for (int i = 0; i < count; ++i)
      result[i] = float(sums[i]);
    store_floats(out + place.in<map>(), result, place.valid);
  }
}

} // namespace vn

#endif
