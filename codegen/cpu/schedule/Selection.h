// From problems to the CPU's steps.
#ifndef VERNIER_CODEGEN_CPU_SCHEDULE_SELECTION_H
#define VERNIER_CODEGEN_CPU_SCHEDULE_SELECTION_H

#include "codegen/cpu/schedule/Schedule.h"
#include "codegen/program/Backend.h"

#include <optional>

namespace vernier::codegen {

class Selection {
public:
  Selection(const Target &target, const WinogradOptions &winograd, StepWriter &writer)
      : target(target), winograd(winograd), writer(writer) {}

  PartialSums select(const Problem &problem, const Places &places);

private:
  // An epilogue and the places of what it reads and, beside the result, writes.
  struct PlacedEpilogue {
    Epilogue code;
    llvm::SmallVector<Location> reads, writes;
  };

  // --- convolutions: SelectConvolution.cpp
  PartialSums convolution(const ConvolutionProblem &p, const Places &at);
  PartialSums forward(const ConvolutionProblem &p, const Places &at);
  PartialSums inputGradient(const ConvolutionProblem &p, const Places &at);
  // Nothing where another way is expected to be faster.
  std::optional<PartialSums> winogradConvolution(const ConvolutionProblem &p, const Places &at);
  PartialSums direct(const ConvolutionProblem &p, const Places &at, const ConvolutionSpec &spec,
                     bool withSums, int64_t macs);
  PartialSums grouped(const ConvolutionProblem &p, const Places &at, const Axis &rows, const Axis &columns,
                      bool withSums, int64_t macs);
  void weightGradient(const WeightGradientProblem &p, const Places &at);
  PlacedEpilogue epilogueOf(const ConvolutionProblem &p, const Places &at) const;
  // Lets a kernel that writes them in `parts` add up the sums that were asked for.
  PartialSums addSums(const ConvolutionProblem &p, const Places &at, int64_t parts, PlacedEpilogue &epilogue);
  Location packed(const ConvolutionProblem &p, const Places &at, CpuChoice pack,
                  const KernelOperand &operand);
  Step &convolutionStep(const ConvolutionProblem &p, const Places &at, CpuChoice choice, const Location &from,
                        const Location &weight, const PlacedEpilogue &epilogue, int64_t macs,
                        std::optional<Location> scratch = {});

  // --- maps: SelectMaps.cpp
  void pool(const PoolProblem &p, const Places &at);
  void maxPoolGradient(const PoolGradientProblem &p, const Places &at);
  void averagePoolGradient(const PoolGradientProblem &p, const Places &at);
  void spatialSum(const SpatialSumProblem &p, const Places &at);
  void groupNorm(const GroupNormProblem &p, const Places &at);
  void groupNormGradient(const GroupNormGradientProblem &p, const Places &at);
  void preluGradient(const PreluGradientProblem &p, const Places &at);
  void matmul(const MatmulProblem &p, const Places &at);
  // x and what each part of a pool makes of it, the last one only where there is a place for it.
  llvm::SmallVector<Location> alongAxes(const PoolProblem &p, llvm::ArrayRef<AxisPool> parts,
                                        const Location &x, std::optional<Location> y);
  // Numbers in a row.
  void anyLength(const Problem &problem, const Places &at, int64_t count);
  // The operands of `reads` that may share memory with the output where both are the same map.
  void mayReuse(Step &step, std::initializer_list<int> reads);
  PartialSums sums(const Problem &problem, const Places &at, int64_t parts, int64_t channels);

  Kernel kernel(const Problem &problem, CpuChoice choice = Whole()) const {
    return makeCpuKernel(problem, std::move(choice), target);
  }
  Step &whole(const Problem &problem, const Places &at) {
    return writer.step(kernel(problem), at.reads, at.writes);
  }
  // Room for `count` doubles.
  Location doubles(int64_t count) { return writer.scratch(2 * count); }
  // What a kernel writes, and a scratch of `count` doubles unless they are 0.
  llvm::SmallVector<Location> withDoubles(llvm::ArrayRef<Location> writes, int64_t count);

  const Target &target;
  const WinogradOptions &winograd;
  StepWriter &writer;
};

} // namespace vernier::codegen

#endif
