// What a step computes, never how: which tiles, layouts of weights and number of steps there are is for the
// backend to choose. Each problem says what its operands are, those that it reads before those that it
// writes; views say where they lie within their buffers.
#ifndef VERNIER_CODEGEN_PROGRAM_PROBLEMS_H
#define VERNIER_CODEGEN_PROGRAM_PROBLEMS_H

#include "codegen/program/Epilogue.h"
#include "dsl/Pointwise.h"
#include "dsl/Resampling.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace vernier::codegen {

// --- convolutions and linear layers

enum class Direction { Forward, InputGradient };

// The result of a convolution or, as an input gradient, the gradient of its input: `in` is then the gradient
// of its result. A transposed convolution is such a gradient. The window is the convolution's in both. Reads
// in, weight (O x I/groups x R x S), what the epilogue reads; writes out.
struct ConvolutionProblem {
  View in, out;
  std::array<int64_t, 2> kernel{1, 1}, stride{1, 1};
  std::array<int64_t, 2> padding{0,
                                 0}; // before the first row and column; what follows the last is the sizes'
  std::array<int64_t, 2> dilation{1, 1};
  int64_t groups = 1;
  Direction direction = Direction::Forward;
  Epilogue epilogue{};

  bool operator==(const ConvolutionProblem &) const = default;
};

// Weights in a layout that only the backend knows. Reads weight; writes it.
struct WeightLayoutProblem {
  int64_t groups = 1, outputs = 1,
          inputs = 1; // channels per group, of the convolution that multiplies by them
  std::array<int64_t, 2> kernel{1, 1};
  Element element = Element::F32; // of the products
  Direction direction = Direction::Forward;

  bool operator==(const WeightLayoutProblem &) const = default;
};

// Reads x, dy; writes the gradient, O x I/groups x R x S.
struct WeightGradientProblem {
  View x, dy;
  int64_t groups = 1;
  std::array<int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<int64_t, 2> padding{0, 0}; // before the first row and column

  bool operator==(const WeightGradientProblem &) const = default;
};

// --- pools and resampling

enum class PoolKind { Max, Average };

// Reads in; writes out.
struct PoolProblem {
  View in, out;
  std::array<int64_t, 2> kernel{1, 1}, stride{1, 1};
  std::array<int64_t, 4> padding{0, 0, 0, 0}; // top, bottom, left, right
  bool countPadding = true;                   // in averages
  PoolKind kind = PoolKind::Max;

  bool operator==(const PoolProblem &) const = default;
};
// Whether the one window of an average is the map.
bool coversMap(const PoolProblem &pool);
// Windows that share no element.
bool disjointWindows(const PoolProblem &pool);

// Reads, of a max pool, in, out, dy and what the epilogue reads, of an average dy; writes dx. Only where
// windows are disjoint, each element of a max pool's gradient being written once, there is an epilogue:
// addends and a mask.
struct PoolGradientProblem {
  PoolProblem pool;
  View dy, dx;
  Epilogue epilogue;

  bool operator==(const PoolGradientProblem &) const = default;
};

// Sums over H and W of a, or of a times b, or their mean. Reads a, [b]; writes out, N x 1 x 1 x C.
struct SpatialSumProblem {
  View a;
  std::optional<View> b; // of a's shape
  View out;
  bool mean = false;

  bool operator==(const SpatialSumProblem &) const = default;
};

// Over the channels of each pixel: of a, or of a times b. Reads a, [b]; writes out, N x H x W x 1.
enum class ChannelReduction { Sum, Mean, Max };
struct ChannelReductionProblem {
  ChannelReduction reduction = ChannelReduction::Sum;
  View a;
  std::optional<View> b; // of a's shape; in sums
  View out;

  bool operator==(const ChannelReductionProblem &) const = default;
};

// Each channel of out is `factor` times in, N x H x W x 1. Reads in; writes out.
struct ChannelBroadcastProblem {
  View in, out;
  float factor = 1;

  bool operator==(const ChannelBroadcastProblem &) const = default;
};

// dy, N x H x W x 1, goes to the first channel of x that is the maximum y. Reads x, y, dy; writes dx.
struct ChannelMaxGradientProblem {
  View x, y, dy, dx;

  bool operator==(const ChannelMaxGradientProblem &) const = default;
};

// Each pixel of out is `factor` times in, N x 1 x 1 x C. Reads in; writes out.
struct SpatialBroadcastProblem {
  View in, out;
  float factor = 1;

  bool operator==(const SpatialBroadcastProblem &) const = default;
};

// Reads in; writes out.
struct ResizeProblem {
  View in, out;
  bool bilinear = false, alignCorners = false;
  double scale = 0; // the factor that pixels are sampled by; 0: that of the sizes

  bool operator==(const ResizeProblem &) const = default;
};

// Reads the gradient of resize.out; writes that of resize.in.
struct ResizeGradientProblem {
  ResizeProblem resize;

  bool operator==(const ResizeGradientProblem &) const = default;
};

// Weighted sums of runs of rows and columns. `transposed`: `in` is the gradient of the result of a resampling
// whose input has the size of `out`. Reads in; writes out.
struct ResampleProblem {
  View in, out;
  dsl::Resampling kind = dsl::Resampling::AdaptiveAverage;
  bool alignCorners = false, transposed = false;
  double scale = 0; // as of ResizeProblem

  // Of each row (0) or column (1) of `out` what it reads.
  std::vector<dsl::ResamplingRun> runs(int axis) const;
  bool operator==(const ResampleProblem &) const = default;
};

// `in` in `out`, shifted by (top, left); pixels outside are zero or replicate the border, negative shifts
// crop. Reads in; writes out.
struct ShiftProblem {
  View in, out;
  int64_t top = 0, left = 0;
  bool replicate = false;

  bool operator==(const ShiftProblem &) const = default;
};

// Of a border that was replicated. Reads dy; writes dx.
struct ReplicateGradientProblem {
  View dy, dx;
  int64_t top = 0, left = 0;

  bool operator==(const ReplicateGradientProblem &) const = default;
};

// Channel i of group g of `in` becomes channel i * groups + g of `out`. Reads in; writes out.
struct ChannelShuffleProblem {
  View in, out;
  int64_t groups = 1;

  bool operator==(const ChannelShuffleProblem &) const = default;
};

// --- elementwise

enum class Binary { Add, Subtract, Multiply, Divide };
const char *nameOf(Binary op);

// Reads a, b; writes y. b may be N x 1 x 1 x C, N x H x W x 1 or N x 1 x 1 x 1.
struct BinaryProblem {
  Binary op = Binary::Add;
  View a, b, y;
  Activation activation = Activation::None;

  bool perPixel() const { return b.c == 1 && a.c > 1; } // b has one number for all channels
  bool perImage() const { return !perPixel() && b.h * b.w == 1 && a.h * a.w > 1; }

  bool operator==(const BinaryProblem &) const = default;
};

// Reads x; writes y.
struct ActivationProblem {
  View x, y;
  Activation activation = Activation::None;

  bool operator==(const ActivationProblem &) const = default;
};

// Reads y, dy; writes dx.
struct ActivationGradientProblem {
  View y, dy, dx;
  Activation activation = Activation::None;

  bool operator==(const ActivationGradientProblem &) const = default;
};

// y = act(x * scale [+ shift] [+ addend]), scale and shift per channel. Reads x, scale, [shift], [addend];
// writes y.
struct AffineProblem {
  View x, y;
  Activation activation = Activation::None;
  std::optional<View> addend;
  bool shift = true;

  bool operator==(const AffineProblem &) const = default;
};

// Writes y.
struct FillProblem {
  View y;
  float value = 0;

  bool operator==(const FillProblem &) const = default;
};

// Reads x; writes y.
struct CopyProblem {
  View x, y;

  bool operator==(const CopyProblem &) const = default;
};

// Between a map and a caller's array N x C x H x W. Reads the one; writes the other.
struct ArrayProblem {
  View map;
  bool toArray = false;
  bool alone = false; // what lies between the channels of the map's pixels is its own, and never read

  bool operator==(const ArrayProblem &) const = default;
};

// --- batch normalisation in training, gradients of biases

// Moments (Sums) over N, H and W. Reads x; writes the sums, which lie as the backend lays them.
struct BatchSumsProblem {
  View x;

  bool operator==(const BatchSumsProblem &) const = default;
};

// Reads sums, gamma, beta; writes mean, variance, and scale and shift, which normalise.
struct BatchFinishProblem {
  View x;
  int64_t parts = 1; // of the sums
  double epsilon = 0;

  bool operator==(const BatchFinishProblem &) const = default;
};

// Reads mean, variance; writes running_mean, running_var.
struct UpdateRunningProblem {
  int64_t channels = 0;
  double momentum = 0;
  int64_t count = 0; // numbers that each mean is of

  bool operator==(const UpdateRunningProblem &) const = default;
};

// Sums of g = dy masked by y > 0, and of g * (x - mean). Reads x, dy, [y], mean; writes the sums.
struct BatchGradientSumsProblem {
  View x, dy, y;
  Activation activation = Activation::None;

  bool operator==(const BatchGradientSumsProblem &) const = default;
};

// Reads sums, gamma, mean, variance; writes dgamma, dbeta, coefficients [4][C].
struct BatchGradientFinishProblem {
  View x;
  int64_t parts = 1;
  double epsilon = 0;

  bool operator==(const BatchGradientFinishProblem &) const = default;
};

// dx = c0 * g + c1 * (x - c3) + c2. Reads x, dy, [y], coefficients; writes dx.
struct BatchGradientApplyProblem {
  View x, dy, y, dx;
  Activation activation = Activation::None;

  bool operator==(const BatchGradientApplyProblem &) const = default;
};

// --- layer normalisation, over the channels of each pixel

// Reads x, gamma, beta; writes y.
struct LayerNormProblem {
  View x, y;
  double epsilon = 0;

  bool operator==(const LayerNormProblem &) const = default;
};

// Reads x, dy, gamma; writes dx and, for each pixel, its mean and the reciprocal of its deviation.
struct LayerNormGradientProblem {
  View x, dy, dx;
  double epsilon = 0;

  bool operator==(const LayerNormGradientProblem &) const = default;
};

// Sums (Gradient) over N, H and W: of dy, and of dy times x normalised. Reads x, dy, each pixel's mean and
// reciprocal deviation; writes the sums.
struct LayerNormGradientSumsProblem {
  View x, dy;

  bool operator==(const LayerNormGradientSumsProblem &) const = default;
};

// Reads sums; writes dgamma, dbeta.
struct LayerNormGradientFinishProblem {
  View x;
  int64_t parts = 1;

  bool operator==(const LayerNormGradientFinishProblem &) const = default;
};

// --- group normalisation, over the pixels and the channels of each group

// Reads x, gamma, beta; writes y.
struct GroupNormProblem {
  View x, y;
  int64_t groups = 1;
  double epsilon = 0;

  bool operator==(const GroupNormProblem &) const = default;
};

// Reads x, dy, gamma; writes dx, dgamma, dbeta.
struct GroupNormGradientProblem {
  View x, dy, dx;
  int64_t groups = 1;
  double epsilon = 0;

  bool operator==(const GroupNormGradientProblem &) const = default;
};

// --- a rectifier with learned slopes, one for each channel or one

// Reads x, slope; writes y.
struct PreluProblem {
  View x, y;
  bool perChannel = false;

  int64_t slopes() const { return perChannel ? x.c : 1; }
  bool operator==(const PreluProblem &) const = default;
};

// Reads x, dy, slope; writes dx, dslope.
struct PreluGradientProblem {
  View x, dy, dx;
  bool perChannel = false;

  int64_t slopes() const { return perChannel ? x.c : 1; }
  bool operator==(const PreluGradientProblem &) const = default;
};

// --- attention

// Over `runs` equal runs of channels of each pixel, place by place; `log`: its logarithm. Reads x; writes y.
struct SoftmaxProblem {
  View x, y;
  int64_t runs = 1;
  bool log = false;

  bool operator==(const SoftmaxProblem &) const = default;
};

// Over the pixels of each channel of an image. Reads x; writes y.
struct SpatialSoftmaxProblem {
  View x, y;

  bool operator==(const SpatialSoftmaxProblem &) const = default;
};

// Of the maps of each image as matrices with rows of pixels and columns of channels. Reads a, b; writes y.
struct MatmulProblem {
  View a, b, y;
  bool transposeA = false, transposeB = false;

  int64_t rows() const { return y.h * y.w; }
  int64_t inner() const { return transposeA ? a.h * a.w : a.c; }
  bool operator==(const MatmulProblem &) const = default;
};

// Squares of `factor` pixels of the fine map are runs of channels of a pixel of the coarse one, row by row.
// Reads in; writes out, of which the one is fine.
struct BlocksToChannelsProblem {
  View in, out;
  int64_t factor = 1;

  bool toChannels() const { return out.h < in.h || out.w < in.w; }
  bool operator==(const BlocksToChannelsProblem &) const = default;
};

// Over N, H and W: the gradient of a bias. Reads dy; writes the sums, C numbers.
struct ChannelSumsProblem {
  View dy;

  bool operator==(const ChannelSumsProblem &) const = default;
};

// --- batch norm folded into weights

// Reads weight, gamma, variance; writes the folded weight.
struct FoldWeightProblem {
  int64_t outputs = 0, perOutput = 0;
  double epsilon = 0;

  bool operator==(const FoldWeightProblem &) const = default;
};

// Reads gamma, variance; writes what folding multiplies by.
struct FoldScaleProblem {
  int64_t channels = 0;
  double epsilon = 0;

  bool operator==(const FoldScaleProblem &) const = default;
};

// Reads gamma, beta, mean, variance, [bias]; writes the folded bias.
struct FoldBiasProblem {
  int64_t channels = 0;
  bool bias = false;
  double epsilon = 0;

  bool operator==(const FoldBiasProblem &) const = default;
};

// Reads parameter, scale; writes the parameter with each output multiplied.
struct ScaleParameterProblem {
  int64_t outputs = 0, perOutput = 0;

  bool operator==(const ScaleParameterProblem &) const = default;
};

// --- losses

// Reads logits, labels, smoothing, where `weighted` a weight for each class; writes the sum of the losses of
// each row of pixels. A label `ignored` has none.
struct SoftmaxLossProblem {
  View logits;
  std::optional<int64_t> ignored;
  bool weighted = false;

  bool operator==(const SoftmaxLossProblem &) const = default;
};

// Reads logits, labels, smoothing, where labels are ignored or `weighted` what CountLabelsProblem writes,
// where `weighted` the weights; writes the gradient of `weight` times the mean loss.
struct SoftmaxLossGradientProblem {
  View logits, gradient;
  std::optional<int64_t> ignored;
  double weight = 1;
  bool weighted = false;

  bool counted() const { return ignored || weighted; }

  bool operator==(const SoftmaxLossGradientProblem &) const = default;
};

// Reads x and, where the function has one, a target; writes the sum of its values over each row of pixels.
struct PointwiseLossProblem {
  PointwiseFunction function;
  View x, target;

  bool operator==(const PointwiseLossProblem &) const = default;
};

// Reads what PointwiseLossProblem reads; writes the gradient of `weight` times the mean over all elements.
struct PointwiseLossGradientProblem {
  PointwiseFunction function;
  View x, target, gradient;
  double weight = 1;

  bool operator==(const PointwiseLossGradientProblem &) const = default;
};

// Reads labels and, of so many `classes`, 0 without, weights; writes how many of each part are not `ignored`,
// or the sum of their weights; 1 instead of 0.
struct CountLabelsProblem {
  int64_t labels = 1;
  std::optional<int64_t> ignored;
  int64_t parts = 1, classes = 0;

  bool operator==(const CountLabelsProblem &) const = default;
};

// Reads `sums` numbers in so many parts, all of a length, and, where `count` does not say it, of how many
// those of each part are the sum; writes the mean of each.
struct MeanLossProblem {
  int64_t sums = 1;
  std::optional<int64_t> count; // of one part
  int64_t parts = 1;

  bool operator==(const MeanLossProblem &) const = default;
};

// Writes numbers.
struct NumbersProblem {
  std::vector<double> values;

  std::string name() const; // how many, and a digest of them

  bool operator==(const NumbersProblem &) const = default;
};

// Reads `size` numbers for each weight; writes the sums of their products.
struct WeightedSumProblem {
  std::vector<double> weights;
  int64_t size = 1;

  bool operator==(const WeightedSumProblem &) const = default;
};

// Reads two numbers, the state that random ones follow from; writes 0 or 1, as vn.keep_mask says: 0 where
// what is drawn lies below `threshold`. With `image` a whole image is one.
struct KeepMaskProblem {
  View mask;
  uint32_t threshold = 0, stream = 0;
  bool image = false;

  bool operator==(const KeepMaskProblem &) const = default;
};

// --- what follows a training step's gradients: of one parameter, numbers in a row

// One step of stochastic gradient descent (abi.h: update). Reads the gradient, the learning rate, momentum's
// factor, the weight decay, whether it is Nesterov's, whether this parameter is trained; writes the weight,
// its momentum and, where the new weight is not finite, 1.
struct SgdProblem {
  int64_t count = 0;

  bool operator==(const SgdProblem &) const = default;
};

// Reads the gradient and a vn_accumulation; writes the sum and, where the gradient is not finite, 1. At the
// end (VN_END) it writes the gradient, too.
struct AccumulateProblem {
  int64_t count = 0;

  bool operator==(const AccumulateProblem &) const = default;
};

// Reads numbers; where one is not finite it writes 1.
struct CheckFiniteProblem {
  int64_t count = 0;

  bool operator==(const CheckFiniteProblem &) const = default;
};

using Problem = std::variant<
    ConvolutionProblem, WeightLayoutProblem, WeightGradientProblem, PoolProblem, PoolGradientProblem,
    ChannelReductionProblem, ChannelBroadcastProblem, ChannelMaxGradientProblem, SpatialSumProblem,
    SpatialBroadcastProblem, ResizeProblem, ResizeGradientProblem, ResampleProblem, ShiftProblem,
    ReplicateGradientProblem, ChannelShuffleProblem, BinaryProblem, ActivationProblem,
    ActivationGradientProblem, AffineProblem, FillProblem, CopyProblem, ArrayProblem, BatchSumsProblem,
    BatchFinishProblem, UpdateRunningProblem, BatchGradientSumsProblem, BatchGradientFinishProblem,
    BatchGradientApplyProblem, LayerNormProblem, LayerNormGradientProblem, LayerNormGradientSumsProblem,
    LayerNormGradientFinishProblem, GroupNormProblem, GroupNormGradientProblem, PreluProblem,
    PreluGradientProblem, SoftmaxProblem, SpatialSoftmaxProblem, MatmulProblem, BlocksToChannelsProblem,
    ChannelSumsProblem, FoldWeightProblem, FoldScaleProblem, FoldBiasProblem, ScaleParameterProblem,
    SoftmaxLossProblem, SoftmaxLossGradientProblem, PointwiseLossProblem, PointwiseLossGradientProblem,
    CountLabelsProblem, MeanLossProblem, NumbersProblem, WeightedSumProblem, KeepMaskProblem, SgdProblem,
    AccumulateProblem, CheckFiniteProblem>;

// "convolution", "pool_gradient".
const char *nameOf(const Problem &problem);
// Multiply-adds as the papers count them: of convolutions and linear layers and of their gradients.
int64_t macsOf(const Problem &problem);
// The name, and all that the problem says: "convolution 1x56x56x64 to 1x56x56x64 3x3 padding 1x1 _bias_relu".
std::string textOf(const Problem &problem);

} // namespace vernier::codegen

#endif
