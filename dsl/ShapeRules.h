// Sizes and costs of operations, as plain functions: the front end elaborates by them and the compiler's
// shape and cost interfaces use them too. Sizes are per axis.
#ifndef VERNIER_DSL_SHAPERULES_H
#define VERNIER_DSL_SHAPERULES_H

#include "dsl/Graph.h"

#include <cmath>
#include <cstdint>
#include <limits>

namespace vernier::dsl {

// Padding on each side that keeps the size at stride 1, for an odd kernel.
constexpr int64_t samePadding(int64_t kernel, int64_t dilation) { return dilation * (kernel - 1) / 2; }

// What a window of `kernel` taps spans.
constexpr int64_t windowExtent(int64_t kernel, int64_t dilation) { return dilation * (kernel - 1) + 1; }

// Output size of a convolution; 0 where the window does not fit once.
constexpr int64_t convolutionSize(int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                                  int64_t before, int64_t after) {
  int64_t room = size + before + after - windowExtent(kernel, dilation);
  return room < 0 ? 0 : room / stride + 1;
}

// Output size of a transposed convolution; 0 or less where padding takes all.
constexpr int64_t transposedConvolutionSize(int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                                            int64_t before, int64_t after, int64_t outputPadding) {
  return (size - 1) * stride + windowExtent(kernel, dilation) - before - after + outputPadding;
}

// Output size of a pooling window. With `ceil` a last, partial window counts if it begins inside the map or
// the padding before it, as in PyTorch.
constexpr int64_t poolSize(int64_t size, int64_t kernel, int64_t stride, int64_t before, int64_t after,
                           bool ceil) {
  int64_t room = size + before + after - kernel;
  if (room < 0)
    return 0;
  int64_t count = (room + (ceil ? stride - 1 : 0)) / stride + 1;
  if (ceil && (count - 1) * stride >= size + before)
    --count;
  return count;
}

// Whether pooling windows share no element, and leave none out but what a partial last window would have.
constexpr bool disjointWindows(int64_t size, int64_t kernel, int64_t stride, int64_t before,
                               int64_t outputs) {
  return kernel == stride && before == 0 && outputs >= size / kernel &&
         outputs <= (size + kernel - 1) / kernel;
}

// Output size of a resize by a factor.
inline int64_t scaledSize(int64_t size, double scale) {
  return static_cast<int64_t>(std::floor(static_cast<double>(size) * scale));
}

// Whether `b` may be added to or multiplied with `a` as far as pixels go: as many, or one for all.
constexpr bool fitsPixels(const Shape &a, const Shape &b) {
  return (a.height == b.height && a.width == b.width) || (b.height == 1 && b.width == 1);
}

// Product of counts; the largest number where it does not fit.
constexpr int64_t saturatingProduct(int64_t a, int64_t b) {
  if (a == 0 || b == 0)
    return 0;
  return a > std::numeric_limits<int64_t>::max() / b ? std::numeric_limits<int64_t>::max() : a * b;
}

constexpr int64_t saturatingSum(int64_t a, int64_t b) {
  return a > std::numeric_limits<int64_t>::max() - b ? std::numeric_limits<int64_t>::max() : a + b;
}

constexpr int64_t elementCount(const Shape &shape) {
  return saturatingProduct(saturatingProduct(shape.channels, shape.height), shape.width);
}

// Elements of the weight of a convolution or linear node whose operand has `input` channels.
constexpr int64_t weightCount(const Node &node, int64_t input) {
  if (node.kind == OpKind::Convolution || node.kind == OpKind::TransposedConvolution)
    return saturatingProduct(saturatingProduct(node.channels, input / node.groups),
                             saturatingProduct(node.kernel[0], node.kernel[1]));
  return node.kind == OpKind::Linear ? saturatingProduct(node.channels, input) : 0;
}

// Trainable parameters.
constexpr int64_t parameterCount(const Node &node, int64_t input) {
  if (node.kind == OpKind::BatchNorm || node.kind == OpKind::LayerNorm || node.kind == OpKind::GroupNorm)
    return 2 * node.shape.channels;
  if (node.kind == OpKind::Prelu)
    return node.perChannel ? node.shape.channels : 1;
  if (node.kind == OpKind::LayerScale || node.kind == OpKind::Parameter)
    return node.shape.channels;
  return saturatingSum(weightCount(node, input), node.bias ? node.channels : 0);
}

// Multiply-adds for one image: those of convolutions, linear layers and products of maps. A weight is
// multiplied once for each pixel of the result; of a transposed convolution, for each pixel of `input`.
constexpr int64_t multiplyAdds(const Node &node, const Shape &input) {
  if (node.kind == OpKind::Matmul)
    return saturatingProduct(elementCount(node.shape),
                             node.transposed[0] ? input.height * input.width : input.channels);
  const Shape &pixels = node.kind == OpKind::TransposedConvolution ? input : node.shape;
  return saturatingProduct(weightCount(node, input.channels), saturatingProduct(pixels.height, pixels.width));
}

} // namespace vernier::dsl

#endif
