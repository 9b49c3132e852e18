// A kernel's name is its identity: whatever of a problem changes the code changes the name, and equal
// problems give equal kernels. Each kind of problem is a list of numbers; random ones and their neighbours,
// which differ in one number, share a table of names.
#include "codegen/cpu/emit/KernelBuilder.h"
#include "codegen/cpu/schedule/Schedule.h"
#include "tests/codegen/Check.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>

using namespace vernier;
using namespace vernier::codegen;
using vernier::tests::Choice;

namespace {

// The loops of a kernel, without its name.
class Writer {
public:
  explicit Writer(const Target &target) : target(target), context(mlir::MLIRContext::Threading::DISABLED) {
    context.loadDialect<mlir::func::FuncDialect, mlir::scf::SCFDialect, mlir::arith::ArithDialect,
                        mlir::memref::MemRefDialect, mlir::vector::VectorDialect, mlir::math::MathDialect,
                        mlir::LLVM::LLVMDialect>();
  }
  std::string codeOf(const KernelDefinition &kernel) {
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
    KernelBuilder builder(*module, target);
    kernel.build(builder);
    auto function = *module->getOps<mlir::func::FuncOp>().begin();
    function.setName("kernel");
    std::string text;
    llvm::raw_string_ostream stream(text);
    function.print(stream);
    return text;
  }

private:
  const Target &target;
  mlir::MLIRContext context;
};

// What `fields` describe; each number is one of its range's.
struct Drawn {
  const char *kind;
  std::vector<std::vector<int64_t>> ranges;
  std::function<std::vector<Kernel>(const std::vector<int64_t> &fields, const Target &target)> kernels;
};

using Fields = std::vector<int64_t>;
using Two = std::array<int64_t, 2>;

const std::vector<int64_t> kYesNo = {0, 1}, kBatch = {1, 2, 3}, kSide = {1, 4, 7, 8},
                           kChannels = {1, 3, 8, 16, 33},
                           kActivation = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

Element elementOf(int64_t bfloat16) { return bfloat16 ? Element::BF16 : Element::F32; }

// A map, or a slice of one that is wider by `more`.
View viewOf(int64_t n, int64_t h, int64_t w, int64_t c, int64_t more = 0, int64_t bfloat16 = 0) {
  return {n, h, w, c, c + more, elementOf(bfloat16)};
}

// All kinds, some with other numbers.
Activation activationOf(int64_t field) {
  const auto kind = kActivations[size_t(field) % std::size(kActivations)];
  const bool others = size_t(field) >= std::size(kActivations);
  switch (kind) {
  case Activation::LeakyRelu:
    return {kind, 0.01};
  case Activation::ScaleShift:
    return {kind, -1.5, 1e-3};
  default:
    return others ? Activation(Activation::ScaleShift, 1, -double(field)) : kind;
  }
}

// Eight numbers: scale, bias, addends, whether the last is enlarged, activation, masked, sums, slices.
const std::vector<std::vector<int64_t>> kEpilogue = {kYesNo,      kYesNo,      {0, 0, 1, 2}, {0, 1, 2},
                                                     kActivation, kActivation, {0, 1, 2},    {0, 0, 8}};

Epilogue epilogueOf(const Fields &f, size_t at, const View &out) {
  Epilogue epilogue;
  const int64_t more = f[at + 7];
  View map = out;
  map.pixel = out.c + more;
  epilogue.scale = f[at];
  epilogue.bias = f[at + 1];
  for (int64_t i = 0; i < f[at + 2]; ++i)
    epilogue.addends.push_back({map});
  if (const int64_t enlarged = f[at + 3]; enlarged && !epilogue.addends.empty() && out.h % 2 == 0) {
    const Two factor = enlarged == 1 ? Two{2, 1} : Two{2, 2};
    if (out.w % factor[1] == 0) {
      Addend &last = epilogue.addends.back();
      last.factor = factor;
      last.view.h /= factor[0];
      last.view.w /= factor[1];
    }
  }
  epilogue.activation = activationOf(f[at + 4]);
  if (f[at + 5]) {
    epilogue.masked = activationOf(f[at + 5]);
    epilogue.mask = map;
  }
  epilogue.sums = Sums(f[at + 6]);
  if (epilogue.sums == Sums::Gradient)
    epilogue.x = map;
  return epilogue;
}

std::vector<std::vector<int64_t>> with(std::vector<std::vector<int64_t>> ranges,
                                       const std::vector<std::vector<int64_t>> &more) {
  ranges.insert(ranges.end(), more.begin(), more.end());
  return ranges;
}

// n h w, inputs and outputs of a group, groups, kernel, stride, padding, dilation, slice, bfloat16
const std::vector<std::vector<int64_t>> kConvolution = {
    kBatch,    {4, 7, 8}, {1, 4, 7, 8, 21}, {1, 2, 3, 8}, {1, 2, 8, 33}, {1, 1, 4, 8},
    {1, 3, 4}, {1, 1, 3}, {1, 2, 3},        {1, 2},       {0, 1, 2},     {0, 1},
    {0, 1},    {0, 1},    {1, 2},           {1, 2},       {0, 8},        kYesNo};
constexpr size_t kEpilogueAt = 18;

struct ConvolutionFields {
  View x, y;
  Two kernel, stride, dilation;
  Two padding;
  int64_t groups = 1;
  bool valid = true;

  explicit ConvolutionFields(const Fields &f)
      : kernel{f[6], f[7]}, stride{f[8], f[9]}, dilation{f[14], f[15]}, padding{f[10], f[12]}, groups(f[5]) {
    x = viewOf(f[0], f[1], f[2], f[3] * groups, f[16], f[17]);
    const auto extent = [&](size_t axis, int64_t in) {
      const int64_t seen = dilation[axis] * (kernel[axis] - 1) + 1;
      const int64_t room = in + f[10 + 2 * axis] + f[11 + 2 * axis] - seen;
      valid &= room >= 0;
      return room / stride[axis] + 1;
    };
    y = viewOf(f[0], extent(0, f[1]), extent(1, f[2]), f[4] * groups, f[16], f[17]);
  }
};

GroupedSpec groupedSpec(const View &in, const View &out, const ConvolutionFields &c, const Axis &rows,
                        const Axis &columns) {
  GroupedSpec spec;
  spec.in = in;
  spec.out = out;
  spec.weights = {c.groups, in.c / c.groups, out.c / c.groups, c.kernel[0], c.kernel[1], in.element};
  spec.rows = rows;
  spec.columns = columns;
  return spec;
}

// The choice says all that these kernels' code depends on.
Kernel chosen(CpuChoice choice, const Target &target) {
  return makeCpuKernel(ConvolutionProblem(), std::move(choice), target);
}
Kernel whole(codegen::Problem problem, const Target &target) {
  return makeCpuKernel(std::move(problem), Whole(), target);
}
Kernel finish(codegen::Problem problem, const Target &target) {
  return makeCpuKernel(std::move(problem), Finish(), target);
}

std::vector<Kernel> forward(const Fields &f, const Target &target) {
  const ConvolutionFields c(f);
  if (!c.valid)
    return {};
  const Epilogue epilogue = epilogueOf(f, kEpilogueAt, c.y);
  ConvolutionSpec spec =
      convolutionForward(c.x, c.y, c.kernel, c.stride, c.padding, c.dilation, c.groups, target);
  if (fitsGrouped(c.x.c, c.y.c, c.groups, target)) {
    GroupedSpec grouped = groupedSpec(
        c.x, c.y, c, {c.y.h, 0, 1, c.stride[0], {c.kernel[0], -c.padding[0], c.dilation[0], 0, 1}},
        {c.y.w, 0, 1, c.stride[1], {c.kernel[1], -c.padding[1], c.dilation[1], 0, 1}});
    grouped.epilogue = epilogue;
    if (!grouped.fitsSums(target.lanes))
      grouped.epilogue.sums = Sums::None, grouped.epilogue.x = {};
    return {chosen(grouped, target), chosen(PackGrouped{grouped.weights, false}, target)};
  }
  spec.epilogue = spec.chunk ? pixelsInOneRow(epilogue) : epilogue;
  if (!spec.fitsSums())
    spec.epilogue.sums = Sums::None, spec.epilogue.x = {};
  return {chosen(spec, target), chosen(PackConvolution{spec.weights, false}, target)};
}

std::vector<Kernel> backward(const Fields &f, const Target &target) {
  const ConvolutionFields c(f);
  if (!c.valid || f[17])
    return {};
  Epilogue epilogue = epilogueOf(f, kEpilogueAt, c.x);
  epilogue.scale = epilogue.bias = false;
  epilogue.sums = Sums::None, epilogue.x = {};
  std::vector<Kernel> kernels;
  for (ConvolutionSpec &spec :
       convolutionInputGradient(c.y, c.x, c.kernel, c.stride, c.padding, c.dilation, c.groups, target)) {
    if (fitsGrouped(c.x.c, c.y.c, c.groups, target) && !spec.chunk) {
      GroupedSpec grouped = groupedSpec(c.y, c.x, c, spec.rows, spec.columns);
      grouped.epilogue = epilogue;
      kernels.push_back(chosen(grouped, target));
      kernels.push_back(chosen(PackGrouped{grouped.weights, true}, target));
      continue;
    }
    spec.epilogue = spec.chunk ? pixelsInOneRow(epilogue) : epilogue;
    kernels.push_back(chosen(spec, target));
    kernels.push_back(chosen(PackConvolution{spec.weights, true}, target));
  }
  const WeightGradientProblem weight{c.x, c.y, c.groups, c.kernel, c.stride, c.dilation, c.padding};
  const WeightGradientLayout layout = weightGradientLayout(weight, target);
  kernels.push_back(makeCpuKernel(weight, layout, target));
  kernels.push_back(chosen(UnpackWeightGradient(weight, layout), target));
  return kernels;
}

// The blocking, too, is drawn: what a machine's cost model chooses today is no part of the problem.
std::vector<Kernel> blocked(const Fields &f, const Target &target) {
  const ConvolutionFields c(f);
  if (!c.valid)
    return {};
  const size_t at = kEpilogueAt;
  ConvolutionSpec spec =
      convolutionForward(c.x, c.y, c.kernel, c.stride, c.padding, c.dilation, c.groups, target);
  spec.tile.pixels = std::min<int64_t>(f[at], spec.columns.count);
  spec.tile.vectors = spec.weights.vectors =
      std::min<int64_t>(f[at + 1], ceilDiv(spec.weights.outputs, target.lanes));
  if (spec.chunk)
    spec.chunk = f[at + 2] * spec.tile.pixels;
  spec.weightsOuter = f[at + 3];
  spec.rowGroup = spec.rowTasks() % f[at + 4] == 0 ? f[at + 4] : spec.rowTasks();
  spec.rows.count = std::min<int64_t>(spec.rows.count, f[at + 5]);
  spec.rowGroup = std::min(spec.rowGroup, spec.rowTasks());
  if (spec.rowTasks() % spec.rowGroup != 0)
    spec.rowGroup = 1;
  if (spec.weightsOuter)
    spec.rowGroup = 0;
  return {chosen(spec, target), chosen(PackConvolution{spec.weights, bool(f[at + 3])}, target)};
}

std::vector<Kernel> winograd(const Fields &f, const Target &target) {
  const View in = viewOf(f[0], f[1], f[2], f[3], f[4], f[5]);
  WinogradSpec spec;
  spec.in = in;
  spec.top = f[6];
  spec.left = f[7];
  const int64_t h = f[1] + f[6] + f[8] - 2, w = f[2] + f[7] + f[9] - 2;
  if (h < 1 || w < 1)
    return {};
  spec.out = viewOf(f[0], h, w, f[10], f[4], f[5]);
  spec.weights = {f[11], f[10], f[3], std::min<int64_t>(f[12], ceilDiv(f[10], target.lanes)), target.lanes};
  spec.group = f[13];
  spec.registerTiles = std::min<int64_t>(f[14], spec.group);
  spec.split = f[15];
  spec.groupsPerTask = spec.split ? 1 : f[16];
  spec.epilogue = epilogueOf(f, 17, spec.out);
  std::vector<Kernel> kernels = {chosen(spec, target), chosen(PackWinograd{spec.weights, f[6] == 2}, target)};
  if (spec.split)
    kernels.push_back(chosen(WinogradInput{spec}, target));
  return kernels;
}

// n h w c, slice, bfloat16, kernel, stride, padding, whether padding counts, epilogue
std::vector<Kernel> pools(const Fields &f, const Target &target) {
  PoolProblem spec;
  spec.kernel = {f[6], f[7]};
  spec.stride = {f[8], f[9]};
  spec.padding = {f[10], f[11], f[12], f[13]};
  const auto extent = [&](size_t axis, int64_t in) {
    const int64_t room = in + spec.padding[2 * axis] + spec.padding[2 * axis + 1] - spec.kernel[axis];
    return room < 0 ? 0 : room / spec.stride[axis] + 1;
  };
  spec.in = viewOf(f[0], f[1], f[2], f[3], f[4], f[5]);
  spec.out = viewOf(f[0], extent(0, f[1]), extent(1, f[2]), f[3], f[4], f[5]);
  if (spec.out.h < 1 || spec.out.w < 1)
    return {};
  std::vector<Kernel> kernels = {whole(spec, target)};
  if (!f[5]) {
    Epilogue epilogue = epilogueOf(f, 15, spec.in);
    epilogue.scale = epilogue.bias = false;
    epilogue.activation = Activation::None;
    epilogue.sums = Sums::None, epilogue.x = {};
    if (!disjointWindows(spec))
      epilogue = {};
    kernels.push_back(whole(PoolGradientProblem{spec, spec.out, spec.in, epilogue}, target));
  }
  for (const AxisPool &part : poolAxes(spec)) {
    kernels.push_back(makeCpuKernel(spec, AlongAxis{part, {}, {}}, target));
    if (!f[5])
      kernels.push_back(makeCpuKernel(PoolGradientProblem{spec, spec.out, spec.in, {}},
                                      AlongAxis{part, part.spec.out, part.spec.in}, target));
  }
  spec.kind = PoolKind::Average;
  spec.countPadding = f[14];
  kernels.push_back(whole(spec, target));
  for (const AxisPool &part : averageAxes(spec)) {
    kernels.push_back(makeCpuKernel(spec, AlongAxis{part, {}, {}}, target));
    if (!f[5])
      kernels.push_back(makeCpuKernel(PoolGradientProblem{spec, spec.out, spec.in, {}},
                                      AlongAxis{part, part.spec.out, part.spec.in}, target));
  }
  if (!f[5])
    kernels.push_back(whole(PoolGradientProblem{spec, spec.out, spec.in, {}}, target));
  return kernels;
}

std::vector<Kernel> resampling(const Fields &f, const Target &target) {
  const View in = viewOf(f[0], f[1], f[2], f[3], f[4], f[5]),
             out = viewOf(f[0], f[6], f[7], f[3], f[8], f[5]);
  ResizeProblem spec;
  spec.in = in;
  spec.out = out;
  spec.bilinear = f[9];
  spec.alignCorners = f[9] && f[10];
  spec.scale = f[13] ? 0.75 : 0;
  std::vector<Kernel> kernels = {whole(spec, target),
                                 whole(ShiftProblem{in, out, f[11], f[12], bool(f[13])}, target)};
  if (!f[5]) {
    kernels.push_back(whole(ResizeGradientProblem{spec}, target));
    if (f[11] >= 0 && f[12] >= 0)
      kernels.push_back(whole(ReplicateGradientProblem{out, in, f[11], f[12]}, target));
  }
  ResampleProblem weighed{in, out, dsl::Resampling((f[9] + f[10]) % 5)};
  weighed.alignCorners = weighed.kind == dsl::Resampling::Bicubic && f[10];
  weighed.transposed = !f[5] && f[9];
  weighed.scale = spec.scale;
  kernels.push_back(whole(weighed, target));
  if (f[3] % f[14] == 0)
    kernels.push_back(
        whole(ChannelShuffleProblem{in, viewOf(f[0], f[1], f[2], f[3], f[8], f[5]), f[14]}, target));
  return kernels;
}

std::vector<Kernel> elementwise(const Fields &f, const Target &target) {
  const View a = viewOf(f[0], f[1], f[2], f[3], f[4], f[5]), y = viewOf(f[0], f[1], f[2], f[3], f[6], f[7]);
  const View vector = viewOf(f[0], 1, 1, f[3], f[6]), b = f[8] ? viewOf(f[0], 1, 1, f[3], f[6], f[5]) : y;
  const auto activation = activationOf(f[9]);
  const View each = viewOf(f[0], f[1], f[2], 1, f[4], f[5]);
  const SpatialSumProblem mean{a, std::nullopt, vector, /*mean=*/true};
  std::vector<Kernel> kernels = {
      whole(BinaryProblem{Binary(f[10]), a, b, y, activation}, target),
      whole(ActivationProblem{a, y, activation}, target),
      whole(CopyProblem{a, y}, target),
      whole(AffineProblem{a, y, activation, f[10] ? std::optional<View>(y) : std::nullopt, f[8] == 0},
            target),
      whole(BinaryProblem{Binary(f[10]), a, each, y, activation}, target),
      whole(BinaryProblem{Binary(f[10]), a, viewOf(f[0], 1, 1, 1, f[4], f[5]), y, activation}, target),
      whole(ChannelReductionProblem{ChannelReduction(f[10] % 3), a, std::nullopt, each}, target),
      whole(ChannelReductionProblem{ChannelReduction::Sum, a, y, each}, target),
      whole(ChannelBroadcastProblem{each, y, f[11] == 0 ? 1.0f : 1.0f / float(f[11])}, target),
      whole(ChannelMaxGradientProblem{a, each, each, y}, target),
      whole(LayerNormProblem{a, y, f[10] ? 1e-5 : 1e-3 / 3}, target),
      whole(PreluProblem{a, y, a.c == 1 || f[10] > 0}, target),
      whole(SoftmaxProblem{a, y, f[10] ? a.c : 1, f[8] == 0}, target),
      whole(SpatialSoftmaxProblem{a, y}, target),
      whole(FillProblem{y, f[11] == 0 ? 0.0f : 1.0f / float(f[11])}, target),
      whole(ArrayProblem{y, false}, target),
      whole(ArrayProblem{a, true}, target),
      whole(mean, target),
      finish(mean, target)};
  if (!f[5] && !f[7]) {
    kernels.push_back(whole(ActivationGradientProblem{a, y, a, activation}, target));
    const SpatialSumProblem sum{a, f[10] ? std::optional<View>(y) : std::nullopt, vector};
    kernels.push_back(whole(sum, target));
    kernels.push_back(finish(sum, target));
    const float factor = f[11] == 0 ? 1.0f / float(y.h * y.w) : 1.0f / float(f[11]);
    kernels.push_back(whole(SpatialBroadcastProblem{vector, y, factor}, target));
  }
  return kernels;
}

std::vector<Kernel> training(const Fields &f, const Target &target) {
  const View x = viewOf(f[0], f[1], f[2], f[3], f[4]), dy = viewOf(f[0], f[1], f[2], f[3], f[5]);
  const auto activation = activationOf(f[6]);
  const double epsilon = f[7] ? 1e-5 : 1e-3 / 3, momentum = 0.1 * double(f[8]);
  const View masked = activation == Activation::None ? View() : dy;
  std::vector<Kernel> kernels = {finish(ChannelSumsProblem{dy}, target)};
  for (const codegen::Problem &problem : std::initializer_list<codegen::Problem>{
           BatchSumsProblem{x}, BatchFinishProblem{x, f[9], epsilon},
           UpdateRunningProblem{f[3], momentum, f[0] * f[1] * f[2]},
           BatchGradientSumsProblem{x, dy, masked, activation}, BatchGradientFinishProblem{x, f[9], epsilon},
           BatchGradientApplyProblem{x, dy, masked, x, activation}, ChannelSumsProblem{dy},
           LayerNormGradientProblem{x, dy, dy, epsilon}, LayerNormGradientSumsProblem{x, dy},
           LayerNormGradientFinishProblem{x, f[9]}, GroupNormProblem{x, dy, f[7] ? x.c : 1, epsilon},
           GroupNormGradientProblem{x, dy, dy, f[7] ? x.c : 1, epsilon},
           PreluGradientProblem{x, dy, dy, x.c == 1 || f[7] > 0}, ScaleParameterProblem{f[3], f[1]},
           FoldWeightProblem{f[3], f[1], epsilon}, FoldScaleProblem{f[3], epsilon},
           FoldBiasProblem{f[3], f[8] == 1, epsilon}})
    kernels.push_back(whole(problem, target));
  for (const codegen::CpuChoice &choice :
       std::initializer_list<codegen::CpuChoice>{codegen::Finish(), codegen::Apply()}) {
    kernels.push_back(
        codegen::makeCpuKernel(GroupNormProblem{x, dy, f[7] ? x.c : 1, epsilon}, choice, target));
    kernels.push_back(
        codegen::makeCpuKernel(GroupNormGradientProblem{x, dy, dy, f[7] ? x.c : 1, epsilon}, choice, target));
    kernels.push_back(
        codegen::makeCpuKernel(PreluGradientProblem{x, dy, dy, x.c == 1 || f[7] > 0}, choice, target));
  }
  const auto ignored = f[6] == 0 ? std::nullopt : std::optional<int64_t>(f[6] == 1 ? -1 : 255);
  const double weight = f[7] ? 1 : 0.4;
  PointwiseFunction function{Pointwise(f[6] % 6)};
  if (function.kind == Pointwise::Focal || function.kind == Pointwise::SmoothL1)
    function.sharpness = f[7] ? 2.0 : 0.3;
  if (function.kind == Pointwise::Binary)
    function.sharpness = f[7] ? 1.0 : 3.0;
  if (function.kind == Pointwise::Focal)
    function.share = f[8] ? 0.5 : 0.25;
  const View wanted = function.hasTarget() ? dy : View();
  const int64_t parts = f[8] ? 4 : 1;
  const auto count = f[7] ? std::optional(f[0] * f[1]) : std::nullopt;
  for (const codegen::Problem &problem : std::initializer_list<codegen::Problem>{
           SoftmaxLossProblem{x, ignored, f[8] == 1},
           SoftmaxLossGradientProblem{x, dy, ignored, weight, f[8] == 1},
           PointwiseLossProblem{function, x, wanted},
           PointwiseLossGradientProblem{function, x, wanted, dy, weight},
           CountLabelsProblem{4 * f[0], ignored, parts, f[7] ? 0 : f[3]},
           MeanLossProblem{4 * f[0], count, parts}, NumbersProblem{{1, weight}},
           NumbersProblem{std::vector<double>(size_t(4 + f[7]), weight)},
           WeightedSumProblem{{1, weight}, f[0]},
           KeepMaskProblem{x, uint32_t(f[6]), uint32_t(f[3]), f[7] == 1}})
    kernels.push_back(whole(problem, target));
  for (const codegen::Problem &problem : std::initializer_list<codegen::Problem>{
           SgdProblem{f[3]}, AccumulateProblem{f[3]}, CheckFiniteProblem{f[3]}})
    kernels.push_back(codegen::makeCpuKernel(problem, codegen::AnyLength(), target));
  return kernels;
}

std::vector<Drawn> problems() {
  return {{"forward", with(kConvolution, kEpilogue), forward},
          {"backward", with(kConvolution, kEpilogue), backward},
          {"blocked", with(kConvolution, {{1, 2, 3, 7}, {1, 2, 3}, {1, 2, 3}, kYesNo, {1, 2, 4}, {1, 3, 8}}),
           blocked},
          {"winograd",
           with({kBatch,
                 {4, 7},
                 {4, 9},
                 {1, 8, 33},
                 {0, 8},
                 kYesNo,
                 {-1, 0, 1, 2},
                 {-1, 0, 1, 2},
                 {0, 1},
                 {0, 1},
                 {1, 8, 33},
                 {2, 4},
                 {1, 2},
                 {1, 3, 8},
                 {1, 2, 3},
                 kYesNo,
                 {1, 2}},
                kEpilogue),
           winograd},
          {"pools",
           with({kBatch,
                 kSide,
                 kSide,
                 kChannels,
                 {0, 8},
                 kYesNo,
                 {1, 2, 3},
                 {1, 2, 3},
                 {1, 2, 3},
                 {1, 2, 3},
                 {0, 1},
                 {0, 1},
                 {0, 1},
                 {0, 1},
                 kYesNo},
                kEpilogue),
           pools},
          {"resampling",
           {kBatch,
            kSide,
            kSide,
            {1, 4, 8, 18},
            {0, 8},
            kYesNo,
            kSide,
            kSide,
            {0, 8},
            kYesNo,
            kYesNo,
            {-1, 0, 1, 2},
            {-1, 0, 1, 2},
            kYesNo,
            {1, 2, 4, 9}},
           resampling},
          {"elementwise",
           {kBatch,
            kSide,
            kSide,
            kChannels,
            {0, 8},
            kYesNo,
            {0, 8},
            kYesNo,
            kYesNo,
            kActivation,
            kYesNo,
            {0, 1, 3, 3000000, 3000001}},
           elementwise},
          {"training",
           {kBatch, kSide, kSide, kChannels, {0, 8}, {0, 8}, kActivation, kYesNo, {0, 1, 2}, {1, 2, 7}},
           training}};
}

int64_t draw(Choice &choose, const std::vector<int64_t> &range) { return choose.of(range); }

// Kernels of one target by their names.
class Names {
public:
  explicit Names(const Target &target) : target(target), writer(target), list(kernels) {}

  // `kind` and `fields` say in which problem the kernel was met.
  void add(const Kernel &kernel, const std::string &where) {
    auto [entry, isNew] = known.try_emplace(kernel.name);
    Known &first = entry->second;
    std::string code = writer.codeOf(codeOf(kernel, target).definition);
    if (isNew)
      first = {std::move(code), kernel.tasks, where};
    else
      BOOST_TEST((code == first.code && kernel.tasks == first.tasks),
                 "kernels that differ are called " << kernel.name << " on " << target.name << ":\n  "
                                                   << first.where << "\n  " << where);
    // A program that needs this kernel twice must not be refused for it.
    BOOST_TEST(list.add(kernel), kernel.name << " is refused: " << first.where << " and " << where);
    ++met;
  }

  size_t distinct() const { return known.size(); }
  size_t met = 0;

private:
  struct Known {
    std::string code;
    int64_t tasks = 0;
    std::string where;
  };
  const Target &target;
  Writer writer;
  std::vector<Kernel> kernels;
  KernelList list;
  std::map<std::string, Known> known;
};

std::string describe(const Drawn &problem, const Fields &fields) {
  std::string text = problem.kind;
  for (int64_t field : fields)
    text += " " + std::to_string(field);
  return text;
}

void checkNames(const std::string &name, unsigned seed, int count) {
  const Target target = *makeTarget(name);
  Choice choose(seed);
  Names names(target);
  for (const Drawn &problem : problems())
    for (int i = 0; i < count; ++i) {
      Fields fields;
      for (const std::vector<int64_t> &range : problem.ranges)
        fields.push_back(draw(choose, range));
      const auto add = [&] {
        for (const Kernel &kernel : problem.kernels(fields, target))
          names.add(kernel, describe(problem, fields));
      };
      add();
      for (int neighbour = 0; neighbour < 3; ++neighbour) {
        const size_t changed = size_t(choose.in(0, int64_t(fields.size()) - 1));
        const int64_t before = std::exchange(fields[changed], draw(choose, problem.ranges[changed]));
        if (fields[changed] != before)
          add();
      }
    }
  BOOST_TEST(names.distinct() < names.met); // names were met again
  BOOST_TEST_MESSAGE(names.met << " kernels of " << names.distinct() << " names on " << name);
}

} // namespace

BOOST_AUTO_TEST_SUITE(kernel_names)

BOOST_AUTO_TEST_CASE(equal_names_have_equal_code) {
  unsigned seed = 1;
  for (const char *target : {"avx512", "avx512bf16", "avx2", "sse"})
    checkNames(target, seed++, 40);
}

// Residues of the strides of depthwise convolutions that differ in their weights' window alone.
BOOST_AUTO_TEST_CASE(windows_of_grouped_convolutions) {
  const Target target = *makeTarget("avx2");
  const View dx = denseView(1, 8, 8, 16), dy = denseView(1, 4, 4, 16);
  std::vector<Kernel> kernels;
  for (const int64_t size : {3, 4}) {
    const ConvolutionSpec residue =
        convolutionInputGradient(dy, dx, {size, size}, {2, 2}, {1, 1}, {1, 1}, 16, target).back();
    GroupedSpec spec;
    spec.in = dy;
    spec.out = dx;
    spec.weights = {16, 1, 1, size, size};
    spec.rows = residue.rows;
    spec.columns = residue.columns;
    kernels.push_back(chosen(spec, target));
  }
  BOOST_TEST(kernels[0].name != kernels[1].name);
}

// A name met again with another choice, or another problem, is refused.
BOOST_AUTO_TEST_CASE(shared_names_are_refused) {
  const Target target = *makeTarget("avx2");
  const PackedWeights weights{1, 8, 4, 3, 3, 1, 8};
  const Kernel first = chosen(PackConvolution{weights, false}, target);
  const Kernel copied = whole(CopyProblem{denseView(1, 2, 2, 8), denseView(1, 2, 2, 8)}, target);
  std::vector<Kernel> kernels;
  KernelList list(kernels);
  BOOST_TEST(list.add(first));
  BOOST_TEST(list.add(chosen(PackConvolution{weights, false}, target)));
  BOOST_TEST(list.add(copied));
  Kernel choice = chosen(PackConvolution{weights, true}, target), problem = copied, other = first;
  choice.name = first.name;
  problem.problem = CopyProblem{denseView(1, 2, 2, 8), {1, 2, 2, 8, 16}};
  BOOST_TEST(!list.add(choice));
  BOOST_TEST(!list.add(problem));
  other.name += "_2";
  BOOST_TEST(list.add(other));
  BOOST_TEST(kernels.size() == 3u);
  BOOST_TEST(!KernelList(kernels).add(choice));
}

BOOST_AUTO_TEST_SUITE_END()
