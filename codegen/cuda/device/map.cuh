// Maps: N x H x W x C numbers, pixel after pixel, as kernels have them in their constants.
#ifndef VERNIER_CUDA_DEVICE_MAP_CUH
#define VERNIER_CUDA_DEVICE_MAP_CUH

#include "convert.cuh"

#include <type_traits>

namespace vn {

enum class Element { F32, BF16 };
template <Element element> using Number = std::conditional_t<element == Element::F32, float, bf16>;

// Problems are structures like these, constants of kernels. What is not an integer comes last in them: of a
// double before smaller members clang 22 reads the wrong bytes, where the structure ends in padding.

// Rows before columns, as everywhere.
struct Pair {
  int y = 1, x = 1;
};

// A pointer to a map leads to its first element. A slice of a wider map has pixels that are further apart
// than its channels.
struct Map {
  int n = 1, h = 1, w = 1, c = 1;
  int pixel = 1; // elements from a pixel to the next
  Element element = Element::F32;
  int align =
      1; // the first element's place in memory and `pixel` are multiples of so many elements, a power of two

  VN_CONSTANT int pixels() const { return n * h * w; }
  VN_CONSTANT long long elements() const { return 1ll * pixels() * pixel; }
};

// Elements that one access moves: at most 16 bytes, and such that each of a pixel's vectors is aligned where
// channels are handled from a multiple of `channels` on.
VN_CONSTANT int vector_of(const Map &map, int channels = 0) {
  const int most = map.element == Element::F32 ? 4 : 8;
  int width = 1;
  while (2 * width <= most && map.align % (2 * width) == 0 && map.pixel % (2 * width) == 0 &&
         channels % (2 * width) == 0)
    width *= 2;
  return width;
}

// The same of several maps that are handled together.
template <class... Maps> VN_CONSTANT int vector_of_all(const Map &first, const Maps &...others) {
  int width = vector_of(first);
  ((width = vector_of(others) < width ? vector_of(others) : width), ...);
  return width;
}

VN_CONSTANT int ceil_div(int a, int b) { return (a + b - 1) / b; }
// The power of two from n on.
VN_CONSTANT int power_from(int n) {
  int power = 1;
  while (power < n)
    power *= 2;
  return power;
}

// `count` numbers of a map as float, of which the first `valid` are read; the others are 0.
template <int count, class T>
VN_DEVICE void load_floats(float (&values)[count], Global<const T> p, int valid) {
  if (valid >= count) {
    const Vector<T, count> loaded = load_global<count>(p);
    VN_UNROLL
    for (int i = 0; i < count; ++i)
      values[i] = to_float(loaded[i]);
  } else {
    VN_UNROLL
    for (int i = 0; i < count; ++i)
      values[i] = i < valid ? to_float(p[i]) : 0.0f;
  }
}

// Numbers of a map as they are in memory: nothing waits for a load before they are used, so that those of
// several pixels are on their way together.
template <class T, int count> struct Loaded {
  uint32_t words[ceil_div(count * int(sizeof(T)), 4)] = {};

  VN_DEVICE float operator[](int i) const {
    if constexpr (sizeof(T) == 4)
      return detail::bits<float>(words[i]);
    else
      return detail::bits<float>(i % 2 ? words[i / 2] & 0xFFFF'0000 : words[i / 2] << 16);
  }
};

namespace detail {
template <int count, class T> VN_DEVICE void load_words(uint32_t *words, Global<const T> p) {
  constexpr int bytes = count * int(sizeof(T));
  if constexpr (bytes == 2) {
    const T value = p[0];
    words[0] = value.bits;
  } else {
    const Vector<uint32_t, bytes / 4> loaded = load_global<bytes / 4>(global_as<const uint32_t>(p));
    VN_UNROLL
    for (int i = 0; i < bytes / 4; ++i)
      words[i] = loaded[i];
  }
}
} // namespace detail

// `count` channels of a map that has `channels`, from a multiple of `count` on, of which `valid`, at least
// one, are there; the others are 0. How many the last vector has is a constant.
template <int count, int channels, class T>
VN_DEVICE Loaded<T, count> load_channels(Global<const T> p, int valid) {
  constexpr int tail = channels % count, size = int(sizeof(T));
  Loaded<T, count> loaded;
  if (tail == 0 || valid >= count) {
    detail::load_words<count>(loaded.words, p);
  } else {
    if constexpr ((tail & 4) != 0)
      detail::load_words<4>(loaded.words, p);
    if constexpr ((tail & 2) != 0)
      detail::load_words<2>(loaded.words + (tail & 4) * size / 4, p + (tail & 4));
    if constexpr ((tail & 1) != 0)
      detail::load_words<1>(loaded.words + (tail & 6) * size / 4, p + (tail & 6));
  }
  return loaded;
}

// Rounds them to what is stored.
template <int count, class T> VN_DEVICE void store_floats(Global<T> p, float (&values)[count], int valid) {
  Vector<T, count> stored;
  VN_UNROLL
  for (int i = 0; i < count; ++i) {
    stored[i] = from_float<T>(values[i]);
    values[i] = to_float(stored[i]);
  }
  if (valid >= count) {
    store_global(p, stored);
  } else {
    VN_UNROLL
    for (int i = 0; i < count; ++i)
      if (i < valid)
        p[i] = stored[i];
  }
}

} // namespace vn

#endif
