// Interleaving groups of channels.
#ifndef VERNIER_CUDA_DEVICE_CHANNEL_SHUFFLE_CUH
#define VERNIER_CUDA_DEVICE_CHANNEL_SHUFFLE_CUH

#include "map_threads.cuh"

namespace vn {

// As codegen/program/Problems.h has it: channel i of group g of `in` becomes channel i * groups + g of `out`.
struct ChannelShuffle {
  Map in, out;
  int groups = 1;

  VN_CONSTANT int vector() const { return vector_of(out); }
};

constexpr Launch launch_of(const ChannelShuffle &s, Stream stream = {}) {
  return launch_over(s.out, s.vector(), 1, stream);
}

// What a vector takes is read number by number: the neighbours' reads meet it in the cache.
template <ChannelShuffle s>
VN_DEVICE void channel_shuffle(Global<const Number<s.in.element>> in, Global<Number<s.out.element>> out) {
  static_assert(s.in.pixels() == s.out.pixels() && s.in.c == s.out.c, "a shuffle keeps the map's shape");
  static_assert(s.in.elements() < (1ll << 31), "places are counted in int");
  static_assert(s.in.c % s.groups == 0, "whole groups");
  constexpr int vector = s.vector();
  const VectorPlace place = vector_place<s.out, vector>();
  if (place.valid <= 0)
    return;
  const auto pixel = in + ((place.n * s.in.h + place.y) * s.in.w + place.x) * s.in.pixel;
  float values[vector];
  VN_UNROLL
  for (int i = 0; i < vector; ++i) {
    const int channel = place.channel + i;
    values[i] = i < place.valid
                    ? to_float(pixel[channel % s.groups * (s.in.c / s.groups) + channel / s.groups])
                    : 0.0f;
  }
  store_floats(out + place.in<s.out>(), values, place.valid);
}

} // namespace vn

#endif
