// The kernels that the CPU backend can generate. Each function takes a kernel's legal parameters and returns
// its definition: name (the grammar is in docs/kernel-names.md), number of tasks and the writer of its loop
// nest. Equal parameters give equal names; nothing else does, so that a name is the kernel's identity.
#ifndef VERNIER_CODEGEN_CPU_KERNELS_KERNELS_H
#define VERNIER_CODEGEN_CPU_KERNELS_KERNELS_H

#include "codegen/cpu/emit/Emit.h"
#include "codegen/program/Problems.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vernier::codegen {

struct KernelCode {
  KernelDefinition definition;
  int64_t tasks = 1;
};

// Two sums for each channel (codegen/program/Epilogue.h), of which each task of the kernel that adds them up
// writes its own part, in double: [part][2][channels in whole vectors].
int64_t sumsElements(int64_t parts, int64_t channels, const Target &target); // doubles

// --- convolution: Convolution.cpp
// ------------------------------------------------------------------------------------

// The weight rows (or columns) that an output row meets: tap t reads input row `row * inStep + offset + t *
// offsetStep` with weight row `index + t * indexStep`.
struct Taps {
  int64_t count = 1, offset = 0, offsetStep = 1, index = 0, indexStep = 1;

  bool operator==(const Taps &) const = default;
};

// Output positions outStart + i * outStep, i in [0, count), along one axis.
struct Axis {
  int64_t count = 1, outStart = 0, outStep = 1, inStep = 1;
  Taps taps;

  // Whether the output, of `extent` positions, ends before another one.
  bool coversAll(int64_t extent) const { return count == ceilDiv(extent - outStart, outStep); }
  bool operator==(const Axis &) const = default;
};

// Register tile: `pixels` x (`vectors` * lanes) accumulators.
struct Tile {
  int64_t pixels = 1, vectors = 1;

  bool operator==(const Tile &) const = default;
};

// Weights as the register-tiled kernel reads them: [groups][block of vectors * lanes output
// channels][R][S][C][block]. The last block of a group is only as many vectors wide as it needs. bfloat16
// weights lie in pairs of inputs, [C/2][block][2]; the input before the last of an odd number is in two
// pairs, with half of its weight in each.
struct PackedWeights {
  int64_t groups = 1, outputs = 1, inputs = 1; // channels per group
  int64_t rows = 1, columns = 1;               // R, S
  int64_t vectors = 1, lanes = 1;
  Element element = Element::F32;

  int64_t block() const { return vectors * lanes; }
  int64_t paddedOutputs() const { return ceilDiv(outputs, lanes) * lanes; }
  int64_t inputsTogether() const { return element == Element::BF16 ? 2 : 1; } // in one multiply-add
  int64_t paddedInputs() const { return ceilDiv(inputs, inputsTogether()) * inputsTogether(); }
  int64_t groupElements() const { return paddedOutputs() * paddedInputs() * rows * columns; }
  int64_t elements() const { return groups * groupElements(); }
  KernelOperand operand() const { return {elements(), element}; }
  std::string name() const;
  bool operator==(const PackedWeights &) const = default;
};

// operands: input, packed weights, the epilogue's, output.
struct ConvolutionSpec {
  View in, out; // all groups
  PackedWeights weights;
  Axis rows, columns;
  int64_t chunk = 0; // output columns of one task; 0: whole rows
  Tile tile;
  bool weightsOuter = false;
  int64_t rowGroup =
      0; // tasks along the rows that pass over all weights before the next ones do; 0: weightsOuter
  Epilogue epilogue;

  // Tasks with the same output channels: each writes one part of the epilogue's sums.
  int64_t rowTasks() const { return chunk ? ceilDiv(columns.count, chunk) : rows.count; }
  int64_t parts() const { return in.n * rowTasks(); }
  // Whether no two blocks of channels share a vector of the sums.
  bool fitsSums() const { return weights.groups == 1 || weights.outputs % weights.lanes == 0; }
  bool operator==(const ConvolutionSpec &) const = default;
};

// The convolution itself; a stride-1 1x1 one over dense pixels becomes one long row.
ConvolutionSpec convolutionForward(const View &in, const View &out, std::array<int64_t, 2> kernel,
                                   std::array<int64_t, 2> stride, std::array<int64_t, 2> padding,
                                   std::array<int64_t, 2> dilation, int64_t groups, const Target &target);
// The gradient of its input: one convolution of dy for each residue of the input position modulo the stride.
// `weights` of all of them is the same packed, transposed weight.
std::vector<ConvolutionSpec>
convolutionInputGradient(const View &dy, const View &dx, std::array<int64_t, 2> kernel,
                         std::array<int64_t, 2> stride, std::array<int64_t, 2> padding,
                         std::array<int64_t, 2> dilation, int64_t groups, const Target &target);
KernelCode convolution(const ConvolutionSpec &spec, const Target &target);

// O x I/groups x R x S to packed. `transposed` swaps the roles of inputs and outputs within each group, for
// the input gradient. operands: weight, packed.
KernelCode packWeights(const PackedWeights &packed, bool transposed);

// --- grouped convolution with few channels in a group: GroupedConvolution.cpp
// ------------------------------------------

// Of inputs and outputs a group has at most half as many as a vector has lanes (1 and 1: depthwise). A vector
// has as many whole groups as fit, of inputs and of outputs, which leaves lanes unused where a group's width
// does not divide them, or is that of its inputs. Weights, of the input's type:
// [vector of outputs][R][S][input within group][lanes]; bfloat16 ones in pairs of inputs within the group,
// [pair][lanes][2], where their number is even.
struct GroupedWeights {
  int64_t groups = 1, inputs = 1, outputs = 1; // of a group
  int64_t rows = 1, columns = 1;               // R, S
  Element element = Element::F32;

  int64_t groupsTogether(int64_t lanes) const { return lanes / std::max(inputs, outputs); } // in a vector
  int64_t vectors(int64_t lanes) const { return ceilDiv(groups, groupsTogether(lanes)); }
  int64_t elementsPerLane() const { return rows * columns * inputs; }
  KernelOperand operand(int64_t lanes) const { return {vectors(lanes) * lanes * elementsPerLane(), element}; }
  int64_t inputsTogether() const { return element == Element::BF16 && inputs % 2 == 0 ? 2 : 1; }
  bool operator==(const GroupedWeights &) const = default;
};

struct GroupedSpec {
  View in, out;
  GroupedWeights weights;
  Axis rows, columns;
  Epilogue epilogue;

  int64_t parts() const { return in.n * rows.count; } // of the epilogue's sums
  // Whether no two vectors of channels share a vector of the sums.
  bool fitsSums(int64_t lanes) const { return weights.groupsTogether(lanes) * weights.outputs == lanes; }
  bool operator==(const GroupedSpec &) const = default;
};
// Lane j takes input `c` of its own group; lanes behind the last whole group take any.
llvm::SmallVector<int64_t> groupLanes(int64_t lanes, int64_t inputs, int64_t outputs, int64_t c);
bool fitsGrouped(int64_t inputs, int64_t outputs, int64_t groups, const Target &target);
KernelCode groupedConvolution(const GroupedSpec &spec, const Target &target);
KernelCode packGroupedWeights(const GroupedWeights &weights, bool transposed, const Target &target);

// --- gradients of weights: WeightGradient.cpp
// --------------------------------------------------------------------------

// What a block of products, whose sum is added to the totals, consists of: all pixels of a part, several
// images, rows of an image, or columns of a row.
enum class BlockOf { All, Images, Rows, Columns };

// The gradient as the kernel adds it up, in parts and tiles.
struct WeightGradientLayout {
  // Channels per group: of one map they lie in lanes, of the other one at a time is broadcast.
  int64_t broadcast = 1, inLanes = 1;
  bool inputsInLanes = false; // and the outputs broadcast
  int64_t vectors = 1, tileBroadcast = 1;
  int64_t blocks = 1, tiles = 1, parts = 1, lanes = 1;
  int64_t groupsTogether = 0; // whose outputs lie in a vector; 0: those of one. See GroupedConvolution.cpp
  BlockOf blockOf = BlockOf::All;
  int64_t blockLength = 1; // in images, rows or columns
  Element totals = Element::F32;

  bool grouped() const { return groupsTogether > 0; }
  int64_t block() const { return vectors * lanes; }
  int64_t tileElements() const { return tileBroadcast * block(); }
  bool operator==(const WeightGradientLayout &) const = default;
};
WeightGradientLayout weightGradientLayout(const WeightGradientProblem &problem, const Target &target);
KernelOperand weightGradientTotals(const WeightGradientProblem &problem, const WeightGradientLayout &layout);
// Floats that the kernel needs beside the totals; 0 where it takes no scratch.
int64_t weightGradientScratch(const WeightGradientProblem &problem, const WeightGradientLayout &layout);
// operands: x, dy, totals, [scratch].
KernelCode weightGradient(const WeightGradientProblem &problem, const WeightGradientLayout &layout);

// Totals to O x I/groups x R x S.
struct UnpackWeightGradient {
  int64_t outputs = 1, inputs = 1; // all outputs, inputs per group
  int64_t groups = 1;
  std::array<int64_t, 2> kernel{1, 1};
  WeightGradientLayout layout;

  UnpackWeightGradient(const WeightGradientProblem &problem, const WeightGradientLayout &layout);
  bool operator==(const UnpackWeightGradient &) const = default;
};
KernelCode unpackWeightGradient(const UnpackWeightGradient &unpack); // totals, gradient

// --- pooling and resampling: MaxPool.cpp, Pooling.cpp, *PoolAlong.cpp, Resampling.cpp
// ---------------------------------------------------------------

KernelCode averagePool(const PoolProblem &spec, const Target &target); // x, y
KernelCode maxPool(const PoolProblem &spec, const Target &target);     // x, y
// A gradient's kernel may add other gradients of the same map and apply the gradient of an activation before
// it (both as in Epilogue) where it writes each element once: of disjoint windows. operands: x, y, dy,
// addends, [mask], dx, [scratch].
KernelCode maxPoolGradient(const PoolProblem &spec, const View &dy, const View &dx, const Epilogue &epilogue,
                           const Target &target);
// In doubles; 0: none.
int64_t maxPoolGradientScratch(const PoolProblem &spec, const View &dx, const Target &target);
// A pool along one axis after the other: of one row (axis 1), then of one column (axis 0), so that the
// first of equal elements remains the first; without an axis where nothing is to be done. Each takes as long
// for any window, where one pass takes as long as its window is large.
struct AxisPool {
  PoolProblem spec;
  int axis = 0;

  bool operator==(const AxisPool &) const = default;
};
std::vector<AxisPool> poolAxes(const PoolProblem &spec);
bool fasterAlongAxes(const PoolProblem &spec);
bool gradientFasterAlongAxes(const PoolProblem &spec);
KernelCode maxPoolAlong(const AxisPool &pool, const Target &target); // x, y
// operands: x, dy, dx, [scratch].
KernelCode maxPoolGradientAlong(const AxisPool &pool, const View &dy, const View &dx, const Target &target);
// In doubles; 0: none.
int64_t maxPoolGradientAlongScratch(const AxisPool &pool, const View &dy, const View &dx,
                                    const Target &target);
KernelCode averagePoolGradient(const PoolProblem &spec, const Target &target); // dy (spec.out), dx (spec.in)
// Averages' axes: what lies between them is float32.
std::vector<AxisPool> averageAxes(const PoolProblem &spec);
bool averageFasterAlongAxes(const PoolProblem &spec);
bool averageGradientFasterAlongAxes(const PoolProblem &spec);
KernelCode averagePoolAlong(const AxisPool &pool, const Target &target);         // x, y
KernelCode averagePoolGradientAlong(const AxisPool &pool, const Target &target); // dy, dx

// Sums over pixels are in double beyond a few terms: SpatialSums.cpp
// Large maps are summed in parts, of which a second kernel makes `out`.
int64_t spatialParts(const SpatialSumProblem &sum, const Target &target);
int64_t spatialSumsElements(const SpatialSumProblem &sum, const Target &target); // doubles, of all parts
// operands: a, [b], out; or, where there are several parts: a, [b], sums.
KernelCode spatialSums(const SpatialSumProblem &sum, const Target &target);
KernelCode spatialSumsFinish(const SpatialSumProblem &sum, const Target &target); // sums, out
KernelCode spatialBroadcast(const View &in, const View &out, float factor,
                            const Target &target); // N x 1 x 1 x C, y

KernelCode resize(const ResizeProblem &spec, const Target &target); // x, y
// dy (spec.out), dx (spec.in), [scratch]
KernelCode resizeGradient(const ResizeProblem &spec, const Target &target);
int64_t resizeGradientScratch(const ResizeProblem &spec, const Target &target); // doubles; 0: none
// Resample.cpp.
KernelCode resample(const ResampleProblem &spec, const Target &target); // x, y

// Copies `in` into `out` shifted by (top, left); pixels outside are zero or replicate the border. Negative
// shifts crop.
KernelCode shiftCopy(const View &in, const View &out, int64_t top, int64_t left, bool replicate,
                     const Target &target);
// dy, dx, [scratch]
KernelCode replicateGradient(const View &dy, const View &dx, int64_t top, int64_t left, const Target &target);
int64_t replicateGradientScratch(const View &dy, const View &dx, const Target &target); // doubles; 0: none

// Channel i of group g of `in` becomes channel i * groups + g of `out`. ChannelShuffle.cpp
KernelCode channelShuffle(const View &in, const View &out, int64_t groups, const Target &target);

// --- elementwise, normalisation, losses, layouts
// ----------------------------------------------------------------------

// operands: a, b, y; b may be N x 1 x 1 x C.
KernelCode binary(const BinaryProblem &problem, const Target &target); // operands: a, b, y
KernelCode activate(const View &x, const View &y, Activation activation, const Target &target);
KernelCode activateGradient(const View &y, const View &dy, const View &dx, Activation activation,
                            const Target &target);
// operands: x, scale, [shift], [addend], y.
KernelCode affine(const AffineProblem &problem, const Target &target);
KernelCode fill(const View &y, float value, const Target &target);

// Batch statistics over N, H and W: sums in parts (see Sums), each over a chunk of rows where a kernel of
// their own computes them.
int64_t statisticsChunks(const View &x);
KernelCode batchSums(const View &x, const Target &target); // x, sums: Moments
// operands: sums, gamma, beta, mean, variance, scale, shift.
KernelCode batchFinish(const View &x, int64_t parts, double epsilon, const Target &target);
// operands: mean, variance, running_mean, running_var.
KernelCode updateRunning(int64_t channels, double momentum, double count, const Target &target);
// Sums::Gradient of g = dy masked by y > 0 for relu. operands: x, dy, [y], mean, sums.
KernelCode batchGradientSums(const View &x, const View &dy, const View &y, Activation activation,
                             const Target &target);
// operands: sums, gamma, mean, var, dgamma, dbeta, coefficients [4][C].
KernelCode batchGradientFinish(const View &x, int64_t parts, double epsilon, const Target &target);
// dx = c0 * g + c1 * (x - c3) + c2. operands: x, dy, [y], coefficients, dx.
KernelCode batchGradientApply(const View &x, const View &dy, const View &y, const View &dx,
                              Activation activation, const Target &target);
// operands: dy, sums / sums, sum: gradient of a bias.
KernelCode channelSums(const View &dy, const Target &target);
KernelCode channelSumsFinish(const View &dy, const Target &target);

// Over the channels of each pixel. operands: a, [b], out; in, out; x, y, dy, dx.
KernelCode channelReduction(const ChannelReductionProblem &problem, const Target &target);
KernelCode channelBroadcast(const ChannelBroadcastProblem &problem, const Target &target);
KernelCode channelMaxGradient(const ChannelMaxGradientProblem &problem, const Target &target);
// Layer normalisation over the channels of each pixel. operands: x, gamma, beta, y.
KernelCode layerNorm(const LayerNormProblem &problem, const Target &target);
// operands: x, dy, gamma, dx, statistics [pixel][mean, 1 / deviation].
KernelCode layerNormGradient(const LayerNormGradientProblem &problem, const Target &target);
// Sums over N, H and W of dy and of dy times x normalised. operands: x, dy, statistics, sums.
KernelCode layerNormGradientSums(const LayerNormGradientSumsProblem &problem, const Target &target);
// operands: sums, dgamma, dbeta.
KernelCode layerNormGradientFinish(const LayerNormGradientFinishProblem &problem, const Target &target);
// Group normalisation, in three kernels: sums of parts of each image, what normalises its channels, and that
// applied. operands: x, sums; sums, gamma, work, coefficients; x, beta, coefficients, y.
KernelCode groupNormSums(const GroupNormProblem &problem, const Target &target);
KernelCode groupNormFinish(const GroupNormProblem &problem, const Target &target);
KernelCode groupNormApply(const GroupNormProblem &problem, const Target &target);
// operands: x, dy, sums; sums, gamma, work, coefficients, parts of dbeta and dgamma, one for each image; x,
// dy, coefficients, dx.
KernelCode groupNormGradientSums(const GroupNormGradientProblem &problem, const Target &target);
KernelCode groupNormGradientFinish(const GroupNormGradientProblem &problem, const Target &target);
KernelCode groupNormGradientApply(const GroupNormGradientProblem &problem, const Target &target);
// Doubles that their first two kernels leave.
int64_t groupNormSumsElements(const View &x, bool gradient, const Target &target);
int64_t groupNormWorkElements(const View &x, bool gradient, const Target &target);
int64_t groupNormCoefficients(const View &x, bool gradient); // floats

// A rectifier with learned slopes. operands: x, slope, y.
KernelCode prelu(const PreluProblem &problem, const Target &target);
// operands: x, dy, slope, dx; x, dy, sums; sums, dslope.
KernelCode preluGradient(const PreluGradientProblem &problem, const Target &target);
KernelCode preluGradientSums(const PreluGradientProblem &problem, const Target &target);
KernelCode preluGradientFinish(const PreluGradientProblem &problem, const Target &target);

// operands: x, y.
KernelCode softmax(const SoftmaxProblem &problem, const Target &target);
KernelCode spatialSoftmax(const SpatialSoftmaxProblem &problem, const Target &target);
// A transposed b has its columns as rows, in float32 and padded to whole vectors. operands: b, transposed b;
// a, b or transposed b, y.
KernelCode transposeMatrix(const MatmulProblem &problem, const Target &target);
KernelCode matmul(const MatmulProblem &problem, const Target &target);
int64_t transposedElements(const View &b, const Target &target);
KernelCode blocksToChannels(const BlocksToChannelsProblem &problem, const Target &target); // in, out

// Each output of a parameter times a number of its own. operands: parameter, scale, scaled parameter.
KernelCode scaleParameter(int64_t outputs, int64_t perOutput);

// operands: weight, gamma, var, folded weight.
KernelCode foldWeight(int64_t outputs, int64_t perOutput, double epsilon);
KernelCode foldScale(int64_t channels, double epsilon); // gamma, var, scale
// operands: gamma, beta, mean, var, [bias], folded bias.
KernelCode foldBias(int64_t channels, bool bias, double epsilon);

// operands: logits, labels, smoothing, [count of those that are not ignored,] sums of rows or gradient.
KernelCode softmaxLoss(const SoftmaxLossProblem &problem, const Target &target);
KernelCode softmaxLossGradient(const SoftmaxLossGradientProblem &problem, const Target &target);
// operands: x, [target,] sums of rows or gradient.
KernelCode pointwiseLoss(const PointwiseLossProblem &problem, const Target &target);
KernelCode pointwiseLossGradient(const PointwiseLossGradientProblem &problem, const Target &target);
KernelCode countLabels(const CountLabelsProblem &problem); // labels, [weights,] count
KernelCode meanLoss(const MeanLossProblem &problem);       // sums, [count,] mean
KernelCode numbers(const NumbersProblem &problem);         // numbers
KernelCode weightedSum(const WeightedSumProblem &problem); // terms, sum

KernelCode keepMask(const KeepMaskProblem &problem, const Target &target); // state, mask

KernelCode fromChannelsFirst(const View &y, const Target &target); // N x C x H x W to y
KernelCode toChannelsFirst(const View &x, const Target &target);
KernelCode copy(const View &x, const View &y, const Target &target);

// --- after the gradients: Optimizer.cpp
// ------------------------------------------------------------------------------------

// Numbers of a task.
inline constexpr int64_t kOptimizerBlock = 16;

KernelCode sgd();
KernelCode accumulateGradient();
KernelCode checkFinite();

} // namespace vernier::codegen

#endif
