// What a convolution does with its sums before it stores them: codegen/program/Epilogue.h, in the order
// written there.
#ifndef VERNIER_CUDA_DEVICE_EPILOGUE_CUH
#define VERNIER_CUDA_DEVICE_EPILOGUE_CUH

#include "map.cuh"

#include <math.h>
#include <utility>

namespace vn {

enum class Activation { None, Relu, Relu6, Sigmoid };

// NaN stays NaN.
template <Activation activation> VN_DEVICE float activated(float x) {
  if constexpr (activation == Activation::Relu)
    return x < 0.0f ? 0.0f : x;
  else if constexpr (activation == Activation::Relu6)
    return x < 0.0f ? 0.0f : x > 6.0f ? 6.0f : x;
  else if constexpr (activation == Activation::Sigmoid)
    return 1.0f / (1.0f + expf(-x));
  else
    return x;
}
// dy times the derivative where the activation's result is y. Where y is NaN, the gradient passes.
template <Activation activation> VN_DEVICE float gradient_through(float y, float dy) {
  if constexpr (activation == Activation::Relu)
    return y <= 0.0f ? 0.0f : dy;
  else if constexpr (activation == Activation::Relu6)
    return y <= 0.0f || y >= 6.0f ? 0.0f : dy;
  else if constexpr (activation == Activation::Sigmoid)
    return dy * (y * (1.0f - y));
  else
    return dy;
}

// Two sums over a block's pixels for each channel. Moments: of the result and of its squares. Gradient: of
// the result g and of g (x - mean).
enum class Sums { None, Moments, Gradient };

// Read at (y / factor.y, x / factor.x): a coarse map is enlarged to its nearest pixels.
struct Addend {
  Map map;
  Pair factor;
};

constexpr int most_addends = 8;

struct Epilogue {
  bool scale = false, bias = false; // of each channel
  int addends = 0;
  Addend addend[most_addends] = {};
  Activation activation = Activation::None;
  Activation masked = Activation::None; // the result is a gradient of what this activation gave, `mask`
  Map mask = {};
  Sums sums = Sums::None;
  Map x = {};         // of Gradient
  int first_part = 0; // of the sums, where several launches write one result
};

// What it reads, and writes into: [part][2][channels], a part for each row of blocks. Null where there is
// none.
struct EpilogueOperands {
  Global<const float> scale = nullptr, bias = nullptr;
  Global<const unsigned char> addend[most_addends] = {};
  Global<const unsigned char> mask = nullptr, x = nullptr;
  Global<const float> mean = nullptr;
  Global<double> sums = nullptr;
};

// The maps that it reads: addends, mask, x.
VN_CONSTANT int reads_of(const Epilogue &epilogue) {
  return epilogue.addends + (epilogue.masked != Activation::None) + (epilogue.sums == Sums::Gradient);
}
VN_CONSTANT Addend read_of(const Epilogue &epilogue, int i) {
  return i < epilogue.addends                                           ? epilogue.addend[i]
         : i == epilogue.addends && epilogue.masked != Activation::None ? Addend{epilogue.mask, {1, 1}}
                                                                        : Addend{epilogue.x, {1, 1}};
}
template <Epilogue epilogue, int i>
VN_DEVICE Global<const unsigned char> pointer_of(const EpilogueOperands &operands) {
  if constexpr (i < epilogue.addends)
    return operands.addend[i];
  else if constexpr (i == epilogue.addends && epilogue.masked != Activation::None)
    return operands.mask;
  else
    return operands.x;
}

// The width of the vectors of channels in which a result is stored.
VN_CONSTANT int vector_of(const Map &out, const Epilogue &epilogue, int channels) {
  int width = vector_of(out, channels);
  for (int i = 0; i < reads_of(epilogue); ++i) {
    const int other = vector_of(read_of(epilogue, i).map, channels);
    width = other < width ? other : width;
  }
  return width;
}

// The element of a map at a pixel and channel.
template <Map map>
VN_DEVICE Global<const Number<map.element>> at(Global<const unsigned char> p, int n, int y, int x,
                                               int channel) {
  return global_as<const Number<map.element>>(p) + (((n * map.h + y) * map.w + x) * map.pixel + channel);
}

template <Addend addend, int count>
VN_DEVICE void add(float (&values)[count], Global<const unsigned char> p, int n, int y, int x, int channel,
                   int valid) {
  float more[count];
  load_floats(more, at<addend.map>(p, n, y / addend.factor.y, x / addend.factor.x, channel), valid);
  VN_UNROLL
  for (int i = 0; i < count; ++i)
    values[i] += more[i];
}

// On `count` channels of a pixel of the result, of which `valid` are there.
template <Epilogue epilogue, int count>
VN_DEVICE void apply(float (&values)[count], const EpilogueOperands &operands, int n, int y, int x,
                     int channel, int valid) {
  VN_UNROLL
  for (int i = 0; i < count; ++i)
    if (i < valid) {
      if constexpr (epilogue.scale)
        values[i] *= operands.scale[channel + i];
      if constexpr (epilogue.bias)
        values[i] += operands.bias[channel + i];
    }
  [&]<int... i>(std::integer_sequence<int, i...>) {
    (add<epilogue.addend[i]>(values, operands.addend[i], n, y, x, channel, valid), ...);
  }
  (std::make_integer_sequence<int, epilogue.addends>());
  if constexpr (epilogue.activation != Activation::None) {
    VN_UNROLL
    for (int i = 0; i < count; ++i)
      values[i] = activated<epilogue.activation>(values[i]);
  }
  if constexpr (epilogue.masked != Activation::None) {
    float mask[count];
    load_floats(mask, at<epilogue.mask>(operands.mask, n, y, x, channel), valid);
    VN_UNROLL
    for (int i = 0; i < count; ++i)
      values[i] = gradient_through<epilogue.masked>(mask[i], values[i]);
  }
}

} // namespace vn

#endif
