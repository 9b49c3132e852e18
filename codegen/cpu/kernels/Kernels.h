// The kernels that the CPU backend can generate. Each function takes a kernel's legal parameters and returns
// its definition: name (the grammar is in docs/kernel-names.md), number of tasks and the writer of its loop
// nest. Equal parameters give equal names; nothing else does, so that a name is the kernel's identity.
#ifndef VERNIER_CODEGEN_CPU_KERNELS_KERNELS_H
#define VERNIER_CODEGEN_CPU_KERNELS_KERNELS_H

#include "codegen/cpu/emit/Emit.h"
#include "codegen/program/Epilogue.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vernier::codegen {

struct Kernel {
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
  int64_t rowGroup = 0; // tasks along the rows that pass over all weights before the next ones do
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
                                   std::array<int64_t, 2> stride, std::array<int64_t, 4> padding,
                                   std::array<int64_t, 2> dilation, int64_t groups, const Target &target);
// The gradient of its input: one convolution of dy for each residue of the input position modulo the stride.
// `weights` of all of them is the same packed, transposed weight.
std::vector<ConvolutionSpec>
convolutionInputGradient(const View &dy, const View &dx, std::array<int64_t, 2> kernel,
                         std::array<int64_t, 2> stride, std::array<int64_t, 4> padding,
                         std::array<int64_t, 2> dilation, int64_t groups, const Target &target);
Kernel convolution(const ConvolutionSpec &spec, const Target &target);

// O x I/groups x R x S to packed. `transposed` swaps the roles of inputs and outputs within each group, for
// the input gradient. operands: weight, packed.
Kernel packWeights(const PackedWeights &packed, bool transposed);

// --- grouped convolution with few channels in a group: GroupedConvolution.cpp
// ------------------------------------------

// As many input as output channels per group, a divisor of the vector width (1: depthwise). Weights, of the
// input's type: [vector of channels][R][S][channel within group][lanes]; bfloat16 ones in pairs of channels
// within the group, [pair][lanes][2], except for depthwise convolutions.
struct GroupedSpec {
  View in, out;
  int64_t perGroup = 1;
  int64_t kernelRows = 1, kernelColumns = 1; // of the weights
  Axis rows, columns;
  Epilogue epilogue;

  int64_t parts() const { return in.n * rows.count; } // of the epilogue's sums
  int64_t weightElements(int64_t lanes) const {
    return (out.c + lanes - 1) / lanes * lanes * kernelRows * kernelColumns * perGroup;
  }
  KernelOperand weightOperand(int64_t lanes) const { return {weightElements(lanes), in.element}; }
  int64_t inputsTogether() const { return in.element == Element::BF16 && perGroup > 1 ? 2 : 1; }
  bool operator==(const GroupedSpec &) const = default;
};
bool fitsGrouped(int64_t inputs, int64_t outputs, int64_t groups, const Target &target);
Kernel groupedConvolution(const GroupedSpec &spec, const Target &target);
Kernel packGroupedWeights(const GroupedSpec &spec, bool transposed, const Target &target);

// --- gradients of weights: WeightGradient.cpp
// --------------------------------------------------------------------------

struct WeightGradientSpec {
  View x, dy;
  int64_t groups = 1;
  std::array<int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<int64_t, 4> padding{0, 0, 0, 0};
};
// operands: x, dy, totals, [scratch].
Kernel weightGradient(const WeightGradientSpec &spec, const Target &target);
// The gradient as the kernel adds it up, in parts and tiles.
KernelOperand weightGradientTotals(const WeightGradientSpec &spec, const Target &target);
// Floats that the kernel needs beside it; 0 where it takes no scratch.
int64_t weightGradientScratch(const WeightGradientSpec &spec, const Target &target);
// Totals to O x I/groups x R x S. operands: totals, gradient.
Kernel unpackWeightGradient(const WeightGradientSpec &spec, const Target &target);

// --- pooling and resampling: MaxPool.cpp, MaxPoolAlong.cpp, Pooling.cpp, Resampling.cpp
// ---------------------------------------------------------------

struct PoolSpec {
  View in, out;
  std::array<int64_t, 2> kernel{1, 1}, stride{1, 1};
  std::array<int64_t, 4> padding{0, 0, 0, 0};
  bool countPadding = true;
};
Kernel averagePool(const PoolSpec &spec, const Target &target); // x, y
Kernel maxPool(const PoolSpec &spec, const Target &target);     // x, y
// Whether the one window of an average is the map.
bool coversMap(const PoolSpec &spec);
// Windows that share no element.
bool disjointWindows(const PoolSpec &spec);
// A gradient's kernel may add other gradients of the same map and apply the gradient of an activation before
// it (both as in Epilogue) where it writes each element once: of disjoint windows. operands: x, y, dy,
// addends, [mask], dx.
Kernel maxPoolGradient(const PoolSpec &spec, const View &dy, const View &dx, const Epilogue &epilogue,
                       const Target &target);
// A max pool along one axis after the other: of one row (axis 1), then of one column (axis 0), so that the
// first of equal elements remains the first; without an axis where nothing is to be done. Each takes as long
// for any window, where one pass takes as long as its window is large.
struct AxisPool {
  PoolSpec spec;
  int axis;
};
std::vector<AxisPool> poolAxes(const PoolSpec &spec);
bool fasterAlongAxes(const PoolSpec &spec);
bool gradientFasterAlongAxes(const PoolSpec &spec);
Kernel maxPoolAlong(const AxisPool &pool, const Target &target); // x, y
// operands: x, y, dy, dx.
Kernel maxPoolGradientAlong(const AxisPool &pool, const View &dy, const View &dx, const Target &target);
Kernel averagePoolGradient(const PoolSpec &spec, const Target &target); // dy (spec.out), dx (spec.in)

// out = sum over H and W of a, or of a times b, or the mean: in double beyond a few terms. SpatialSums.cpp
struct SpatialSum {
  View a;
  std::optional<View> b; // of a's shape
  View out;              // N x 1 x 1 x C
  bool mean = false;
};
// Large maps are summed in parts, of which a second kernel makes `out`.
int64_t spatialParts(const SpatialSum &sum);
int64_t spatialSumsElements(const SpatialSum &sum, const Target &target); // doubles, of all parts
// operands: a, [b], out; or, where there are several parts: a, [b], sums.
Kernel spatialSums(const SpatialSum &sum, const Target &target);
Kernel spatialSumsFinish(const SpatialSum &sum, const Target &target); // sums, out
Kernel spatialBroadcast(const View &in, const View &out, float factor,
                        const Target &target); // N x 1 x 1 x C, y

struct ResizeSpec {
  View in, out;
  bool bilinear = false, alignCorners = false;
  double scale = 0; // the factor that pixels are sampled by; 0: that of the sizes
};
Kernel resize(const ResizeSpec &spec, const Target &target); // x, y
// dy (spec.out), dx (spec.in), [scratch]
Kernel resizeGradient(const ResizeSpec &spec, const Target &target);
int64_t resizeGradientScratch(const ResizeSpec &spec, const Target &target); // doubles; 0: none

// Copies `in` into `out` shifted by (top, left); pixels outside are zero or replicate the border. Negative
// shifts crop.
Kernel shiftCopy(const View &in, const View &out, int64_t top, int64_t left, bool replicate,
                 const Target &target);
// dy, dx, [scratch]
Kernel replicateGradient(const View &dy, const View &dx, int64_t top, int64_t left, const Target &target);
int64_t replicateGradientScratch(const View &dy, const View &dx, const Target &target); // doubles; 0: none

// Channel i of group g of `in` becomes channel i * groups + g of `out`. ChannelShuffle.cpp
Kernel channelShuffle(const View &in, const View &out, int64_t groups, const Target &target);

// --- elementwise, normalisation, losses, layouts
// ----------------------------------------------------------------------

enum class Binary { Add, Multiply };
// operands: a, b, y; b may be N x 1 x 1 x C.
Kernel binary(Binary op, const View &a, const View &b, const View &y, Activation activation,
              const Target &target);
Kernel activate(const View &x, const View &y, Activation activation, const Target &target);
Kernel activateGradient(const View &y, const View &dy, const View &dx, Activation activation,
                        const Target &target);
// y = act(x * scale + shift [+ addend]), scale and shift per channel. operands: x, scale, shift, [addend], y.
Kernel affine(const View &x, const View &y, Activation activation, const Target &target,
              std::optional<View> addend = {});
Kernel fill(const View &y, float value, const Target &target);

// Batch statistics over N, H and W: sums in parts (see Sums), each over a chunk of rows where a kernel of
// their own computes them.
int64_t statisticsChunks(const View &x);
Kernel batchSums(const View &x, const Target &target); // x, sums: Moments
// operands: sums, gamma, beta, mean, variance, scale, shift.
Kernel batchFinish(const View &x, int64_t parts, double epsilon, const Target &target);
// operands: mean, variance, running_mean, running_var.
Kernel updateRunning(int64_t channels, double momentum, double count, const Target &target);
// Sums::Gradient of g = dy masked by y > 0 for relu. operands: x, dy, [y], mean, sums.
Kernel batchGradientSums(const View &x, const View &dy, const View &y, Activation activation,
                         const Target &target);
// operands: sums, gamma, mean, var, dgamma, dbeta, coefficients [4][C].
Kernel batchGradientFinish(const View &x, int64_t parts, double epsilon, const Target &target);
// dx = c0 * g + c1 * (x - c3) + c2. operands: x, dy, [y], coefficients, dx.
Kernel batchGradientApply(const View &x, const View &dy, const View &y, const View &dx, Activation activation,
                          const Target &target);
// operands: dy, sums / sums, sum: gradient of a bias.
Kernel channelSums(const View &dy, const Target &target);
Kernel channelSumsFinish(const View &dy, const Target &target);

// operands: weight, gamma, var, folded weight.
Kernel foldWeight(int64_t outputs, int64_t perOutput, double epsilon);
Kernel foldScale(int64_t channels, double epsilon); // gamma, var, scale
// operands: gamma, beta, mean, var, [bias], folded bias.
Kernel foldBias(int64_t channels, bool bias, double epsilon);

// operands: logits, labels, smoothing, loss per image / loss per image, loss.
Kernel softmaxLoss(int64_t batch, int64_t classes, const Target &target);
Kernel meanLoss(int64_t count);
Kernel softmaxGradient(int64_t batch, int64_t classes,
                       const Target &target);                            // logits, labels, smoothing, dlogits
Kernel binaryLoss(int64_t batch, int64_t classes, const Target &target); // logits, targets, loss per image
Kernel binaryGradient(int64_t batch, int64_t classes, const Target &target); // logits, targets, dlogits

Kernel fromChannelsFirst(const View &y, const Target &target); // N x C x H x W to y
Kernel toChannelsFirst(const View &x, const Target &target);
Kernel copy(const View &x, const View &y, const Target &target);

} // namespace vernier::codegen

#endif
