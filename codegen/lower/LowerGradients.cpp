// Losses and backward ops.
#include "codegen/lower/Lowering.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace vernier::codegen {
namespace {

int64_t weightMacs(const WeightGradientSpec &s) {
  return s.dy.size() * (s.x.c / s.groups) * s.kernel[0] * s.kernel[1];
}

// N x 1 x 1 x C as one image of N pixels: the sum over images becomes one over pixels.
View asPixels(const View &view) { return {1, 1, view.n, view.c, view.pixel}; }

} // namespace

void Lowering::lowerInputGradient(const Location &dy, Value weight, const ConvolutionShape &shape,
                                  const GradientTail &tail) {
  const Location dx = result(tail.result);
  const View &dyView = dy.view, &dxView = dx.view;
  const auto &[kernel, stride, padding, dilation, groups] = shape;
  const int64_t macs = dyView.size() * (dxView.c / groups) * kernel[0] * kernel[1];
  if (kernel == std::array<int64_t, 2>{3, 3}) {
    // A convolution of dy by the reversed weights, padded by what the forward one leaves of 2.
    const std::array<int64_t, 4> rest = {2 - padding[0], 2 - padding[1], 2 - padding[2], 2 - padding[3]};
    if (lowerWinograd(dy, tail.result, weight, true, {kernel, stride, rest, dilation, groups},
                      epilogueOf(tail), macs))
      return;
  }
  const auto specs =
      convolutionInputGradient(dyView, dxView, kernel, stride, padding, dilation, groups, target);
  const bool grouped = fitsGrouped(dxView.c, dyView.c, groups, target);
  for (const ConvolutionSpec &spec : specs) {
    const int64_t counted = &spec == &specs.front() ? macs : 0;
    PlacedEpilogue epilogue = epilogueOf(tail);
    Location packedWeight;
    Kernel code;
    if (!grouped) {
      // With a stride several steps write the gradient, each its own elements.
      if (specs.size() == 1 && spec.fitsSums())
        addSums(tail.result, spec.parts(), epilogue);
      ConvolutionSpec whole = spec;
      whole.epilogue = spec.chunk ? pixelsInOneRow(epilogue.code) : epilogue.code;
      packedWeight = packed(weight, packWeights(spec.weights, true), spec.weights.operand());
      code = convolution(whole, target);
    } else {
      GroupedSpec narrow;
      narrow.in = dyView;
      narrow.out = dxView;
      narrow.perGroup = dxView.c / groups;
      narrow.kernelRows = kernel[0];
      narrow.kernelColumns = kernel[1];
      narrow.rows = spec.rows;
      narrow.columns = spec.columns;
      if (spec.chunk) { // a 1x1 convolution was flattened to one row
        narrow.rows = {dxView.h, 0, 1, 1, {1, 0, 1, 0, 1}};
        narrow.columns = {dxView.w, 0, 1, 1, {1, 0, 1, 0, 1}};
      }
      if (specs.size() == 1)
        addSums(tail.result, narrow.parts(), epilogue);
      narrow.epilogue = epilogue.code;
      packedWeight =
          packed(weight, packGroupedWeights(narrow, true, target), narrow.weightOperand(target.lanes));
      code = groupedConvolution(narrow, target);
    }
    step(code, {dy, packedWeight}, dx, epilogue, counted);
  }
}

void Lowering::lowerWeightGradient(const WeightGradientSpec &spec, const Location &x, const Location &dy,
                                   const Location &dw) {
  const KernelOperand operand = weightGradientTotals(spec, target);
  const Location totals = scratch(operand.elements * elementBytes(operand.type) / elementBytes(Element::F32));
  llvm::SmallVector<Location> writes = {totals};
  if (const int64_t elements = weightGradientScratch(spec, target))
    writes.push_back(scratch(elements));
  step(weightGradient(spec, target), llvm::ArrayRef<Location>{x, dy}, writes, weightMacs(spec));
  step(unpackWeightGradient(spec, target), {totals}, {dw});
}

void Lowering::lowerMaxPoolGradient(const PoolSpec &spec, const Location &x, const Location &y,
                                    const Location &dy, const GradientTail &tail) {
  const PlacedEpilogue epilogue = epilogueOf(tail);
  const Location dx = result(tail.result);
  if (!gradientFasterAlongAxes(spec)) {
    step(maxPoolGradient(spec, dy.view, dx.view, epilogue.code, target), {x, y, dy}, dx, epilogue);
    return;
  }
  const std::vector<AxisPool> parts = poolAxes(spec);
  llvm::SmallVector<Location> maps = maxPoolAlongAxes(parts, x, {});
  maps.push_back(y);
  Location gradient = dy;
  for (size_t i = parts.size(); i-- > 0;) {
    const View &view = maps[i].view;
    const View dense = denseView(view.n, view.h, view.w, view.c);
    const Location to = i == 0 ? dx : Location{addBuffer(VN_SPACE_ARENA, dense.bytes()), 0, dense};
    step(maxPoolGradientAlong(parts[i], gradient.view, to.view, target), {maps[i], maps[i + 1], gradient},
         {to});
    gradient = to;
  }
}

LogicalResult Lowering::lowerGradient(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<vn::ConvolutionInputGradOp>([&](auto grad) {
        const auto tail = gradientTail(grad);
        if (!tail)
          return success();
        auto shape = cast<RankedTensorType>(grad.getWeight().getType()).getShape();
        lowerInputGradient(at(grad.getDy()), grad.getWeight(),
                           {{shape[2], shape[3]},
                            pair(grad.getStrides()),
                            four(grad.getPadding()),
                            pair(grad.getDilations()),
                            int64_t(grad.getGroups())},
                           *tail);
        return success();
      })
      .Case<vn::ConvolutionWeightGradOp>([&](auto grad) {
        const Location x = at(grad.getInput()), dy = at(grad.getDy()), dw = result(grad.getResult());
        auto shape = cast<RankedTensorType>(grad.getResult().getType()).getShape();
        WeightGradientSpec spec{x.view,
                                dy.view,
                                int64_t(grad.getGroups()),
                                {shape[2], shape[3]},
                                pair(grad.getStrides()),
                                pair(grad.getDilations()),
                                four(grad.getPadding())};
        lowerWeightGradient(spec, x, dy, dw);
        return success();
      })
      .Case<vn::LinearInputGradOp>([&](auto grad) {
        GradientTail none;
        none.result = grad.getResult();
        lowerInputGradient(at(grad.getDy()), grad.getWeight(), {}, none);
        return success();
      })
      .Case<vn::LinearWeightGradOp>([&](auto grad) {
        const Location x = at(grad.getInput()), dy = at(grad.getDy()), dw = result(grad.getResult());
        WeightGradientSpec spec;
        spec.x = asPixels(x.view);
        spec.dy = asPixels(dy.view);
        lowerWeightGradient(spec, x, dy, dw);
        return success();
      })
      .Case<vn::ChannelSumOp>([&](auto sum) {
        const Location dy = at(sum.getInput()), db = result(sum.getResult());
        const Location partial = scratch(2 * sumsElements(statisticsChunks(dy.view), dy.view.c, target));
        step(channelSums(dy.view, target), {dy}, {partial});
        step(channelSumsFinish(dy.view, target), {partial}, {db});
        return success();
      })
      .Case<vn::BatchNormGradOp>([&](auto grad) {
        // An activation's gradient that only this op reads is applied on the way.
        Activation activation = Activation::None;
        Location dy, y;
        if (auto masked = grad.getDy().template getDefiningOp<vn::ActivateGradOp>();
            masked && masked->hasOneUse() && !absorbed.contains(masked)) {
          activation = activationOf(masked.getActivation());
          dy = at(masked.getDy());
          y = at(masked.getY());
        } else {
          dy = at(grad.getDy());
        }
        const double epsilon = grad.getEpsilon().convertToDouble();
        const Location x = at(grad.getInput()), mean = at(grad.getMean()), variance = at(grad.getVar());
        const int64_t C = x.view.c;
        const Location coefficients = scratch(4 * C);
        llvm::SmallVector<Location> reads = {x, dy};
        if (activation != Activation::None)
          reads.push_back(y);
        PartialSums partial = sumsFor.lookup(grad.getOperation());
        if (!partial.parts) {
          partial.parts = statisticsChunks(x.view);
          partial.sums = scratch(2 * sumsElements(partial.parts, C, target));
          llvm::SmallVector<Location> sumReads = reads;
          sumReads.push_back(mean);
          step(batchGradientSums(x.view, dy.view, y.view, activation, target), sumReads, {partial.sums});
        }
        step(batchGradientFinish(x.view, partial.parts, epsilon, target),
             {partial.sums, at(grad.getGamma()), mean, variance},
             {result(grad.getDgamma()), result(grad.getDbeta()), coefficients});
        const Location dx = result(grad.getDx());
        llvm::SmallVector<Location> applyReads = reads;
        applyReads.push_back(coefficients);
        Step &s =
            step(batchGradientApply(x.view, dy.view, y.view, dx.view, activation, target), applyReads, {dx});
        if (dy.view == dx.view)
          s.mayReuse.push_back(1);
        if (x.view == dx.view)
          s.mayReuse.push_back(0);
        return success();
      })
      .Case<vn::ActivateGradOp>([&](auto grad) {
        if (grad->hasOneUse() && isa<vn::BatchNormGradOp>(*grad->user_begin()))
          return success(); // part of that op
        const Location y = at(grad.getY()), dy = at(grad.getDy()), dx = result(grad.getResult());
        Step &s = step(activateGradient(y.view, dy.view, dx.view, activationOf(grad.getActivation()), target),
                       {y, dy}, {dx});
        if (dy.view == dx.view)
          s.mayReuse.push_back(1);
        return success();
      })
      .Case<vn::MaxPoolGradOp>([&](auto grad) {
        const auto tail = gradientTail(grad);
        if (!tail)
          return success();
        const Location x = at(grad.getInput()), y = at(grad.getY());
        lowerMaxPoolGradient(poolOf(grad, x.view, y.view), x, y, at(grad.getDy()), *tail);
        return success();
      })
      .Case<vn::AvgPoolGradOp>([&](auto grad) {
        const Location dy = at(grad.getDy()), dx = result(grad.getResult());
        PoolSpec spec{dx.view,
                      dy.view,
                      pair(grad.getKernel()),
                      pair(grad.getStrides()),
                      four(grad.getPadding()),
                      grad.getCountPadding()};
        step(averagePoolGradient(spec, target), {dy}, {dx});
        return success();
      })
      .Case<vn::GlobalAvgPoolGradOp>([&](auto grad) {
        const Location dy = at(grad.getDy()), dx = result(grad.getResult());
        step(spatialBroadcast(dy.view, dx.view, 1.0f / float(dx.view.h * dx.view.w), target), {dy}, {dx});
        return success();
      })
      .Case<vn::ResizeGradOp>([&](auto grad) {
        const Location dy = at(grad.getDy()), dx = result(grad.getResult());
        const ResizeSpec spec{dx.view, dy.view, grad.getMode() == vn::ResizeMode::Bilinear,
                              grad.getAlignCorners(), grad.factor()};
        step(resizeGradient(spec, target), llvm::ArrayRef<Location>{dy},
             withScratch(dx, resizeGradientScratch(spec, target)));
        return success();
      })
      .Case<vn::PadGradOp>([&](auto grad) {
        const Location dy = at(grad.getDy()), dx = result(grad.getResult());
        step(replicateGradient(dy.view, dx.view, grad.getPadding()[0], grad.getPadding()[2], target),
             llvm::ArrayRef<Location>{dy},
             withScratch(dx, replicateGradientScratch(dy.view, dx.view, target)));
        return success();
      })
      .Case<vn::SpatialSumOp>([&](auto sum) {
        const Location x = at(sum.getInput()), y = result(sum.getResult());
        lowerSpatialSum({x.view, std::nullopt, y.view}, {x}, y);
        return success();
      })
      .Case<vn::SpatialDotOp>([&](auto dot) {
        const Location a = at(dot.getLhs()), b = at(dot.getRhs()), y = result(dot.getResult());
        lowerSpatialSum({a.view, b.view, y.view}, {a, b}, y);
        return success();
      })
      .Case<vn::SoftmaxCrossEntropyOp>([&](auto loss) {
        const Location logits = at(loss.getLogits()), perImage = scratch(logits.view.n);
        step(softmaxLoss(logits.view.n, logits.view.c, target),
             {logits, at(loss.getLabels()), at(loss.getSmoothing())}, {perImage});
        step(meanLoss(logits.view.n), {perImage}, {result(loss.getLoss())});
        return success();
      })
      .Case<vn::SoftmaxCrossEntropyGradOp>([&](auto loss) {
        const Location logits = at(loss.getLogits());
        step(softmaxGradient(logits.view.n, logits.view.c, target),
             {logits, at(loss.getLabels()), at(loss.getSmoothing())}, {result(loss.getResult())});
        return success();
      })
      .Case<vn::BinaryCrossEntropyOp>([&](auto loss) {
        const Location logits = at(loss.getLogits()), perImage = scratch(logits.view.n);
        step(binaryLoss(logits.view.n, logits.view.c, target), {logits, at(loss.getTargets())}, {perImage});
        step(meanLoss(logits.view.n), {perImage}, {result(loss.getLoss())});
        return success();
      })
      .Case<vn::BinaryCrossEntropyGradOp>([&](auto loss) {
        const Location logits = at(loss.getLogits());
        step(binaryGradient(logits.view.n, logits.view.c, target), {logits, at(loss.getTargets())},
             {result(loss.getResult())});
        return success();
      })
      .Case<vn::UpdateRunningOp>([&](auto update) {
        const Location mean = parameterAt.lookup(update.getMeanName()),
                       variance = parameterAt.lookup(update.getVarName());
        step(updateRunning(mean.view.c, update.getMomentum().convertToDouble(), double(update.getCount()),
                           target),
             {at(update.getBatchMean()), at(update.getBatchVar())}, {mean, variance});
        return success();
      })
      .Case<vn::StoreGradientOp>([&](auto store) {
        const Location from = at(store.getGradient()), to = gradientAt.lookup(store.getName());
        if (from.buffer != to.buffer)
          step(copy(from.view, to.view, target), {from}, {to});
        return success();
      })
      .Default([](Operation *) { return failure(); });
}

} // namespace vernier::codegen
