// Weights O x I/groups x R x S into the layout that convolution.cuh multiplies by.
#ifndef VERNIER_CUDA_DEVICE_WEIGHTS_CUH
#define VERNIER_CUDA_DEVICE_WEIGHTS_CUH

#include "row_taps.cuh"

namespace vn {

// Groups and their channels are the convolution's. Of narrow groups `merged` are one group of the product,
// whose weights between two of them are 0: a product has at least 8 columns and 16 bytes of each pixel
// anyway. Of row_taps.cuh's convolutions the taps of a row are one, whose channels are those of the row's
// pixels, `row_pixel` apart.
struct WeightLayout {
  int groups = 1, outputs = 1, inputs = 1;
  Pair kernel = {1, 1};
  Arithmetic arithmetic = Arithmetic::F32;
  Direction direction = Direction::Forward;
  int merged = 1;
  bool row_taps = false;
  // Of a product without groups: so many channels of the result and of a tap, those behind the last with
  // weights 0. Copies of whole tiles are slower where a part of one is outside. 0: no more than there are.
  int rows = 0, channels = 0;

  // Channels of a group of the product: an input gradient sums over the convolution's outputs.
  VN_CONSTANT int results() const { return merged * (direction == Direction::Forward ? outputs : inputs); }
  VN_CONSTANT int summed() const {
    return row_taps ? row_channels(kernel.x) : merged * (direction == Direction::Forward ? inputs : outputs);
  }
  VN_CONSTANT int taps() const { return row_taps ? kernel.y : kernel.y * kernel.x; }
  VN_CONSTANT int packed() const { return channels > 0 ? channels : packed_channels(arithmetic, summed()); }
  VN_CONSTANT int elements() const {
    return (rows > 0 ? rows : groups / merged * results()) * taps() * packed();
  }
};

constexpr Launch launch_of(const WeightLayout &layout, Stream stream = {}) {
  return {{unsigned(ceil_div(layout.elements(), 256))}, {256}, 0, stream};
}

// A thread for each element of the result.
template <WeightLayout layout>
VN_DEVICE void pack_weights(Global<const float> weight, Global<Factor<layout.arithmetic>> packed) {
  const int i = int(blockIdx.x) * 256 + int(threadIdx.x);
  if (i >= layout.elements())
    return;
  constexpr int taps = layout.taps();
  static_assert(!layout.row_taps || (layout.groups == 1 && layout.direction == Direction::Forward),
                "see row_taps.cuh");
  constexpr int results = layout.results() / layout.merged, sums = layout.summed() / layout.merged;
  static_assert(layout.groups % layout.merged == 0, "groups are merged by equal numbers");
  static_assert(layout.rows == 0 || layout.groups == layout.merged, "one group has rows of zeros");
  const int all_summed = i % layout.packed(), tap = i / layout.packed() % taps;
  const int all_results = i / layout.packed() / taps, group = all_results / results;
  const int summed = all_summed % sums, result = all_results % results;
  const int output = layout.direction == Direction::Forward ? result : summed;
  const int input = layout.direction == Direction::Forward ? summed : result;
  float value = 0;
  if (all_results >= layout.groups / layout.merged * layout.results()) {
    // a row of zeros
  } else if constexpr (layout.row_taps) {
    const int column = all_summed / row_pixel, channel = all_summed % row_pixel;
    if (column < layout.kernel.x && channel < layout.inputs)
      value = weight[((result * layout.inputs + channel) * taps + tap) * layout.kernel.x + column];
  } else if (all_summed / sums == group % layout.merged) {
    value = weight[((group * layout.outputs + output) * layout.inputs + input) * taps + tap];
  }
  if constexpr (layout.arithmetic == Arithmetic::TF32)
    value = detail::bits<float>(to_tf32(value));
  packed[i] = from_float<Factor<layout.arithmetic>>(value);
}

} // namespace vn

#endif
