// What the CPU backend chooses for a problem, as data.
#ifndef VERNIER_CODEGEN_CPU_SCHEDULE_SCHEDULE_H
#define VERNIER_CODEGEN_CPU_SCHEDULE_SCHEDULE_H

#include "codegen/cpu/kernels/Kernels.h"
#include "codegen/cpu/kernels/Winograd.h"
#include "codegen/program/Kernel.h"

#include <variant>

namespace vernier::codegen {

// One kernel does all; there is nothing to choose.
struct Whole {
  bool operator==(const Whole &) const = default;
};

// The second of two kernels, which adds up the parts that the first has left.
struct Finish {
  bool operator==(const Finish &) const = default;
};

// The last of several kernels, which does to each element what the others have prepared.
struct Apply {
  bool operator==(const Apply &) const = default;
};

// The first of two kernels, which exchanges rows and columns of an operand.
struct Transposition {
  bool operator==(const Transposition &) const = default;
};

// One kernel for numbers in a row, however many: the step says in how many tasks of kOptimizerBlock.
struct AnyLength {
  bool operator==(const AnyLength &) const = default;
};

// Weights for kernels of the three kinds of convolutions; `transposed` for input gradients.
struct PackConvolution {
  PackedWeights weights;
  bool transposed = false;
  bool operator==(const PackConvolution &) const = default;
};
struct PackGrouped {
  GroupedWeights weights;
  bool transposed = false;
  bool operator==(const PackGrouped &) const = default;
};
struct PackWinograd {
  WinogradWeights weights;
  bool transposed = false;
  bool operator==(const PackWinograd &) const = default;
};

// The first of two kernels of a Winograd convolution: it does not depend on what the second one does with its
// result.
struct WinogradInput {
  WinogradSpec spec;
  bool operator==(const WinogradInput &other) const;
};

// A pool, or its gradient, along one axis.
struct AlongAxis {
  AxisPool pool;
  View dy, dx; // of a gradient
  bool operator==(const AlongAxis &) const = default;
};

using CpuChoice = std::variant<Whole, Finish, Apply, Transposition, ConvolutionSpec, PackConvolution,
                               GroupedSpec, PackGrouped, WinogradSpec, WinogradInput, PackWinograd,
                               WeightGradientLayout, UnpackWeightGradient, AlongAxis, AnyLength>;

class CpuSchedule : public Schedule {
public:
  explicit CpuSchedule(CpuChoice choice) : choice(std::move(choice)) {}

  bool sameCode(const Problem &own, const Schedule &other, const Problem &others) const override;
  std::string text() const override;

  const CpuChoice choice;
};

// The code of a kernel of these.
KernelCode codeOf(const Problem &problem, const CpuChoice &choice, const Target &target);
// The code of one of this backend's kernels.
KernelCode codeOf(const Kernel &kernel, const Target &target);

Kernel makeCpuKernel(Problem problem, CpuChoice choice, const Target &target);

} // namespace vernier::codegen

#endif
