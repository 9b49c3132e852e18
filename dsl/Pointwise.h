// Functions of one element and its target that a loss is the mean of.
#ifndef VERNIER_DSL_POINTWISE_H
#define VERNIER_DSL_POINTWISE_H

namespace vernier {

/// Of an element x and its target t.
enum class Pointwise {
  Mean,     ///< x
  Binary,   ///< with p = sigmoid(x): -(sharpness t log p + (1 - t) log(1 - p))
  Focal,    ///< -(t log p + (1 - t) log(1 - p)), its halves times share (1 - p)^sharpness and (1 - share)
            ///< p^sharpness
  Squared,  ///< (x - t)^2
  Absolute, ///< |x - t|
  SmoothL1, ///< with d = |x - t|: d^2 / (2 sharpness) where d < sharpness, else d - sharpness / 2
};

/// As the dialect and kernels name it.
constexpr const char *nameOf(Pointwise kind) {
  constexpr const char *names[] = {"mean", "binary", "focal", "squared", "absolute", "smooth_l1"};
  return names[static_cast<int>(kind)];
}

struct PointwiseFunction {
  Pointwise kind = Pointwise::Mean;
  double sharpness = 1; ///< of Focal and Binary, 0 or more; of SmoothL1, above 0
  double share = 0.5;   ///< of Focal: the part of what has a target of 1

  bool hasTarget() const { return kind != Pointwise::Mean; }
  /// Whether the sharpness says more than the kind does.
  bool isSharp() const {
    return kind == Pointwise::Focal || kind == Pointwise::SmoothL1 ||
           (kind == Pointwise::Binary && sharpness != 1);
  }
  bool operator==(const PointwiseFunction &) const = default;
};

} // namespace vernier

#endif
