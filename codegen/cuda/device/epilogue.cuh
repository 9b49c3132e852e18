// What a convolution does with its sums before it stores them: codegen/program/Epilogue.h, in the order
// written there.
#ifndef VERNIER_CUDA_DEVICE_EPILOGUE_CUH
#define VERNIER_CUDA_DEVICE_EPILOGUE_CUH

#include "map.cuh"

#include <math.h>
#include <utility>

namespace vn {

// dsl/Activation.h says what each is.
struct Activation {
  enum Kind {
    None,
    Relu,
    Relu6,
    LeakyRelu,
    Sigmoid,
    HardSigmoid,
    Tanh,
    Exp,
    Silu,
    HardSwish,
    Gelu,
    GeluTanh,
    ScaleShift
  };
  Kind kind;
  float slope, offset; // of LeakyRelu and ScaleShift: slope * x + offset

  VN_CONSTANT Activation(Kind kind = None, float slope = 0.0f, float offset = 0.0f)
      : kind(kind), slope(slope), offset(offset) {}
};
VN_CONSTANT bool operator==(const Activation &a, const Activation &b) {
  return a.kind == b.kind && a.slope == b.slope && a.offset == b.offset;
}

// NaN stays NaN.
VN_DEVICE float clamped(float x, float least, float most) { return x < least ? least : x > most ? most : x; }
VN_DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
VN_DEVICE float hard_sigmoid(float x) { return clamped(x + 3.0f, 0.0f, 6.0f) * (1.0f / 6.0f); }
// P(N(0, 1) <= x); the tail keeps its digits.
VN_DEVICE float normal_distribution(float x) { return 0.5f * erfcf(x * -0.70710678f); }
// Twice what GeluTanh takes the hyperbolic tangent of: (1 + tanh(u)) / 2 = sigmoid(2 u).
VN_DEVICE float gelu_argument(float x) { return 1.5957691f * fmaf(0.044715f * x, x * x, x); }

template <Activation activation> VN_DEVICE float activated(float x) {
  if constexpr (activation == Activation::Relu)
    return x < 0.0f ? 0.0f : x;
  else if constexpr (activation == Activation::Relu6)
    return clamped(x, 0.0f, 6.0f);
  else if constexpr (activation.kind == Activation::LeakyRelu)
    return x > 0.0f ? x : activation.slope * x;
  else if constexpr (activation == Activation::Sigmoid)
    return sigmoid(x);
  else if constexpr (activation == Activation::HardSigmoid)
    return hard_sigmoid(x);
  else if constexpr (activation == Activation::Tanh)
    return tanhf(x);
  else if constexpr (activation == Activation::Exp)
    return expf(x);
  else if constexpr (activation == Activation::Silu)
    return x / (1.0f + expf(-x));
  else if constexpr (activation == Activation::HardSwish)
    return x * hard_sigmoid(x);
  else if constexpr (activation == Activation::Gelu)
    return x * normal_distribution(x);
  else if constexpr (activation == Activation::GeluTanh)
    return x / (1.0f + expf(-gelu_argument(x)));
  else if constexpr (activation.kind == Activation::ScaleShift)
    return fmaf(x, activation.slope, activation.offset);
  else
    return x;
}
// dy times the derivative, `of` being the activation's result, or what it was applied to where that has two x
// for some results: Silu, HardSwish and both forms of Gelu. Where `of` is NaN, the gradient passes or is NaN.
template <Activation activation> VN_DEVICE float gradient_through(float of, float dy) {
  if constexpr (activation == Activation::Relu)
    return of <= 0.0f ? 0.0f : dy;
  else if constexpr (activation == Activation::Relu6)
    return of <= 0.0f || of >= 6.0f ? 0.0f : dy;
  else if constexpr (activation.kind == Activation::LeakyRelu)
    return of <= 0.0f ? activation.slope * dy : dy;
  else if constexpr (activation == Activation::Sigmoid)
    return dy * (of * (1.0f - of));
  else if constexpr (activation == Activation::HardSigmoid)
    return of <= 0.0f || of >= 1.0f ? 0.0f : dy * (1.0f / 6.0f);
  else if constexpr (activation == Activation::Tanh)
    return dy * fmaf(-of, of, 1.0f);
  else if constexpr (activation == Activation::Exp)
    return dy * of;
  else if constexpr (activation == Activation::Silu) {
    const float s = sigmoid(of);
    return dy * fmaf(of * s, 1.0f - s, s);
  } else if constexpr (activation == Activation::HardSwish)
    return dy * (of <= -3.0f ? 0.0f : of >= 3.0f ? 1.0f : fmaf(of, 1.0f / 3.0f, 0.5f));
  else if constexpr (activation == Activation::Gelu)
    return dy * fmaf(of, 0.39894228f * expf(-0.5f * of * of), normal_distribution(of));
  else if constexpr (activation == Activation::GeluTanh) {
    const float s = sigmoid(gelu_argument(of)), slope = 1.5957691f * fmaf(3.0f * 0.044715f * of, of, 1.0f);
    return dy * fmaf(of * s * (1.0f - s), slope, s);
  } else if constexpr (activation.kind == Activation::ScaleShift)
    return dy * activation.slope;
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
  Activation masked = Activation::None; // the result passes back through it; its derivative is by `mask`
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
