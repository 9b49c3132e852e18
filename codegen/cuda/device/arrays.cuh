// Between a map and a caller's array, N x C x H x W in float32. A block has a tile of one image, some pixels
// of some channels: neighbouring threads read or write neighbouring pixels of the array, and vectors of
// neighbouring channels of the map; between the two the tile lies in shared memory. Into a map whose pixels
// are a vector each, and all its own, threads write whole pixels instead.
//
//   shared tile[channel][pixel]    rows so far apart that 32 threads, which have vectors of channels of a few
//                                  pixels, meet 32 banks
#ifndef VERNIER_CUDA_DEVICE_ARRAYS_CUH
#define VERNIER_CUDA_DEVICE_ARRAYS_CUH

#include "barrier.cuh"
#include "launch.cuh"
#include "map.cuh"

namespace vn {

struct Array {
  Map map;
  bool to_array = false;
  bool alone = false; // nothing else lies between the channels of the map's pixels

  static constexpr int threads = 256, numbers = 1024; // at most so many in a tile
  static constexpr int pixels_each = 4;               // of a thread, of whole pixels
  VN_CONSTANT bool whole_pixels() const {
    return !to_array && alone && map.c <= map.pixel && map.pixel == vector_of(map);
  }
  VN_CONSTANT int plane() const { return map.h * map.w; }
  // Channels are 32 where there are as many, more where a plane is small.
  VN_CONSTANT int tile_pixels() const {
    const int channels = power_from(map.c), most = numbers / (channels < 32 ? channels : 32);
    const int pixels = power_from(plane());
    return pixels < most ? pixels : most;
  }
  VN_CONSTANT int tile_channels() const {
    const int channels = power_from(map.c), most = numbers / tile_pixels();
    return channels < most ? channels : most;
  }
  VN_CONSTANT int row() const { return tile_pixels() + (tile_channels() < 32 ? 32 / tile_channels() : 1); }
  VN_CONSTANT int vector() const {
    const int width = vector_of(map);
    return width < tile_channels() ? width : tile_channels();
  }
};

constexpr Launch launch_of(const Array &p, Stream stream = {}) {
  if (p.whole_pixels())
    return {
        {unsigned(ceil_div(p.map.pixels(), p.threads * p.pixels_each))}, {unsigned(p.threads)}, 0, stream};
  return {{unsigned(ceil_div(p.plane(), p.tile_pixels()) * p.map.n),
           unsigned(ceil_div(p.map.c, p.tile_channels()))},
          {unsigned(p.threads)},
          0,
          stream};
}

namespace detail {

// This block's tile.
template <Array p> struct ArrayTile {
  static constexpr int pixels = p.tile_pixels(), channels = p.tile_channels(), row = p.row(),
                       width = p.vector(), tiles = ceil_div(p.plane(), pixels);
  static_assert(p.map.elements() < (1ll << 31) && 1ll * p.map.pixels() * p.map.c < (1ll << 31),
                "places are counted in int");
  const int image = int(blockIdx.x) / tiles, first_pixel = int(blockIdx.x) % tiles * pixels,
            first_channel = int(blockIdx.y) * channels;

  // Calls body(place in the tile, place in the array) for this thread's numbers, pixel after pixel.
  template <class Body> VN_DEVICE void for_array(const Body &body) const {
    for (int i = int(threadIdx.x); i < pixels * channels; i += p.threads) {
      const int pixel = i % pixels, channel = i / pixels;
      if (first_pixel + pixel < p.plane() && first_channel + channel < p.map.c)
        body(channel * row + pixel,
             (image * p.map.c + first_channel + channel) * p.plane() + first_pixel + pixel);
    }
  }
  // Calls body(place in the tile, place in the map, valid) for this thread's vectors, channel after channel.
  template <class Body> VN_DEVICE void for_map(const Body &body) const {
    constexpr int vectors = channels / width;
    for (int i = int(threadIdx.x); i < pixels * vectors; i += p.threads) {
      const int pixel = i / vectors, channel = i % vectors * width;
      if (first_pixel + pixel < p.plane() && first_channel + channel < p.map.c)
        body(channel * row + pixel,
             (image * p.plane() + first_pixel + pixel) * p.map.pixel + first_channel + channel,
             p.map.c - first_channel - channel);
    }
  }
};

// The loads of all of a thread's pixels are on their way together.
template <Array p> VN_DEVICE void write_pixels(Global<const float> array, Global<Number<p.map.element>> map) {
  constexpr int plane = p.plane(), pixels = p.map.pixels(), width = p.map.pixel;
  static_assert(p.map.elements() < (1ll << 31), "places are counted in int");
  const int first = int(blockIdx.x) * p.threads * p.pixels_each + int(threadIdx.x);
  float values[p.pixels_each][width];
  VN_UNROLL
  for (int i = 0; i < p.pixels_each; ++i) {
    const int pixel = first + i * p.threads, at = pixel / plane * p.map.c * plane + pixel % plane;
    VN_UNROLL
    for (int channel = 0; channel < width; ++channel)
      values[i][channel] = channel < p.map.c && pixel < pixels ? float(array[at + channel * plane]) : 0.0f;
  }
  VN_UNROLL
  for (int i = 0; i < p.pixels_each; ++i)
    if (const int pixel = first + i * p.threads; pixel < pixels) // the map ends with its last channel
      store_floats(map + pixel * width, values[i], pixel + 1 < pixels ? width : p.map.c);
}

} // namespace detail

template <Array p> VN_DEVICE void from_array(Global<const float> array, Global<Number<p.map.element>> map) {
  static_assert(!p.to_array, "to_array goes the other way");
  if constexpr (p.whole_pixels()) {
    detail::write_pixels<p>(array, map);
    return;
  }
  using Tile = detail::ArrayTile<p>;
  VN_SHARED(float, numbers, Tile::channels *Tile::row);
  const Tile tile;
  tile.for_array([&](int in_tile, int in_array) {
    const float value = array[in_array];
    numbers[in_tile] = value;
  });
  syncthreads();
  tile.for_map([&](int in_tile, int in_map, int valid) {
    float values[Tile::width];
    VN_UNROLL
    for (int k = 0; k < Tile::width; ++k)
      values[k] = k < valid ? numbers[in_tile + k * Tile::row] : 0.0f;
    store_floats(map + in_map, values, valid);
  });
}

template <Array p> VN_DEVICE void to_array(Global<const Number<p.map.element>> map, Global<float> array) {
  static_assert(p.to_array, "from_array goes the other way");
  using Tile = detail::ArrayTile<p>;
  VN_SHARED(float, numbers, Tile::channels *Tile::row);
  const Tile tile;
  tile.for_map([&](int in_tile, int in_map, int valid) {
    float values[Tile::width];
    load_floats(values, map + in_map, valid);
    VN_UNROLL
    for (int k = 0; k < Tile::width; ++k)
      if (k < valid)
        numbers[in_tile + k * Tile::row] = values[k];
  });
  syncthreads();
  tile.for_array([&](int in_tile, int in_array) {
    const float value = numbers[in_tile];
    array[in_array] = value;
  });
}

} // namespace vn

#endif
