// Everything but convolutions: pools, sums, what is done to each element.
#include "codegen/cpu/schedule/Selection.h"

namespace vernier::codegen {

PartialSums Selection::select(const Problem &problem, const Places &at) {
  if (const auto *p = std::get_if<ConvolutionProblem>(&problem))
    return convolution(*p, at);
  if (const auto *p = std::get_if<WeightGradientProblem>(&problem)) {
    weightGradient(*p, at);
  } else if (const auto *p = std::get_if<PoolProblem>(&problem)) {
    pool(*p, at);
  } else if (const auto *p = std::get_if<PoolGradientProblem>(&problem)) {
    p->pool.kind == PoolKind::Max ? maxPoolGradient(*p, at) : averagePoolGradient(*p, at);
  } else if (const auto *p = std::get_if<SpatialSumProblem>(&problem)) {
    spatialSum(*p, at);
  } else if (const auto *p = std::get_if<ResizeGradientProblem>(&problem)) {
    writer.step(kernel(problem), at.reads, withDoubles(at.writes, resizeGradientScratch(p->resize, target)));
  } else if (const auto *p = std::get_if<ReplicateGradientProblem>(&problem)) {
    writer.step(kernel(problem), at.reads,
                withDoubles(at.writes, replicateGradientScratch(p->dy, p->dx, target)));
  } else if (const auto *p = std::get_if<BatchSumsProblem>(&problem)) {
    return sums(problem, at, statisticsChunks(p->x), p->x.c);
  } else if (const auto *p = std::get_if<BatchGradientSumsProblem>(&problem)) {
    return sums(problem, at, statisticsChunks(p->x), p->x.c);
  } else if (const auto *p = std::get_if<LayerNormGradientSumsProblem>(&problem)) {
    return sums(problem, at, statisticsChunks(p->x), p->x.c);
  } else if (const auto *p = std::get_if<ChannelSumsProblem>(&problem)) {
    const PartialSums partial = sums(problem, at, statisticsChunks(p->dy), p->dy.c);
    writer.step(kernel(problem, Finish()), {partial.sums}, at.writes);
  } else if (const auto *p = std::get_if<GroupNormProblem>(&problem)) {
    groupNorm(*p, at);
  } else if (const auto *p = std::get_if<GroupNormGradientProblem>(&problem)) {
    groupNormGradient(*p, at);
  } else if (const auto *p = std::get_if<PreluGradientProblem>(&problem)) {
    preluGradient(*p, at);
  } else if (const auto *p = std::get_if<MatmulProblem>(&problem)) {
    matmul(*p, at);
  } else if (std::holds_alternative<PreluProblem>(problem)) {
    mayReuse(whole(problem, at), {0});
  } else if (std::holds_alternative<BinaryProblem>(problem)) {
    mayReuse(whole(problem, at), {0, 1});
  } else if (std::holds_alternative<ActivationProblem>(problem)) {
    mayReuse(whole(problem, at), {0});
  } else if (std::holds_alternative<ActivationGradientProblem>(problem)) {
    mayReuse(whole(problem, at), {1});
  } else if (std::holds_alternative<AffineProblem>(problem)) {
    mayReuse(whole(problem, at), {0, 3});
  } else if (std::holds_alternative<LayerNormProblem>(problem)) {
    mayReuse(whole(problem, at), {0});
  } else if (std::holds_alternative<BatchGradientApplyProblem>(problem)) {
    mayReuse(whole(problem, at), {1, 0});
  } else if (const auto *p = std::get_if<SgdProblem>(&problem)) {
    anyLength(problem, at, p->count);
  } else if (const auto *p = std::get_if<AccumulateProblem>(&problem)) {
    anyLength(problem, at, p->count);
  } else if (const auto *p = std::get_if<CheckFiniteProblem>(&problem)) {
    anyLength(problem, at, p->count);
  } else {
    whole(problem, at);
  }
  return {};
}

void Selection::anyLength(const Problem &problem, const Places &at, int64_t count) {
  writer.step(kernel(problem, AnyLength()), at.reads, at.writes).tasks = ceilDiv(count, kOptimizerBlock);
}

void Selection::mayReuse(Step &step, std::initializer_list<int> reads) {
  const View &output = step.operands.back().view;
  for (int read : reads)
    if (read + 1 < int(step.operands.size()) && step.operands[read].view == output)
      step.mayReuse.push_back(read);
}

llvm::SmallVector<Location> Selection::withDoubles(llvm::ArrayRef<Location> writes, int64_t count) {
  llvm::SmallVector<Location> all(writes);
  if (count)
    all.push_back(doubles(count));
  return all;
}

PartialSums Selection::sums(const Problem &problem, const Places &at, int64_t parts, int64_t channels) {
  const PartialSums partial{doubles(sumsElements(parts, channels, target)), parts};
  writer.step(kernel(problem), at.reads, {partial.sums});
  return partial;
}

void Selection::pool(const PoolProblem &p, const Places &at) {
  if (p.kind == PoolKind::Max && fasterAlongAxes(p))
    alongAxes(p, poolAxes(p), at.reads[0], at.writes[0]);
  else if (p.kind == PoolKind::Average && averageFasterAlongAxes(p))
    alongAxes(p, averageAxes(p), at.reads[0], at.writes[0]);
  else
    whole(p, at);
}

llvm::SmallVector<Location> Selection::alongAxes(const PoolProblem &p, llvm::ArrayRef<AxisPool> parts,
                                                 const Location &x, std::optional<Location> y) {
  llvm::SmallVector<Location> maps = {x};
  for (const AxisPool &part : parts) {
    const bool last = &part == &parts.back();
    if (last && !y)
      break;
    const Location to = last ? *y : writer.map(part.spec.out);
    writer.step(kernel(p, AlongAxis{part, {}, {}}), {maps.back()}, {to});
    maps.push_back(to);
  }
  return maps;
}

void Selection::averagePoolGradient(const PoolGradientProblem &p, const Places &at) {
  if (!averageGradientFasterAlongAxes(p.pool)) {
    whole(p, at);
    return;
  }
  const std::vector<AxisPool> parts = averageAxes(p.pool);
  Location gradient = at.reads[0];
  for (const AxisPool &part : llvm::reverse(parts)) {
    const Location to = &part == &parts.front() ? at.writes[0] : writer.map(part.spec.in);
    writer.step(kernel(p, AlongAxis{part, part.spec.out, part.spec.in}), {gradient}, {to});
    gradient = to;
  }
}

void Selection::maxPoolGradient(const PoolGradientProblem &p, const Places &at) {
  if (!gradientFasterAlongAxes(p.pool)) {
    Step &step = writer.step(kernel(p), at.reads,
                             withDoubles(at.writes, maxPoolGradientScratch(p.pool, p.dx, target)));
    // The kernel reads each element of an addend or of the mask before it stores the output's.
    for (int i = 3; i < int(at.reads.size()); ++i)
      if (at.reads[i].view == at.writes[0].view)
        step.mayReuse.push_back(i);
    return;
  }
  const std::vector<AxisPool> parts = poolAxes(p.pool);
  llvm::SmallVector<Location> maps = alongAxes(p.pool, parts, at.reads[0], {});
  Location gradient = at.reads[2];
  for (size_t i = parts.size(); i-- > 0;) {
    const View &view = maps[i].view;
    const Location to = i == 0 ? at.writes[0] : writer.map(denseView(view.n, view.h, view.w, view.c));
    writer.step(kernel(p, AlongAxis{parts[i], gradient.view, to.view}), {maps[i], gradient},
                withDoubles({to}, maxPoolGradientAlongScratch(parts[i], gradient.view, to.view, target)));
    gradient = to;
  }
}

void Selection::groupNorm(const GroupNormProblem &p, const Places &at) {
  const Location sums = doubles(groupNormSumsElements(p.x, false, target)),
                 work = doubles(groupNormWorkElements(p.x, false, target)),
                 coefficients = writer.scratch(groupNormCoefficients(p.x, false));
  writer.step(kernel(p), {at.reads[0]}, {sums});
  writer.step(kernel(p, Finish()), {sums, at.reads[1]}, {work, coefficients});
  mayReuse(writer.step(kernel(p, Apply()), {at.reads[0], at.reads[2], coefficients}, at.writes), {0});
}

void Selection::groupNormGradient(const GroupNormGradientProblem &p, const Places &at) {
  const Location sums = doubles(groupNormSumsElements(p.x, true, target)),
                 work = doubles(groupNormWorkElements(p.x, true, target)),
                 coefficients = writer.scratch(groupNormCoefficients(p.x, true)),
                 parts = doubles(sumsElements(p.x.n, p.x.c, target));
  writer.step(kernel(p), {at.reads[0], at.reads[1]}, {sums});
  writer.step(kernel(p, Finish()), {sums, at.reads[2]}, {work, coefficients, parts});
  mayReuse(writer.step(kernel(p, Apply()), {at.reads[0], at.reads[1], coefficients}, {at.writes[0]}), {1, 0});
  whole(LayerNormGradientFinishProblem{p.x, p.x.n}, {{parts}, {at.writes[1], at.writes[2]}, {}, false});
}

void Selection::preluGradient(const PreluGradientProblem &p, const Places &at) {
  const Location sums = doubles(sumsElements(statisticsChunks(p.x), p.x.c, target));
  writer.step(kernel(p), {at.reads[0], at.reads[1]}, {sums});
  writer.step(kernel(p, Finish()), {sums}, {at.writes[1]});
  mayReuse(writer.step(kernel(p, Apply()), at.reads, {at.writes[0]}), {1, 0});
}

void Selection::matmul(const MatmulProblem &p, const Places &at) {
  Location b = at.reads[1];
  if (p.transposeB) {
    b = writer.scratch(transposedElements(p.b, target));
    writer.step(kernel(p, Transposition()), {at.reads[1]}, {b});
  }
  writer.step(kernel(p), {at.reads[0], b}, at.writes, macsOf(Problem(p)));
}

void Selection::spatialSum(const SpatialSumProblem &p, const Places &at) {
  if (spatialParts(p, target) == 1) {
    whole(p, at);
    return;
  }
  const Location partial = doubles(spatialSumsElements(p, target));
  writer.step(kernel(p), at.reads, {partial});
  writer.step(kernel(p, Finish()), {partial}, at.writes);
}

} // namespace vernier::codegen
