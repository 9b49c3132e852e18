// Functions of single elements: as operations, and applied by others to their results. The front end, the
// dialect, the interpreter and the code generators share them.
#ifndef VERNIER_DSL_ACTIVATION_H
#define VERNIER_DSL_ACTIVATION_H

namespace vernier {

struct Activation {
  enum Kind {
    None,
    Relu,        // max(x, 0)
    Relu6,       // min(max(x, 0), 6)
    LeakyRelu,   // x where x > 0, else slope * x; slope is not negative
    Sigmoid,     // 1 / (1 + exp(-x))
    HardSigmoid, // relu6(x + 3) / 6 (Howard et al. 2019, section 5.2)
    Tanh,
    Exp,
    Silu,      // x * sigmoid(x) (Ramachandran et al. 2017; MobileNetV3 calls it swish)
    HardSwish, // x * hard_sigmoid(x) (Howard et al. 2019)
    Gelu,      // x * P(N(0, 1) <= x) (Hendrycks and Gimpel 2016)
    GeluTanh, // the same paper's approximation of it: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
    ScaleShift, // slope * x + offset
  };

  Kind kind = None;
  double slope = 0; // of LeakyRelu and ScaleShift
  double offset = 0;

  constexpr Activation() = default;
  constexpr Activation(Kind kind, double slope = 0, double offset = 0)
      : kind(kind), slope(slope), offset(offset) {}
  constexpr bool operator==(const Activation &) const = default;

  bool hasSlope() const { return kind == LeakyRelu || kind == ScaleShift; }
  bool hasOffset() const { return kind == ScaleShift; }
  // Whether its derivative is computed from what it was applied to; the others' is from their result. These
  // have two x for some results.
  bool derivativeNeedsInput() const {
    return kind == Silu || kind == HardSwish || kind == Gelu || kind == GeluTanh;
  }
  // The largest absolute derivative, of Exp for results up to 1.
  double steepest() const {
    switch (kind) {
    case None:
    case Relu:
    case Relu6:
    case Tanh:
    case Exp:
      return 1;
    case LeakyRelu:
      return slope > 1 ? slope : 1;
    case Sigmoid:
      return 0.25;
    case HardSigmoid:
      return 1.0 / 6;
    case Silu:
      return 1.1;
    case HardSwish:
      return 1.5;
    case Gelu:
    case GeluTanh:
      return 1.13;
    case ScaleShift:
      return slope < 0 ? -slope : slope;
    }
    return 1;
  }
};

inline constexpr Activation::Kind kActivations[] = {
    Activation::None,      Activation::Relu,        Activation::Relu6, Activation::LeakyRelu,
    Activation::Sigmoid,   Activation::HardSigmoid, Activation::Tanh,  Activation::Exp,
    Activation::Silu,      Activation::HardSwish,   Activation::Gelu,  Activation::GeluTanh,
    Activation::ScaleShift};

// As the language, the dialect and kernels call it.
constexpr const char *nameOf(Activation::Kind kind) {
  switch (kind) {
  case Activation::None:
    return "none";
  case Activation::Relu:
    return "relu";
  case Activation::Relu6:
    return "relu6";
  case Activation::LeakyRelu:
    return "leaky_relu";
  case Activation::Sigmoid:
    return "sigmoid";
  case Activation::HardSigmoid:
    return "hard_sigmoid";
  case Activation::Tanh:
    return "tanh";
  case Activation::Exp:
    return "exp";
  case Activation::Silu:
    return "silu";
  case Activation::HardSwish:
    return "hard_swish";
  case Activation::Gelu:
    return "gelu";
  case Activation::GeluTanh:
    return "gelu_tanh";
  case Activation::ScaleShift:
    return "scale_shift";
  }
  return "";
}

} // namespace vernier

#endif
