#include "codegen/cpu/schedule/Schedule.h"

#include "llvm/Support/ErrorHandling.h"

#include <tuple>

namespace vernier::codegen {
namespace {

template <typename... Functions> struct Overloaded : Functions... { using Functions::operator()...; };
template <typename... Functions> Overloaded(Functions...) -> Overloaded<Functions...>;

// Of problems that one kernel solves, or that the first of two begins.
class WholeCode {
public:
  explicit WholeCode(const Target &target) : target(target) {}

  KernelCode operator()(const PoolProblem &p) const {
    return p.kind == PoolKind::Max ? maxPool(p, target) : averagePool(p, target);
  }
  KernelCode operator()(const PoolGradientProblem &p) const {
    return p.pool.kind == PoolKind::Max ? maxPoolGradient(p.pool, p.dy, p.dx, p.epilogue, target)
                                        : averagePoolGradient(p.pool, target);
  }
  KernelCode operator()(const ChannelReductionProblem &p) const { return channelReduction(p, target); }
  KernelCode operator()(const ChannelBroadcastProblem &p) const { return channelBroadcast(p, target); }
  KernelCode operator()(const ChannelMaxGradientProblem &p) const { return channelMaxGradient(p, target); }
  KernelCode operator()(const SpatialSumProblem &p) const { return spatialSums(p, target); }
  KernelCode operator()(const SpatialBroadcastProblem &p) const {
    return spatialBroadcast(p.in, p.out, p.factor, target);
  }
  KernelCode operator()(const ResizeProblem &p) const { return resize(p, target); }
  KernelCode operator()(const ResizeGradientProblem &p) const { return resizeGradient(p.resize, target); }
  KernelCode operator()(const ResampleProblem &p) const { return resample(p, target); }
  KernelCode operator()(const ShiftProblem &p) const {
    return shiftCopy(p.in, p.out, p.top, p.left, p.replicate, target);
  }
  KernelCode operator()(const ReplicateGradientProblem &p) const {
    return replicateGradient(p.dy, p.dx, p.top, p.left, target);
  }
  KernelCode operator()(const ChannelShuffleProblem &p) const {
    return channelShuffle(p.in, p.out, p.groups, target);
  }
  KernelCode operator()(const BinaryProblem &p) const { return binary(p, target); }
  KernelCode operator()(const ActivationProblem &p) const { return activate(p.x, p.y, p.activation, target); }
  KernelCode operator()(const ActivationGradientProblem &p) const {
    return activateGradient(p.y, p.dy, p.dx, p.activation, target);
  }
  KernelCode operator()(const AffineProblem &p) const { return affine(p, target); }
  KernelCode operator()(const FillProblem &p) const { return fill(p.y, p.value, target); }
  KernelCode operator()(const CopyProblem &p) const { return copy(p.x, p.y, target); }
  KernelCode operator()(const ArrayProblem &p) const {
    return p.toArray ? toChannelsFirst(p.map, target) : fromChannelsFirst(p.map, target);
  }
  KernelCode operator()(const BatchSumsProblem &p) const { return batchSums(p.x, target); }
  KernelCode operator()(const BatchFinishProblem &p) const {
    return batchFinish(p.x, p.parts, p.epsilon, target);
  }
  KernelCode operator()(const UpdateRunningProblem &p) const {
    return updateRunning(p.channels, p.momentum, double(p.count), target);
  }
  KernelCode operator()(const BatchGradientSumsProblem &p) const {
    return batchGradientSums(p.x, p.dy, p.y, p.activation, target);
  }
  KernelCode operator()(const BatchGradientFinishProblem &p) const {
    return batchGradientFinish(p.x, p.parts, p.epsilon, target);
  }
  KernelCode operator()(const BatchGradientApplyProblem &p) const {
    return batchGradientApply(p.x, p.dy, p.y, p.dx, p.activation, target);
  }
  KernelCode operator()(const LayerNormProblem &p) const { return layerNorm(p, target); }
  KernelCode operator()(const LayerNormGradientProblem &p) const { return layerNormGradient(p, target); }
  KernelCode operator()(const LayerNormGradientSumsProblem &p) const {
    return layerNormGradientSums(p, target);
  }
  KernelCode operator()(const LayerNormGradientFinishProblem &p) const {
    return layerNormGradientFinish(p, target);
  }
  KernelCode operator()(const GroupNormProblem &p) const { return groupNormSums(p, target); }
  KernelCode operator()(const GroupNormGradientProblem &p) const { return groupNormGradientSums(p, target); }
  KernelCode operator()(const PreluProblem &p) const { return prelu(p, target); }
  KernelCode operator()(const PreluGradientProblem &p) const { return preluGradientSums(p, target); }
  KernelCode operator()(const SoftmaxProblem &p) const { return softmax(p, target); }
  KernelCode operator()(const SpatialSoftmaxProblem &p) const { return spatialSoftmax(p, target); }
  KernelCode operator()(const MatmulProblem &p) const { return matmul(p, target); }
  KernelCode operator()(const BlocksToChannelsProblem &p) const { return blocksToChannels(p, target); }
  KernelCode operator()(const ChannelSumsProblem &p) const { return channelSums(p.dy, target); }
  KernelCode operator()(const FoldWeightProblem &p) const {
    return foldWeight(p.outputs, p.perOutput, p.epsilon);
  }
  KernelCode operator()(const FoldScaleProblem &p) const { return foldScale(p.channels, p.epsilon); }
  KernelCode operator()(const FoldBiasProblem &p) const { return foldBias(p.channels, p.bias, p.epsilon); }
  KernelCode operator()(const ScaleParameterProblem &p) const {
    return scaleParameter(p.outputs, p.perOutput);
  }
  KernelCode operator()(const SoftmaxLossProblem &p) const { return softmaxLoss(p, target); }
  KernelCode operator()(const SoftmaxLossGradientProblem &p) const { return softmaxLossGradient(p, target); }
  KernelCode operator()(const PointwiseLossProblem &p) const { return pointwiseLoss(p, target); }
  KernelCode operator()(const PointwiseLossGradientProblem &p) const {
    return pointwiseLossGradient(p, target);
  }
  KernelCode operator()(const CountLabelsProblem &p) const { return countLabels(p); }
  KernelCode operator()(const MeanLossProblem &p) const { return meanLoss(p); }
  KernelCode operator()(const NumbersProblem &p) const { return numbers(p); }
  KernelCode operator()(const WeightedSumProblem &p) const { return weightedSum(p); }
  KernelCode operator()(const KeepMaskProblem &p) const { return keepMask(p, target); }
  KernelCode operator()(const SgdProblem &) const { return sgd(); }
  KernelCode operator()(const AccumulateProblem &) const { return accumulateGradient(); }
  KernelCode operator()(const CheckFiniteProblem &) const { return checkFinite(); }
  // Those that a choice belongs to.
  template <typename Other> KernelCode operator()(const Other &) const {
    llvm_unreachable("this problem takes a choice");
  }

private:
  const Target &target;
};

std::string numbers(std::initializer_list<std::pair<const char *, int64_t>> values) {
  std::string text;
  for (const auto &[name, value] : values)
    text += (text.empty() ? "" : " ") + std::string(name) + " " + std::to_string(value);
  return text;
}

std::string tileText(int64_t first, int64_t second) {
  return "tile " + std::to_string(first) + "x" + std::to_string(second);
}

// Where a stride leaves several kernels, which of the output's positions this one computes.
std::string residueText(const Axis &rows, const Axis &columns) {
  if (rows.outStep == 1 && columns.outStep == 1)
    return "";
  return " residue " + std::to_string(rows.outStart) + "x" + std::to_string(columns.outStart);
}

std::string widthText(const GroupedWeights &w) {
  return w.inputs == w.outputs ? numbers({{"width", w.inputs}})
                               : numbers({{"inputs", w.inputs}, {"outputs", w.outputs}});
}

struct Text {
  std::string operator()(const Whole &) const { return ""; }
  std::string operator()(const Finish &) const { return "finish"; }
  std::string operator()(const Apply &) const { return "apply"; }
  std::string operator()(const Transposition &) const { return "transposition"; }
  std::string operator()(const AnyLength &) const { return "blocks of " + std::to_string(kOptimizerBlock); }
  std::string operator()(const ConvolutionSpec &s) const {
    return "direct, " + tileText(s.tile.pixels, s.weights.block()) +
           (s.chunk ? " chunk " + std::to_string(s.chunk) : "") +
           (s.weightsOuter ? " weights outer" : " rows " + std::to_string(s.rowGroup)) +
           residueText(s.rows, s.columns);
  }
  std::string operator()(const PackConvolution &s) const {
    return "pack, " + numbers({{"block", s.weights.block()}});
  }
  std::string operator()(const GroupedSpec &s) const {
    return "grouped, " + widthText(s.weights) + residueText(s.rows, s.columns);
  }
  std::string operator()(const PackGrouped &s) const { return "pack grouped, " + widthText(s.weights); }
  std::string operator()(const WinogradSpec &s) const {
    return "winograd " + std::to_string(s.weights.transform) + ", " +
           tileText(s.registerTiles, s.weights.block()) + " " +
           numbers({{"group", s.group}, {"groups_per_task", s.groupsPerTask}}) + (s.split ? " split" : "");
  }
  std::string operator()(const WinogradInput &s) const {
    return "winograd " + std::to_string(s.spec.weights.transform) + " input, " +
           numbers({{"group", s.spec.group}});
  }
  std::string operator()(const PackWinograd &s) const {
    return "pack winograd " + std::to_string(s.weights.transform) + ", " +
           numbers({{"block", s.weights.block()}});
  }
  std::string operator()(const WeightGradientLayout &s) const {
    static constexpr const char *kBlocks[] = {"all", "images", "rows", "columns"};
    return "products, " + tileText(s.tileBroadcast, s.block()) + (s.inputsInLanes ? " of inputs" : "") + " " +
           numbers({{"parts", s.parts}}) + " blocks of " + std::to_string(s.blockLength) + " " +
           kBlocks[size_t(s.blockOf)] + (s.totals == Element::F64 ? " in double" : "");
  }
  std::string operator()(const UnpackWeightGradient &s) const {
    return "unpack, " + tileText(s.layout.tileBroadcast, s.layout.block()) + " " +
           numbers({{"parts", s.layout.parts}});
  }
  std::string operator()(const AlongAxis &s) const {
    return s.pool.axis == 1 ? "along rows" : "along columns";
  }
};

} // namespace

bool WinogradInput::operator==(const WinogradInput &other) const {
  const auto key = [](const WinogradSpec &s) {
    return std::tuple(s.weights.transform, s.in, s.tileRows(), s.tileColumns(), s.top, s.left, s.group,
                      s.weights.lanes);
  };
  return key(spec) == key(other.spec);
}

bool CpuSchedule::sameCode(const Problem &own, const Schedule &other, const Problem &others) const {
  const CpuChoice &otherChoice = static_cast<const CpuSchedule &>(other).choice;
  if (choice != otherChoice)
    return false;
  // The other choices hold all that their code depends on.
  const bool ofProblem = std::holds_alternative<Whole>(choice) || std::holds_alternative<Finish>(choice) ||
                         std::holds_alternative<Apply>(choice) ||
                         std::holds_alternative<Transposition>(choice) ||
                         std::holds_alternative<WeightGradientLayout>(choice);
  return !ofProblem || own == others;
}

std::string CpuSchedule::text() const { return std::visit(Text(), choice); }

KernelCode codeOf(const Problem &problem, const CpuChoice &choice, const Target &target) {
  return std::visit(
      Overloaded{
          [&](const Whole &) { return std::visit(WholeCode(target), problem); },
          [&](const AnyLength &) { return std::visit(WholeCode(target), problem); },
          [&](const Finish &) {
            if (const auto *sum = std::get_if<SpatialSumProblem>(&problem))
              return spatialSumsFinish(*sum, target);
            if (const auto *norm = std::get_if<GroupNormProblem>(&problem))
              return groupNormFinish(*norm, target);
            if (const auto *norm = std::get_if<GroupNormGradientProblem>(&problem))
              return groupNormGradientFinish(*norm, target);
            if (const auto *slopes = std::get_if<PreluGradientProblem>(&problem))
              return preluGradientFinish(*slopes, target);
            return channelSumsFinish(std::get<ChannelSumsProblem>(problem).dy, target);
          },
          [&](const Apply &) {
            if (const auto *norm = std::get_if<GroupNormProblem>(&problem))
              return groupNormApply(*norm, target);
            if (const auto *norm = std::get_if<GroupNormGradientProblem>(&problem))
              return groupNormGradientApply(*norm, target);
            return preluGradient(std::get<PreluGradientProblem>(problem), target);
          },
          [&](const Transposition &) { return transposeMatrix(std::get<MatmulProblem>(problem), target); },
          [&](const ConvolutionSpec &spec) { return convolution(spec, target); },
          [&](const PackConvolution &pack) { return packWeights(pack.weights, pack.transposed); },
          [&](const GroupedSpec &spec) { return groupedConvolution(spec, target); },
          [&](const PackGrouped &pack) { return packGroupedWeights(pack.weights, pack.transposed, target); },
          [&](const WinogradSpec &spec) { return winogradConvolution(spec, target); },
          [&](const WinogradInput &input) { return winogradInput(input.spec); },
          [&](const PackWinograd &pack) { return packWinogradWeights(pack.weights, pack.transposed); },
          [&](const WeightGradientLayout &layout) {
            return weightGradient(std::get<WeightGradientProblem>(problem), layout);
          },
          [&](const UnpackWeightGradient &unpack) { return unpackWeightGradient(unpack); },
          [&](const AlongAxis &along) {
            const bool gradient = std::holds_alternative<PoolGradientProblem>(problem);
            if (along.pool.spec.kind == PoolKind::Average)
              return gradient ? averagePoolGradientAlong(along.pool, target)
                              : averagePoolAlong(along.pool, target);
            return gradient ? maxPoolGradientAlong(along.pool, along.dy, along.dx, target)
                            : maxPoolAlong(along.pool, target);
          }},
      choice);
}

KernelCode codeOf(const Kernel &kernel, const Target &target) {
  return codeOf(kernel.problem, static_cast<const CpuSchedule &>(*kernel.schedule).choice, target);
}

Kernel makeCpuKernel(Problem problem, CpuChoice choice, const Target &target) {
  KernelCode code = codeOf(problem, choice, target);
  return {std::move(code.definition.name), std::move(problem),
          std::make_shared<CpuSchedule>(std::move(choice)), code.tasks};
}

} // namespace vernier::codegen
