// Convolutions and linear layers, the gradients of their inputs and weights.
#include "codegen/cpu/schedule/Selection.h"

namespace vernier::codegen {
namespace {

int64_t addendsAndMask(const Epilogue &epilogue) {
  return int64_t(epilogue.addends.size()) + (epilogue.masked != Activation::None);
}

WeightLayoutProblem layoutOf(const ConvolutionProblem &p) {
  return {p.groups, p.out.c / p.groups, p.in.c / p.groups, p.kernel, p.in.element, p.direction};
}

// Along one axis of `extent` outputs, the window of a convolution or of the pixels of a 1x1 one.
Axis windowAxis(int64_t extent, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  return {extent, 0, 1, stride, {kernel, -padding, dilation, 0, 1}};
}

} // namespace

Selection::PlacedEpilogue Selection::epilogueOf(const ConvolutionProblem &p, const Places &at) const {
  return {p.epilogue, {at.reads.begin() + 2, at.reads.end()}, {}};
}

PartialSums Selection::addSums(const ConvolutionProblem &p, const Places &at, int64_t parts,
                               PlacedEpilogue &epilogue) {
  if (at.sums.kind == Sums::None)
    return {};
  const PartialSums sums{doubles(sumsElements(parts, p.out.c, target)), parts};
  epilogue.code.sums = at.sums.kind;
  if (at.sums.kind == Sums::Gradient)
    epilogue.code.x = at.sums.reads[0].view;
  epilogue.reads.append(at.sums.reads.begin(), at.sums.reads.end());
  epilogue.writes.push_back(sums.sums);
  return sums;
}

Location Selection::packed(const ConvolutionProblem &p, const Places &at, CpuChoice pack,
                           const KernelOperand &operand) {
  return writer.derived(kernel(layoutOf(p), std::move(pack)), at.reads[1], at.constantWeight,
                        denseView(1, 1, 1, operand.elements, operand.type));
}

Step &Selection::convolutionStep(const ConvolutionProblem &p, const Places &at, CpuChoice choice,
                                 const Location &from, const Location &weight, const PlacedEpilogue &epilogue,
                                 int64_t macs, std::optional<Location> scratch) {
  ConvolutionProblem computed = p;
  computed.epilogue = epilogue.code;
  llvm::SmallVector<Location> reads = {from, weight}, writes = {at.writes[0]};
  reads.append(epilogue.reads);
  writes.append(epilogue.writes);
  if (scratch)
    writes.push_back(*scratch);
  Step &step = writer.step(kernel(computed, std::move(choice)), reads, writes, macs);
  // The kernel reads each element of an addend or of the mask before it stores the output's.
  const int64_t first = epilogue.code.scale + epilogue.code.bias;
  for (int64_t i = first; i < first + addendsAndMask(epilogue.code); ++i)
    if (epilogue.reads[i].view == at.writes[0].view)
      step.mayReuse.push_back(int(2 + i));
  return step;
}

PartialSums Selection::convolution(const ConvolutionProblem &p, const Places &at) {
  if (auto sums = winogradConvolution(p, at))
    return *sums;
  return p.direction == Direction::Forward ? forward(p, at) : inputGradient(p, at);
}

std::optional<PartialSums> Selection::winogradConvolution(const ConvolutionProblem &p, const Places &at) {
  using Pair = std::array<int64_t, 2>;
  if (p.kernel != Pair{3, 3} || p.stride != Pair{1, 1} || p.dilation != Pair{1, 1} || p.groups != 1)
    return std::nullopt;
  // An input gradient is a convolution of dy by the reversed weights, padded by what the forward one leaves
  // of 2.
  const bool transposed = p.direction == Direction::InputGradient;
  const Pair padding = transposed ? Pair{2 - p.padding[0], 2 - p.padding[1]} : p.padding;
  auto spec = chooseWinograd(p.in, p.out, padding[0], padding[1], !at.constantWeight, winograd, target);
  if (!spec)
    return std::nullopt;
  PlacedEpilogue epilogue = epilogueOf(p, at);
  const PartialSums sums = addSums(p, at, spec->parts(), epilogue);
  spec->epilogue = epilogue.code;
  const Location weight = packed(p, at, PackWinograd{spec->weights, transposed}, {spec->weights.elements()});
  // Of a scratch operand only the rooms that calls use are touched: no bytes that the step must move.
  const auto rooms = [&](int64_t elements) {
    Location room = writer.scratch(elements);
    room.view.c = 0;
    return room;
  };
  Location from = at.reads[0];
  if (spec->split) {
    from = writer.scratch(spec->groups() * spec->inputElements());
    writer.step(kernel(p, WinogradInput{*spec}), {at.reads[0]}, {from, rooms(spec->inputScratchElements())});
  }
  const int64_t macs = macsOf(p);
  Step &step = convolutionStep(p, at, *spec, from, weight, epilogue, macs, rooms(spec->scratchElements()));
  step.savedMacs = macs - spec->products();
  return sums;
}

PartialSums Selection::forward(const ConvolutionProblem &p, const Places &at) {
  if (fitsGrouped(p.in.c, p.out.c, p.groups, target))
    return grouped(p, at, windowAxis(p.out.h, p.kernel[0], p.stride[0], p.padding[0], p.dilation[0]),
                   windowAxis(p.out.w, p.kernel[1], p.stride[1], p.padding[1], p.dilation[1]), true,
                   macsOf(p));
  return direct(p, at,
                convolutionForward(p.in, p.out, p.kernel, p.stride, p.padding, p.dilation, p.groups, target),
                true, macsOf(p));
}

// With a stride several steps write the gradient, each its own elements.
PartialSums Selection::inputGradient(const ConvolutionProblem &p, const Places &at) {
  const auto specs =
      convolutionInputGradient(p.in, p.out, p.kernel, p.stride, p.padding, p.dilation, p.groups, target);
  const bool narrow = fitsGrouped(p.out.c, p.in.c, p.groups, target), single = specs.size() == 1;
  PartialSums sums;
  for (const ConvolutionSpec &spec : specs) {
    const int64_t macs = &spec == &specs.front() ? macsOf(p) : 0;
    if (!narrow)
      sums = direct(p, at, spec, single, macs);
    else if (spec.chunk) // a 1x1 convolution was flattened to one row
      sums = grouped(p, at, windowAxis(p.out.h, 1, 1, 0, 1), windowAxis(p.out.w, 1, 1, 0, 1), single, macs);
    else
      sums = grouped(p, at, spec.rows, spec.columns, single, macs);
  }
  return sums;
}

PartialSums Selection::direct(const ConvolutionProblem &p, const Places &at, const ConvolutionSpec &spec,
                              bool withSums, int64_t macs) {
  PlacedEpilogue epilogue = epilogueOf(p, at);
  PartialSums sums;
  if (withSums && spec.fitsSums())
    sums = addSums(p, at, spec.parts(), epilogue);
  ConvolutionSpec whole = spec;
  whole.epilogue = spec.chunk ? pixelsInOneRow(epilogue.code) : epilogue.code;
  const Location weight = packed(
      p, at, PackConvolution{spec.weights, p.direction == Direction::InputGradient}, spec.weights.operand());
  convolutionStep(p, at, whole, at.reads[0], weight, epilogue, macs);
  return sums;
}

PartialSums Selection::grouped(const ConvolutionProblem &p, const Places &at, const Axis &rows,
                               const Axis &columns, bool withSums, int64_t macs) {
  GroupedSpec spec;
  spec.in = p.in;
  spec.out = p.out;
  spec.weights = {p.groups, p.in.c / p.groups, p.out.c / p.groups, p.kernel[0], p.kernel[1], p.in.element};
  spec.rows = rows;
  spec.columns = columns;
  PlacedEpilogue epilogue = epilogueOf(p, at);
  PartialSums sums;
  if (withSums && spec.fitsSums(target.lanes))
    sums = addSums(p, at, spec.parts(), epilogue);
  spec.epilogue = epilogue.code;
  const Location weight = packed(p, at, PackGrouped{spec.weights, p.direction == Direction::InputGradient},
                                 spec.weights.operand(target.lanes));
  convolutionStep(p, at, spec, at.reads[0], weight, epilogue, macs);
  return sums;
}

void Selection::weightGradient(const WeightGradientProblem &p, const Places &at) {
  const WeightGradientLayout layout = weightGradientLayout(p, target);
  const KernelOperand operand = weightGradientTotals(p, layout);
  const Location totals =
      writer.scratch(operand.elements * elementBytes(operand.type) / elementBytes(Element::F32));
  llvm::SmallVector<Location> writes = {totals};
  if (const int64_t elements = weightGradientScratch(p, layout))
    writes.push_back(writer.scratch(elements));
  writer.step(kernel(p, layout), at.reads, writes, macsOf(p));
  writer.step(kernel(p, UnpackWeightGradient(p, layout)), {totals}, at.writes);
}

} // namespace vernier::codegen
