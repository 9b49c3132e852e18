// Winograd convolution F(m x m, 3 x 3): m x m outputs of a 3x3 convolution of stride 1 from (m + 2)^2
// products instead of 9 m^2.
//
// A tile of (m + 2) x (m + 2) inputs d and the weights g become V = B^T d B and U = G g G^T; the tile's
// outputs are A^T (U . V) A, where the products are summed over the input channels in between. For each of
// the (m + 2)^2 places of a tile that sum is a matrix product [tiles x C] x [C x K], the register-tiled loop
// of the direct convolution. Tiles overlap by two pixels; those that hang over the border read zeros and
// store what exists.
#ifndef VERNIER_CODEGEN_CPU_KERNELS_WINOGRAD_H
#define VERNIER_CODEGEN_CPU_KERNELS_WINOGRAD_H

#include "codegen/cpu/kernels/Kernels.h"

#include <optional>

namespace vernier::codegen {

// --- the transforms: WinogradTransforms.cpp

// The Toom-Cook transform with the points 0, +-p of each pair, and infinity. For m = 4 the pairs are
// sqrt(1/2) and sqrt(2): half the noise gain of the usual 1 and 2, and as few operations.
struct WinogradTransforms {
  int64_t outputs = 4;       // m
  std::vector<double> pairs; // rows and columns below: 0, +p, -p of each pair, infinity

  explicit WinogradTransforms(int64_t outputs);
  int64_t size() const { return outputs + 2; }
  int64_t places() const { return size() * size(); }

  using Matrix = std::vector<std::vector<double>>;
  Matrix input() const;  // B^T, size x size
  Matrix weight() const; // G, size x 3
  Matrix output() const; // A^T, m x size
  // By how much more than a direct convolution's the rounding errors of the products are: the ratio of
  // standard deviations for independent inputs and weights, sqrt(mean_i sum_f A_if^2 |G_f|^2 |B_f|^2 / 3)
  // along each of the two axes.
  double noiseGain() const;
};

// --- the kernels: Winograd.cpp

// [block of vectors * lanes output channels][place][C][block]; the last block is only as many vectors wide as
// it needs.
struct WinogradWeights {
  int64_t transform = 4; // m
  int64_t outputs = 1, inputs = 1, vectors = 1, lanes = 1;

  int64_t places() const { return (transform + 2) * (transform + 2); }
  int64_t block() const { return vectors * lanes; }
  int64_t blocks() const { return ceilDiv(outputs, block()); }
  int64_t paddedOutputs() const { return ceilDiv(outputs, lanes) * lanes; }
  int64_t elements() const { return paddedOutputs() * inputs * places(); }
  std::string name() const;
  bool operator==(const WinogradWeights &) const = default;
};

// Tiles are numbered over images, rows and columns, and go through the kernels in groups. Either one kernel
// does all, a task for a number of groups, so that transformed inputs stay in the core's cache; or (`split`)
// one transforms the inputs of all groups and a second has a task for each group and block of output
// channels.
struct WinogradSpec {
  View in, out;
  int64_t top = 1, left = 1; // padding
  WinogradWeights weights;
  int64_t group = 1;         // tiles
  int64_t registerTiles = 1; // x weights.vectors vectors are accumulated in registers
  int64_t groupsPerTask = 1; // without split
  bool split = false;
  Epilogue epilogue;

  int64_t tileRows() const { return ceilDiv(out.h, weights.transform); }
  int64_t tileColumns() const { return ceilDiv(out.w, weights.transform); }
  int64_t tiles() const { return out.n * tileRows() * tileColumns(); }
  int64_t groups() const { return ceilDiv(tiles(), group); }
  // Floats of the transformed inputs of one group, and of its sums for one block of output channels. No two
  // places lie a multiple of two lines apart, which a first-level cache would map to few sets.
  int64_t inputPlace() const;
  int64_t sumPlace() const;
  int64_t inputElements() const { return weights.places() * inputPlace(); }
  int64_t sumElements() const { return weights.places() * sumPlace(); }
  // Floats of the scratch operand: room for each task, of which a call uses the room of its first.
  int64_t scratchElements() const;
  int64_t inputScratchElements() const; // of the split input transform
  // Multiply-adds between the transforms.
  int64_t products() const { return tiles() * weights.places() * weights.inputs * weights.outputs; }
  int64_t parts() const { return split ? groups() : ceilDiv(groups(), groupsPerTask); } // of sums
  std::string name() const;
  bool operator==(const WinogradSpec &) const = default;
};

// operands: input (split: transformed inputs), packed weights, the epilogue's with the output, scratch.
KernelCode winogradConvolution(const WinogradSpec &spec, const Target &target);
// operands: input, transformed inputs, scratch. A task for each part of a group.
KernelCode winogradInput(const WinogradSpec &spec);
// O x I x 3 x 3 to transformed and packed. `transposed` is the weight of the input gradient: inputs and
// outputs swapped, taps reversed. operands: weight, packed.
KernelCode packWinogradWeights(const WinogradWeights &packed, bool transposed);

// --- the choice: WinogradChoice.cpp

struct WinogradOptions {
  // The largest relative error expected of one convolution for which a transform is taken; 0: none is.
  double errorBudget = 1e-5;
  // The same where weights change in each run: noise flips decisions of ReLU, and gradients with them, so
  // that a training step takes only what is about as exact as the direct convolution.
  double trainingErrorBudget = 1e-6;
  int64_t transform = 0; // 2 or 4: wherever possible, whatever it costs (for tests); 0: what costs least

  static WinogradOptions within(double error) { return {.errorBudget = error, .trainingErrorBudget = error}; }
};

// Expected cycles of one core. `packsEachRun`: the weights change from run to run, as in training.
double directCycles(const View &in, const View &out, int64_t top, int64_t left, bool packsEachRun,
                    const Target &target);
double winogradCycles(const WinogradSpec &spec, bool packsEachRun, const MachineModel &machine);
// Expected relative error (L2) of a convolution with as many input channels.
double winogradError(int64_t transform, int64_t inputs);

// A 3x3 convolution of stride 1 without dilation and groups, or nothing where the direct one is expected to
// be faster.
std::optional<WinogradSpec> chooseWinograd(const View &in, const View &out, int64_t top, int64_t left,
                                           bool packsEachRun, const WinogradOptions &options,
                                           const Target &target);

} // namespace vernier::codegen

#endif
