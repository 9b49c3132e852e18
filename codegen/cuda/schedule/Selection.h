// From problems to CUDA's steps.
#ifndef VERNIER_CODEGEN_CUDA_SCHEDULE_SELECTION_H
#define VERNIER_CODEGEN_CUDA_SCHEDULE_SELECTION_H

#include "codegen/cuda/MachineModel.h"
#include "codegen/cuda/schedule/Constants.h"
#include "codegen/cuda/schedule/Schedule.h"
#include "codegen/program/Backend.h"

namespace vn {
struct Pool;
struct Resize;
struct WeightGradient;
} // namespace vn

namespace vernier::codegen {

class CudaSelection {
public:
  // `tf32`: products of float32 maps are rounded to tf32. `hopper`: kernels may have twins for sm_90a.
  CudaSelection(const CudaMachineModel &machine, bool tf32, bool hopper, StepWriter &writer)
      : machine(machine), tf32(tf32), hopper(hopper), writer(writer) {}

  PartialSums select(const Problem &problem, const Places &at);
  // Whether convolutions are by row_taps.cuh, which makes what they read from a map or from an array.
  static bool hasRowTaps(const ConvolutionProblem &p);

private:
  // What a kernel is, piece by piece, while its operands are added in the order of its step's.
  struct Draft {
    std::string type, function;
    Constant constant{};
    std::vector<CudaOperand> operands{};
    std::string arguments{};        // as far as they are not the operands in their order
    std::string tables{};           // as of CudaCode
    std::vector<int> aligned{};     // of each map; 0: as well as its pixels let it be
    std::string chosen{}, reason{}; // what of several, and why
    ::vn::Launch launch{};
    std::optional<CudaCode::Hopper> hopper{};
    llvm::SmallVector<Location> reads{}, writes{};
  };

  // --- SelectConvolution.cpp
  PartialSums convolution(const ConvolutionProblem &p, const Places &at);
  PartialSums convolutionOfManyAddends(const ConvolutionProblem &p, const Places &at);
  // `rows`, `channels`: see WeightLayout.
  Location packedWeights(const ConvolutionProblem &p, const Places &at, const ::vn::Convolution &c,
                         int merged, int rows, int channels);
  // What convolutions with row taps read.
  Location paddedRows(const ::vn::Convolution &c, const Places &at);
  // With the reason for it.
  std::pair<::vn::Tile, std::string> tileOf(int64_t results, int64_t channels, int64_t groups) const;
  double secondsOfFew(const ::vn::Convolution &c, const ::vn::Tile &tile) const;
  // Another tile for it.
  std::optional<::vn::Tile> inSlices(const ::vn::Convolution &c) const;
  std::optional<::vn::HopperRows> rowsByWarpGroups(const ::vn::Convolution &c) const;
  bool slicesBeat(const ::vn::HopperConvolution &h, const ::vn::Convolution &sliced) const;
  // None: it cannot be, or should not.
  std::optional<::vn::HopperConvolution> byWarpGroups(const ::vn::Convolution &c) const;
  void weightGradient(const WeightGradientProblem &p, const Places &at);
  // Sets its tile and splits.
  void chooseTile(::vn::WeightGradient &g) const;
  ::vn::Arithmetic arithmeticOf(const View &in) const;
  // What it reads are the next of the problem's reads; draft.arguments becomes the fields of
  // EpilogueOperands.
  ::vn::Epilogue epilogueOf(const Epilogue &epilogue, const Places &at, Draft &draft) const;

  // --- SelectLosses.cpp
  // Whether the problem is one of them.
  bool loss(const Problem &problem, const Places &at);
  void softmaxLoss(const SoftmaxLossProblem &p, const Places &at);
  void softmaxLossGradient(const SoftmaxLossGradientProblem &p, const Places &at);
  template <class Kernel>
  void pointwiseReads(Draft &draft, Kernel &kernel, const PointwiseFunction &function, const char *written,
                      const Places &at);
  void pointwiseLoss(const PointwiseLossProblem &p, const Places &at);
  void pointwiseLossGradient(const PointwiseLossGradientProblem &p, const Places &at);
  void countLabels(const CountLabelsProblem &p, const Places &at);
  void meanLoss(const MeanLossProblem &p, const Places &at);
  void numbers(const NumbersProblem &p, const Places &at);
  void weightedSum(const WeightedSumProblem &p, const Places &at);
  void keepMask(const KeepMaskProblem &p, const Places &at);

  // --- SelectMaps.cpp
  void plain(const Problem &problem, const Places &at);
  void poolGradient(const PoolGradientProblem &p, const Places &at);
  void spatialSum(const SpatialSumProblem &p, const Places &at);
  void channelSums(const ChannelSumsProblem &p, const Places &at);
  PartialSums batchSums(const BatchSumsProblem &p, const Places &at);
  PartialSums layerNormGradientSums(const LayerNormGradientSumsProblem &p, const Places &at);
  PartialSums batchGradientSums(const BatchGradientSumsProblem &p, const Places &at);

  // --- SelectNorms.cpp
  // Their three kernels; `out` is y, or dx of a gradient.
  struct GroupNorm {
    View x, dy, out;
    int64_t groups;
    double epsilon;
    bool gradient;
  };
  // The parts of dbeta and dgamma, one for each image, that a gradient leaves.
  Location groupNorm(const Problem &problem, const GroupNorm &norm, const Places &at);
  void groupNorm(const GroupNormProblem &p, const Places &at);
  void groupNormGradient(const GroupNormGradientProblem &p, const Places &at);
  void prelu(const PreluProblem &p, const Places &at);
  void preluGradient(const PreluGradientProblem &p, const Places &at);

  // --- SelectAttention.cpp
  void softmax(const SoftmaxProblem &p, const Places &at);
  void spatialSoftmax(const SpatialSoftmaxProblem &p, const Places &at);
  void matmul(const MatmulProblem &p, const Places &at);
  void blocksToChannels(const BlocksToChannelsProblem &p, const Places &at);

  void resample(const ResampleProblem &p, const Places &at);

  ::vn::Pool poolOf(Draft &draft, const PoolProblem &p, const Location &in, const Location &out) const;
  ::vn::Resize resizeOf(Draft &draft, const ResizeProblem &p, const Location &in, const Location &out) const;
  // The map at a place, noted among what the kernel's name says of alignment.
  ::vn::Map map(Draft &draft, const Location &place) const;
  ::vn::Map map(Draft &draft, const View &view, const Location &place) const;
  // The next operand.
  void read(Draft &draft, const char *name, const Location &place) const;
  void write(Draft &draft, const char *name, const Location &place) const;
  // Of `count` elements of another type.
  void read(Draft &draft, const char *name, const Location &place, const char *type, int64_t count) const;
  void write(Draft &draft, const char *name, const Location &place, const char *type, int64_t count) const;
  Kernel kernelOf(const Problem &problem, const Draft &draft) const;
  Step &step(const Problem &problem, Draft &draft, int64_t macs = 0);
  // Those of the step's reads that may share memory with its output: maps like it.
  static void mayReuse(Step &step, std::initializer_list<int> reads);

  Location doubles(int64_t count) { return writer.scratch(2 * count); }
  // Words that are zero.
  Location zeros(int64_t count);

  const CudaMachineModel &machine;
  const bool tf32, hopper;
  StepWriter &writer;
};

} // namespace vernier::codegen

#endif
