// Squares of pixels as runs of channels of one pixel, and the way back.
#ifndef VERNIER_CUDA_DEVICE_BLOCKS_TO_CHANNELS_CUH
#define VERNIER_CUDA_DEVICE_BLOCKS_TO_CHANNELS_CUH

#include "elementwise.cuh"

namespace vn {

// Of in and out the one with more pixels is the fine map.
struct BlocksToChannels {
  Map in, out;
  int factor = 1;

  VN_CONSTANT bool to_channels() const { return out.pixels() < in.pixels(); }
  VN_CONSTANT Map fine() const { return to_channels() ? in : out; }
  VN_CONSTANT Map coarse() const { return to_channels() ? out : in; }
  // Runs begin at multiples of the fine map's channels.
  VN_CONSTANT int vector() const {
    const int width = vector_of_all(in, out), run = vector_of(coarse(), fine().c);
    return width < run ? width : run;
  }
};

constexpr Launch launch_of(const BlocksToChannels &p, Stream stream = {}) {
  return elementwise_launch(p.fine(), p.vector(), 1, stream);
}

template <BlocksToChannels p>
VN_DEVICE void blocks_to_channels(Global<const Number<p.in.element>> in, Global<Number<p.out.element>> out) {
  constexpr Map fine = p.fine(), coarse = p.coarse();
  static_assert(coarse.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = p.vector(), f = p.factor;
  for_vectors<fine, width>([&](int pixel, int channel, int valid) {
    const int column = pixel % fine.w, row = pixel / fine.w; // of all images' rows
    const int at_fine = pixel * fine.pixel + channel;
    const int at_coarse =
        (row / f * coarse.w + column / f) * coarse.pixel + (row % f * f + column % f) * fine.c + channel;
    float values[width];
    load_floats(values, in + (p.to_channels() ? at_fine : at_coarse), valid);
    store_floats(out + (p.to_channels() ? at_coarse : at_fine), values, valid);
  });
}

} // namespace vn

#endif
