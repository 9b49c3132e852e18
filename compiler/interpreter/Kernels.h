// What each operation of the dialect computes, in double precision and on plain tensors: the oracle's
// arithmetic, free of MLIR so that it compiles fast and can be tested alone. Result sizes are derived here,
// not taken from types, so that the oracle also checks shape inference. Sums are owned by one thread each:
// results do not depend on how many threads run.
#ifndef VERNIER_COMPILER_INTERPRETER_KERNELS_H
#define VERNIER_COMPILER_INTERPRETER_KERNELS_H

#include "compiler/interpreter/Tensor.h"
#include "dsl/Activation.h"
#include "dsl/Pointwise.h"
#include "dsl/Resampling.h"

#include <array>
#include <optional>
#include <span>

namespace vernier::interpreter {

enum class ResizeMode { Nearest, Bilinear };

// Padding is top, bottom, left, right throughout.
struct ConvolutionGeometry {
  std::array<int64_t, 2> stride{1, 1};
  std::array<int64_t, 4> padding{0, 0, 0, 0};
  std::array<int64_t, 2> dilation{1, 1};
  int64_t groups = 1;
};

struct PoolGeometry {
  std::array<int64_t, 2> kernel{1, 1};
  std::array<int64_t, 2> stride{1, 1};
  std::array<int64_t, 4> padding{0, 0, 0, 0};
  bool ceil = false;
  bool countPadding = true; // average pooling: the divisor includes padded positions
};

// --- Convolution.cpp: convolution and linear layers ---
// `bias` may be null.
Tensor convolution(const Tensor &x, const Tensor &weight, const Tensor *bias, const ConvolutionGeometry &g);
Tensor convolutionInputGrad(const Tensor &dy, const Tensor &weight, const std::vector<int64_t> &inputShape,
                            const ConvolutionGeometry &g);
Tensor convolutionWeightGrad(const Tensor &x, const Tensor &dy, const std::vector<int64_t> &weightShape,
                             const ConvolutionGeometry &g);
// `scale`, of each output channel, may be null as well.
Tensor transposedConvolution(const Tensor &x, const Tensor &weight, const Tensor *scale, const Tensor *bias,
                             const ConvolutionGeometry &g, const std::array<int64_t, 2> &outputPadding);
Tensor linear(const Tensor &x, const Tensor &weight, const Tensor *bias);
Tensor linearInputGrad(const Tensor &dy, const Tensor &weight);
Tensor linearWeightGrad(const Tensor &x, const Tensor &dy);

// --- Pooling.cpp ---
Tensor maxPool(const Tensor &x, const PoolGeometry &g);
// The first maximum in row-major order receives a window's gradient.
Tensor maxPoolGrad(const Tensor &x, const Tensor &dy, const PoolGeometry &g);
Tensor avgPool(const Tensor &x, const PoolGeometry &g);
Tensor avgPoolGrad(const Tensor &dy, const std::vector<int64_t> &inputShape, const PoolGeometry &g);
Tensor globalAvgPool(const Tensor &x);
Tensor globalAvgPoolGrad(const Tensor &dy, const std::vector<int64_t> &inputShape);

// --- Resize.cpp: what moves pixels and channels ---
// A step is in / out, or 1 / `scale` where that isn't 0. Nearest: source = floor(target * step) in float32,
// as PyTorch has it. Bilinear: half-pixel centres clamped at 0, or aligned corners. Whatever the scale, a
// size that stays is copied and nearest doubles by repeating.
Tensor resize(const Tensor &x, int64_t height, int64_t width, ResizeMode mode, bool alignCorners,
              double scale = 0);
Tensor resizeGrad(const Tensor &dy, const std::vector<int64_t> &inputShape, ResizeMode mode,
                  bool alignCorners, double scale = 0);
// --- Resample.cpp: sums of weighted runs of rows and columns, as `vn.resample` defines them ---
Tensor resample(const Tensor &x, int64_t height, int64_t width, dsl::Resampling kind,
                bool alignCorners = false, double scale = 0);
Tensor resampleGrad(const Tensor &dy, const std::vector<int64_t> &inputShape, dsl::Resampling kind,
                    bool alignCorners = false, double scale = 0);

// --- Resize.cpp, too ---
// Every pixel repeated as often as the sizes say, which are whole multiples.
Tensor repeatPixels(const Tensor &x, int64_t height, int64_t width);
Tensor pad(const Tensor &x, const std::array<int64_t, 4> &padding, bool replicate);
// The gradient of replicating padding (zero padding's is a crop).
Tensor padReplicateGrad(const Tensor &dy, const std::array<int64_t, 4> &padding);
Tensor crop(const Tensor &x, int64_t top, int64_t left, int64_t height, int64_t width);
Tensor slice(const Tensor &x, int64_t begin, int64_t count);
Tensor concat(std::span<const Tensor *const> operands);
// Channel i of group g becomes channel i * groups + g.
Tensor channelShuffle(const Tensor &x, int64_t groups);
// Channels (c * factor + i) * factor + j become the pixels i, j of a square of `factor`, and the way back.
Tensor pixelShuffle(const Tensor &x, int64_t factor);
Tensor pixelUnshuffle(const Tensor &x, int64_t factor);
// Zeros of `channels` channels with x at channel `begin`: the gradient of slice.
Tensor embedChannels(const Tensor &x, int64_t begin, int64_t channels);

// The same of a weight's input channels (dimension 1) or a vector's elements (dimension 0).
Tensor sliceParameter(const Tensor &x, int64_t begin, int64_t count);
Tensor concatParameters(std::span<const Tensor *const> operands);
Tensor embedParameter(const Tensor &x, int64_t begin, int64_t inputs);
// Runs along dimension 0 and 1, each followed by zeros up to a multiple; none: the dimension as it is.
Tensor spreadParameter(const Tensor &x, int64_t multiple, std::span<const int64_t> outputs,
                       std::span<const int64_t> inputs);

// --- Normalization.cpp ---
Tensor affine(const Tensor &x, const Tensor &scale, const Tensor &shift);
Tensor batchNorm(const Tensor &x, const Tensor &gamma, const Tensor &beta, const Tensor &mean,
                 const Tensor &var, double epsilon);
struct BatchNormTraining {
  Tensor y, mean, var; // var is biased
};
BatchNormTraining batchNormTraining(const Tensor &x, const Tensor &gamma, const Tensor &beta, double epsilon);
// From the sums of x and of its squares, 2 x C.
BatchNormTraining batchNormTraining(const Tensor &x, const Tensor &sums, const Tensor &gamma,
                                    const Tensor &beta, double epsilon);
// Sums of x over N, H and W, and of its squares or, with `other` and `mean`, of x * (other - mean): 2 x C.
Tensor channelSums(const Tensor &x, const Tensor *other, const Tensor *mean);
struct NormGrad {
  Tensor dx, dgamma, dbeta;
};
// `mean` and `var` are the batch's own, so their dependence on x is part of dx. `sums`, which may be null,
// are those of dy and of dy * (x - mean), 2 x C.
NormGrad batchNormGrad(const Tensor &x, const Tensor &dy, const Tensor *sums, const Tensor &gamma,
                       const Tensor &mean, const Tensor &var, double epsilon);
inline NormGrad batchNormGrad(const Tensor &x, const Tensor &dy, const Tensor &gamma, const Tensor &mean,
                              const Tensor &var, double epsilon) {
  return batchNormGrad(x, dy, nullptr, gamma, mean, var, epsilon);
}
// Of each pixel over its channels.
Tensor layerNorm(const Tensor &x, const Tensor &gamma, const Tensor &beta, double epsilon);
NormGrad layerNormGrad(const Tensor &x, const Tensor &dy, const Tensor &gamma, double epsilon);
// Of each image over the pixels and the channels of each group.
Tensor groupNorm(const Tensor &x, const Tensor &gamma, const Tensor &beta, int64_t groups, double epsilon);
NormGrad groupNormGrad(const Tensor &x, const Tensor &dy, const Tensor &gamma, int64_t groups,
                       double epsilon);
// x where it is above 0, else slope * x: a slope for each channel, or one.
Tensor prelu(const Tensor &x, const Tensor &slope);
struct PreluGrad {
  Tensor dx, dslope;
};
PreluGrad preluGrad(const Tensor &x, const Tensor &dy, const Tensor &slope);
// x * scale per channel.
Tensor scaleChannels(const Tensor &x, const Tensor &scale);
Tensor parameterMap(const Tensor &parameter, int64_t batch); // -> N x 1 x 1 x C
// The same of what has its output channels in dimension 0.
Tensor scaleParameter(const Tensor &x, const Tensor &scale);
// running = (1 - momentum) * running + momentum * batch, the variance unbiased over `count` values.
void updateRunning(Tensor &mean, Tensor &var, const Tensor &batchMean, const Tensor &batchVar,
                   double momentum, int64_t count);
// weight * gamma / sqrt(var + epsilon) per output channel (dimension 0); weight of any rank, gamma itself
// included.
Tensor foldWeight(const Tensor &weight, const Tensor &gamma, const Tensor &var, double epsilon);
// beta + (bias - mean) * gamma / sqrt(var + epsilon); `bias` may be null.
Tensor foldBias(const Tensor &gamma, const Tensor &beta, const Tensor &mean, const Tensor &var,
                const Tensor *bias, double epsilon);

// --- Elementwise.cpp ---
Tensor activate(const Tensor &x, Activation activation);
// From the activation's result, or from its input where derivativeNeedsInput.
Tensor activateGrad(const Tensor &of, const Tensor &dy, Activation activation);
// To the nearest bfloat16, of two to the even one. NaN stays NaN, what is too large becomes infinite.
Tensor roundToBFloat16(Tensor x);
// The second operand has x's shape or is N x 1 x 1 x C or N x H x W x 1.
Tensor add(const Tensor &a, const Tensor &b);
Tensor subtract(const Tensor &a, const Tensor &b);
Tensor multiply(const Tensor &a, const Tensor &b);
Tensor divide(const Tensor &a, const Tensor &b);
enum class ChannelReduction { Sum, Mean, Max };
Tensor reduceChannels(const Tensor &x, ChannelReduction reduction); // -> N x H x W x 1
Tensor pixelDot(const Tensor &a, const Tensor &b);                  // -> N x H x W x 1
Tensor broadcastChannels(const Tensor &x, double factor, int64_t channels);
// To the first channel that is no less than the maximum y, and no more.
Tensor channelMaxGrad(const Tensor &x, const Tensor &y, const Tensor &dy);
Tensor spatialSum(const Tensor &x);                  // -> N x 1 x 1 x C
Tensor spatialDot(const Tensor &a, const Tensor &b); // -> N x 1 x 1 x C
Tensor channelSum(const Tensor &x);                  // -> C
Tensor channelDot(const Tensor &a, const Tensor &b); // -> C

// --- Matrices.cpp ---
// Over equal runs of channels, place by place, or its logarithm; over the pixels of each channel.
Tensor softmax(const Tensor &x, int64_t runs, bool log = false);
Tensor spatialSoftmax(const Tensor &x);
// Of the maps of each image as matrices of pixels and channels; `shape` is the result's.
Tensor matmul(const Tensor &a, const Tensor &b, bool transposeA, bool transposeB,
              const std::vector<int64_t> &shape);

// --- Loss.cpp: losses are means, of shape [1] ---
// Logits have their classes innermost. The label `ignored` does not count; the mean of none is 0. `weights`,
// of classes, may be null.
Tensor softmaxCrossEntropy(const Tensor &logits, const Tensor &labels, double smoothing,
                           std::optional<int64_t> ignored = {}, const Tensor *weights = nullptr);
Tensor softmaxCrossEntropyGrad(const Tensor &logits, const Tensor &labels, double smoothing,
                               std::optional<int64_t> ignored = {}, const Tensor *weights = nullptr);
// How many labels are not ignored, or the sum of their weights; 1 instead of 0.
double countLabels(const Tensor &labels, std::optional<int64_t> ignored, const Tensor *weights = nullptr);
// `target` is null where the function has none.
Tensor pointwiseLoss(const PointwiseFunction &function, const Tensor &x, const Tensor *target);
Tensor pointwiseLossGrad(const PointwiseFunction &function, const Tensor &x, const Tensor *target);

// --- Random.cpp ---
// 0 with probability `rate`, else 1, as vn.keep_mask says; with `image`, one number for each image.
Tensor keepMask(const Tensor &state, const std::vector<int64_t> &shape, double rate, int64_t stream,
                bool image);

} // namespace vernier::interpreter

#endif
