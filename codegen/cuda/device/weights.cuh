// Weights O x I/groups x R x S into the layout that convolution.cuh multiplies by.
#ifndef VERNIER_CUDA_DEVICE_WEIGHTS_CUH
#define VERNIER_CUDA_DEVICE_WEIGHTS_CUH

#include "convolution.cuh"

namespace vn {

// Groups and their channels are the convolution's. Of narrow groups `merged` are one group of the product,
// whose weights between two of them are 0: a product has at least 8 columns and 16 bytes of each pixel
// anyway.
struct WeightLayout {
  int groups = 1, outputs = 1, inputs = 1;
  Pair kernel = {1, 1};
  Arithmetic arithmetic = Arithmetic::F32;
  Direction direction = Direction::Forward;
  int merged = 1;

  // Channels of a group of the product: an input gradient sums over the convolution's outputs.
  VN_CONSTANT int results() const { return merged * (direction == Direction::Forward ? outputs : inputs); }
  VN_CONSTANT int summed() const { return merged * (direction == Direction::Forward ? inputs : outputs); }
  VN_CONSTANT int packed() const { return packed_channels(arithmetic, summed()); }
  VN_CONSTANT int elements() const { return groups / merged * results() * kernel.y * kernel.x * packed(); }
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
  constexpr int taps = layout.kernel.y * layout.kernel.x;
  constexpr int results = layout.results() / layout.merged, sums = layout.summed() / layout.merged;
  static_assert(layout.groups % layout.merged == 0, "groups are merged by equal numbers");
  const int all_summed = i % layout.packed(), tap = i / layout.packed() % taps;
  const int all_results = i / layout.packed() / taps, group = all_results / results;
  const int summed = all_summed % sums, result = all_results % results;
  const int output = layout.direction == Direction::Forward ? result : summed;
  const int input = layout.direction == Direction::Forward ? summed : result;
  float value = 0;
  if (all_summed / sums == group % layout.merged)
    value = weight[((group * layout.outputs + output) * layout.inputs + input) * taps + tap];
  if constexpr (layout.arithmetic == Arithmetic::TF32)
    value = detail::bits<float>(to_tf32(value));
  packed[i] = from_float<Factor<layout.arithmetic>>(value);
}

} // namespace vn

#endif
