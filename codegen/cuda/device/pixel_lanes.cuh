// Kernels in which a pixel's numbers depend on all its channels: up to 32 lanes of a warp share a pixel,
// whose channels are in their registers. Blocks have 256 threads.
#ifndef VERNIER_CUDA_DEVICE_PIXEL_LANES_CUH
#define VERNIER_CUDA_DEVICE_PIXEL_LANES_CUH

#include "elementwise.cuh"
#include "warp.cuh"

namespace vn {

constexpr int pixel_lane_threads = 256;

// Threads of a pixel whose channels are `vectors` vectors.
VN_CONSTANT int lanes_of_pixel(int vectors) {
  const int lanes = power_from(vectors);
  return lanes < 32 ? lanes : 32;
}

constexpr Launch pixel_launch(const Map &map, int width, Stream stream) {
  const int pixels = pixel_lane_threads / lanes_of_pixel(ceil_div(map.c, width));
  return {{unsigned(ceil_div(map.pixels(), pixels))}, {pixel_lane_threads}, 0, stream};
}

// The sum over lanes that share a pixel: each of them gets it. All lanes of the warp come.
template <int lanes> VN_DEVICE double sum_lanes(double value) {
  VN_UNROLL
  for (int apart = lanes / 2; apart > 0; apart /= 2) {
    const uint64_t own = detail::bits<uint64_t>(value);
    const uint64_t low = shfl_xor_sync(all_lanes, uint32_t(own), apart),
                   high = shfl_xor_sync(all_lanes, uint32_t(own >> 32), apart);
    value += detail::bits<double>(high << 32 | low);
  }
  return value;
}

// The largest, or NaN where one is.
VN_DEVICE float larger_of(float a, float b) { return a > b || a != a ? a : b; }
template <int lanes> VN_DEVICE float largest_of_lanes(float value) {
  VN_UNROLL
  for (int apart = lanes / 2; apart > 0; apart /= 2)
    value = larger_of(value, shfl_xor_sync(all_lanes, value, apart));
  return value;
}
template <int lanes> VN_DEVICE int least_of_lanes(int value) {
  VN_UNROLL
  for (int apart = lanes / 2; apart > 0; apart /= 2) {
    const int other = shfl_xor_sync(all_lanes, value, apart);
    value = other < value ? other : value;
  }
  return value;
}

// What one thread has of its pixel: `each` vectors of `width` channels. Past the last pixel there are none,
// but the thread still comes to what the warp does together.
template <Map map, int width> struct PixelLane {
  static constexpr int vectors = ceil_div(map.c, width), lanes = lanes_of_pixel(vectors),
                       each = ceil_div(vectors, lanes);
  static_assert(map.elements() < (1ll << 31), "places are counted in int");
  const int pixel = int(blockIdx.x) * (pixel_lane_threads / lanes) + int(threadIdx.x) / lanes;
  const int lane = int(threadIdx.x) % lanes;

  VN_DEVICE int channel(int i) const { return (lane + i * lanes) * width; }
  VN_DEVICE int valid(int i) const { return pixel < map.pixels() ? map.c - channel(i) : 0; }

  // The channels of `of` there; 0 where there are none.
  template <Map of>
  VN_DEVICE void load(float (&values)[each][width], Global<const Number<of.element>> p) const {
    Loaded<Number<of.element>, width> loaded[each];
    VN_UNROLL
    for (int i = 0; i < each; ++i)
      if (valid(i) > 0)
        loaded[i] = load_channels<width, of.c>(p + (pixel * of.pixel + channel(i)), valid(i));
    VN_UNROLL
    for (int i = 0; i < each; ++i) {
      VN_UNROLL
      for (int k = 0; k < width; ++k)
        values[i][k] = loaded[i][k];
    }
  }
};

} // namespace vn

#endif
