#include "codegen/cuda/schedule/Selection.h"

namespace vernier::codegen {

PartialSums CudaSelection::select(const Problem &problem, const Places &at) {
  if (const auto *p = std::get_if<ConvolutionProblem>(&problem))
    return convolution(*p, at);
  if (const auto *p = std::get_if<BatchSumsProblem>(&problem))
    return batchSums(*p, at);
  if (const auto *p = std::get_if<BatchGradientSumsProblem>(&problem))
    return batchGradientSums(*p, at);
  if (const auto *p = std::get_if<LayerNormGradientSumsProblem>(&problem))
    return layerNormGradientSums(*p, at);
  if (const auto *p = std::get_if<WeightGradientProblem>(&problem))
    weightGradient(*p, at);
  else if (const auto *p = std::get_if<SpatialSumProblem>(&problem))
    spatialSum(*p, at);
  else if (const auto *p = std::get_if<ChannelSumsProblem>(&problem))
    channelSums(*p, at);
  else if (const auto *p = std::get_if<GroupNormProblem>(&problem))
    groupNorm(*p, at);
  else if (const auto *p = std::get_if<GroupNormGradientProblem>(&problem))
    groupNormGradient(*p, at);
  else if (const auto *p = std::get_if<PreluProblem>(&problem))
    prelu(*p, at);
  else if (const auto *p = std::get_if<PreluGradientProblem>(&problem))
    preluGradient(*p, at);
  else if (const auto *p = std::get_if<SoftmaxProblem>(&problem))
    softmax(*p, at);
  else if (const auto *p = std::get_if<SpatialSoftmaxProblem>(&problem))
    spatialSoftmax(*p, at);
  else if (const auto *p = std::get_if<MatmulProblem>(&problem))
    matmul(*p, at);
  else if (const auto *p = std::get_if<BlocksToChannelsProblem>(&problem))
    blocksToChannels(*p, at);
  else if (const auto *p = std::get_if<ResampleProblem>(&problem))
    resample(*p, at);
  else
    plain(problem, at);
  return {};
}

::vn::Map CudaSelection::map(Draft &draft, const Location &place) const {
  return map(draft, place.view, place);
}

::vn::Map CudaSelection::map(Draft &draft, const View &view, const Location &place) const {
  const ::vn::Map map = mapAt(view, place), best = mapAt(view, {});
  draft.aligned.push_back(map.align == best.align ? 0 : map.align);
  return map;
}

void CudaSelection::read(Draft &draft, const char *name, const Location &place) const {
  read(draft, name, place, elementType(place.view.element, false).c_str(), place.view.elements());
}
void CudaSelection::write(Draft &draft, const char *name, const Location &place) const {
  write(draft, name, place, elementType(place.view.element, true).c_str(), place.view.elements());
}
void CudaSelection::read(Draft &draft, const char *name, const Location &place, const char *type,
                         int64_t count) const {
  draft.operands.push_back({name, type, count});
  draft.reads.push_back(place);
}
void CudaSelection::write(Draft &draft, const char *name, const Location &place, const char *type,
                          int64_t count) const {
  draft.operands.push_back({name, type, count});
  draft.writes.push_back(place);
}

Kernel CudaSelection::kernelOf(const Problem &problem, const Draft &draft) const {
  const ::vn::dim3 grid = draft.launch.grid;
  CudaCode code{
      draft.type,      draft.constant.str(), draft.function,       draft.operands,
      draft.arguments, draft.tables,         draft.launch.block.x, int64_t(grid.x) * grid.y * grid.z,
      draft.hopper};
  std::string aligned;
  if (llvm::any_of(draft.aligned, [](int align) { return align != 0; }))
    for (int align : draft.aligned)
      aligned += (aligned.empty() ? "aligned " : "x") + std::to_string(align);
  return makeCudaKernel(problem, std::move(code), draft.chosen, aligned, draft.reason);
}

Step &CudaSelection::step(const Problem &problem, Draft &draft, int64_t macs) {
  return writer.step(kernelOf(problem, draft), draft.reads, draft.writes, macs);
}

void CudaSelection::mayReuse(Step &step, std::initializer_list<int> reads) {
  size_t output = 0;
  while (!step.operands[output].written)
    ++output;
  for (int read : reads)
    if (size_t(read) < output && step.operands[size_t(read)].view == step.operands[output].view)
      step.mayReuse.push_back(read);
}

Location CudaSelection::zeros(int64_t count) {
  const Location words = writer.scratch(count);
  plain(FillProblem{words.view, 0}, {{}, {words}, {}, false});
  return words;
}

} // namespace vernier::codegen
