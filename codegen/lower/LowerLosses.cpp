// Losses: sums over rows of pixels, and what becomes of them. What is drawn by chance.
#include "codegen/lower/Lowering.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;

namespace vernier::codegen {
namespace {

std::optional<int64_t> ignoredBy(std::optional<uint64_t> ignored) {
  return ignored ? std::optional(int64_t(*ignored)) : std::nullopt;
}

template <class Op> PointwiseFunction functionOf(Op op) {
  return {Pointwise(static_cast<uint32_t>(op.getKind())), op.getSharpness().convertToDouble(),
          op.getShare().convertToDouble()};
}

} // namespace

LogicalResult Lowering::lowerLoss(Operation *op) {
  const auto with = [&](llvm::SmallVector<Location> reads, Value optional) {
    if (optional)
      reads.push_back(at(optional));
    return reads;
  };
  // The means of what each row of `map` has a sum of: over all that are `counted`, where that is read.
  const auto mean = [&](const View &map, int64_t all, const Location &sums, Value counted, Value loss) {
    const Location to = result(loss);
    const int64_t parts = to.view.size();
    solve(MeanLossProblem{map.n * map.h, counted ? std::nullopt : std::optional(all / parts), parts},
          with({sums}, counted), {to});
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<vn::SoftmaxCrossEntropyOp>([&](auto loss) {
        const Location logits = at(loss.getLogits()), sums = scratch(logits.view.n * logits.view.h);
        solve(SoftmaxLossProblem{logits.view, ignoredBy(loss.getIgnored()), bool(loss.getWeights())},
              with({logits, at(loss.getLabels()), at(loss.getSmoothing())}, loss.getWeights()), {sums});
        mean(logits.view, logits.view.n * logits.view.h * logits.view.w, sums, loss.getCount(),
             loss.getLoss());
        return success();
      })
      .Case<vn::SoftmaxCrossEntropyGradOp>([&](auto loss) {
        const Location logits = at(loss.getLogits()), gradient = result(loss.getResult());
        solve(SoftmaxLossGradientProblem{logits.view, gradient.view, ignoredBy(loss.getIgnored()),
                                         loss.getWeight().convertToDouble(), bool(loss.getWeights())},
              with(with({logits, at(loss.getLabels()), at(loss.getSmoothing())}, loss.getCount()),
                   loss.getWeights()),
              {gradient});
        return success();
      })
      .Case<vn::CountLabelsOp>([&](auto count) {
        const Location labels = at(count.getLabels());
        const Location to = result(count.getCount());
        solve(CountLabelsProblem{labels.view.size(), ignoredBy(count.getIgnored()), to.view.size(),
                                 count.getWeights() ? at(count.getWeights()).view.size() : 0},
              with({labels}, count.getWeights()), {to});
        return success();
      })
      .Case<vn::PointwiseLossOp>([&](auto loss) {
        const Location x = at(loss.getInput()), sums = scratch(x.view.n * x.view.h);
        PointwiseLossProblem problem{functionOf(loss), x.view, {}};
        if (loss.getTarget())
          problem.target = at(loss.getTarget()).view;
        solve(problem, with({x}, loss.getTarget()), {sums});
        mean(x.view, x.view.size(), sums, Value(), loss.getLoss());
        return success();
      })
      .Case<vn::PointwiseLossGradOp>([&](auto loss) {
        const Location x = at(loss.getInput()), gradient = result(loss.getResult());
        PointwiseLossGradientProblem problem{
            functionOf(loss), x.view, {}, gradient.view, loss.getWeight().convertToDouble()};
        if (loss.getTarget())
          problem.target = at(loss.getTarget()).view;
        solve(problem, with({x}, loss.getTarget()), {gradient});
        return success();
      })
      .Case<vn::NumberOp>([&](auto number) {
        const Location y = result(number.getResult());
        solve(FillProblem{y.view, float(number.getValue().convertToDouble())}, {}, {y});
        return success();
      })
      .Case<vn::NumbersOp>([&](auto numbers) {
        solve(NumbersProblem{numbers.getValues().vec()}, {}, {result(numbers.getResult())});
        return success();
      })
      .Case<vn::WeightedSumOp>([&](auto sum) {
        llvm::SmallVector<Location> terms;
        for (Value term : sum.getTerms())
          terms.push_back(at(term));
        const Location to = result(sum.getResult());
        solve(WeightedSumProblem{sum.getWeights().vec(), to.view.size()}, terms, {to});
        return success();
      })
      .Case<vn::KeepMaskOp>([&](auto mask) {
        const double share = mask.getRate().convertToDouble() * 0x1p32;
        const Location y = result(mask.getResult());
        solve(KeepMaskProblem{y.view, uint32_t(std::min(std::round(share), 0x1p32 - 1)),
                              uint32_t(mask.getStream()), mask.getImage()},
              {at(mask.getState())}, {y});
        return success();
      })
      .Default([](Operation *) { return failure(); });
}

} // namespace vernier::codegen
