// Convolutions of maps of few channels, such as a network's first, whose taps are one for each row of the
// window.
//
// Pixels of at most 4 channels fill a part of the 16 bytes that a tap brings. In rows of pixels that are 4
// channels apart, with zeros before and after them, the taps of a window's row lie next to each other: they
// are the 4 kernel.x channels of one tap. Where the stride is even windows begin at multiples of 16 bytes, so
// that this is a convolution of a window one pixel wide: its "pixels" are stride.x pixels apart, and overlap.
//
//   row of the map          x x x x x x x x x              7 x 7, stride 2, padding 3
//   row in memory     0 0 0 x x x x x x x x x 0 0 0
//   windows           |-----------|
//                         |-----------|
//
// Windows are whole rows of a stage, which come twice as fast as parts of them: of a tap behind the last the
// weights are 0, so that of a number that is not finite NaN comes into the windows that end before it, too.
#ifndef VERNIER_CUDA_DEVICE_ROW_TAPS_CUH
#define VERNIER_CUDA_DEVICE_ROW_TAPS_CUH

#include "convolution.cuh"

namespace vn {

constexpr int row_pixel = 4; // channels from a pixel to the next

// Of a row of the window.
VN_CONSTANT int row_channels(int kernel) {
  return kernel * row_pixel <= 32 ? power_from(kernel * row_pixel < 16 ? 16 : kernel * row_pixel)
                                  : ceil_div(kernel * row_pixel, 64) * 64;
}

VN_CONSTANT bool has_row_taps(const Convolution &c) {
  return c.direction == Direction::Forward && c.arithmetic == Arithmetic::BF16 && c.groups == 1 &&
         c.in.c <= row_pixel && c.kernel.x > 1 && c.dilation.x == 1 && c.stride.x % 2 == 0;
}

// A map's rows, from a map of bf16 or from a caller's array, N x C x H x W in float32. Writes N x H x width x
// row_pixel.
struct PaddedRows {
  Map in; // of an array its shape
  int width = 2;
  int left = 0; // zeros before the first pixel
  bool array = false;

  static constexpr int threads = 256, vector = 8, each = 4; // vectors of a thread
  VN_CONSTANT int vectors() const { return in.n * in.h * width * row_pixel / vector; }
};

constexpr Launch launch_of(const PaddedRows &p, Stream stream = {}) {
  return {{unsigned(ceil_div(p.vectors(), p.threads * p.each))}, {unsigned(p.threads)}, 0, stream};
}

// Of a convolution's input.
VN_CONSTANT PaddedRows padded_rows_of(const Convolution &c) {
  // Where it is not much more, of whole segments of hopper_rows.cuh.
  const int segments = ceil_div(c.out.w, 64) * 64, results = 4 * segments <= 5 * c.out.w ? segments : c.out.w;
  const int width = (results - 1) * c.stride.x + row_channels(c.kernel.x) / row_pixel;
  return {c.in, ceil_div(width, 2) * 2, c.padding.x};
}

// The same convolution, of these rows.
VN_CONSTANT Convolution by_rows(Convolution c) {
  c.row = padded_rows_of(c).width * row_pixel;
  c.in = {c.in.n, c.in.h, c.out.w, row_channels(c.kernel.x), c.stride.x * row_pixel, Element::BF16, 8};
  c.kernel.x = c.stride.x = 1;
  c.padding.x = 0;
  return c;
}

template <PaddedRows p>
VN_DEVICE void padded_rows(Global<const std::conditional_t<p.array, float, bf16>> in, Global<bf16> out) {
  static_assert(p.width % 2 == 0 && p.in.c <= row_pixel, "see PaddedRows");
  static_assert(8ll * p.vectors() < (1ll << 31) && p.in.elements() < (1ll << 31),
                "places are counted in int");
  constexpr int row_vectors = p.width * row_pixel / p.vector, plane = p.in.h * p.in.w;
  const int first = int(blockIdx.x) * p.threads * p.each + int(threadIdx.x);
  Vector<bf16, p.vector> vectors[p.each];
  VN_UNROLL
  for (int k = 0; k < p.each; ++k) {
    const int index = first + k * p.threads, row = index / row_vectors;
    const int left = index % row_vectors * (p.vector / row_pixel) - p.left;
    VN_UNROLL
    for (int i = 0; i < p.vector; ++i) {
      const int x = left + i / row_pixel, channel = i % row_pixel;
      vectors[k][i] = from_float<bf16>(0.0f);
      if (channel < p.in.c && index < p.vectors() && x >= 0 && x < p.in.w) {
        if constexpr (p.array)
          vectors[k][i] =
              from_float<bf16>(in[(row / p.in.h * p.in.c + channel) * plane + row % p.in.h * p.in.w + x]);
        else
          vectors[k][i] = in[(row * p.in.w + x) * p.in.pixel + channel];
      }
    }
  }
  VN_UNROLL
  for (int k = 0; k < p.each; ++k)
    if (const int index = first + k * p.threads; index < p.vectors())
      store_global(out + index * p.vector, vectors[k]);
}

} // namespace vn

#endif
