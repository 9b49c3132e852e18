// Backward ops.
#include "codegen/lower/Lowering.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace vernier::codegen {
namespace {

// N x 1 x 1 x C as one image of N pixels: the sum over images becomes one over pixels.
View asPixels(const View &view) { return {1, 1, view.n, view.c, view.pixel, view.element}; }

} // namespace

template <typename Op> Epilogue Lowering::tailOf(Op op, llvm::SmallVectorImpl<Location> &reads) {
  Epilogue epilogue;
  for (Value addend : op.getAddends()) {
    reads.push_back(at(addend));
    epilogue.addends.push_back({reads.back().view});
  }
  if (op.getMask()) {
    reads.push_back(at(op.getMask()));
    epilogue.masked = op.getMasked();
    epilogue.mask = reads.back().view;
  }
  return epilogue;
}

LogicalResult Lowering::lowerGradient(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<vn::ConvolutionInputGradOp>([&](auto grad) {
        auto shape = cast<RankedTensorType>(grad.getWeight().getType()).getShape();
        const Location dy = at(grad.getDy()), dx = result(grad.getResult());
        llvm::SmallVector<Location> reads;
        const ConvolutionProblem problem{dy.view,
                                         dx.view,
                                         {shape[2], shape[3]},
                                         pair(grad.getStrides()),
                                         begins(grad.getPadding()),
                                         pair(grad.getDilations()),
                                         int64_t(grad.getGroups()),
                                         Direction::InputGradient,
                                         tailOf(grad, reads)};
        SumsRequest request;
        if (grad.getSums())
          request = {Sums::Gradient, {at(grad.getSumsInput()), at(grad.getSumsMean())}};
        solveConvolution(problem, dy, grad.getWeight(), reads, dx, grad.getSums(), request);
        return success();
      })
      .Case<vn::ConvolutionWeightGradOp>([&](auto grad) {
        const Location x = at(grad.getInput()), dy = at(grad.getDy()), dw = result(grad.getResult());
        auto shape = cast<RankedTensorType>(grad.getResult().getType()).getShape();
        solve(WeightGradientProblem{x.view,
                                    dy.view,
                                    int64_t(grad.getGroups()),
                                    {shape[2], shape[3]},
                                    pair(grad.getStrides()),
                                    pair(grad.getDilations()),
                                    begins(grad.getPadding())},
              {x, dy}, {dw});
        return success();
      })
      .Case<vn::LinearInputGradOp>([&](auto grad) {
        const Location dy = at(grad.getDy()), dx = result(grad.getResult());
        ConvolutionProblem problem;
        problem.in = dy.view;
        problem.out = dx.view;
        problem.direction = Direction::InputGradient;
        solveConvolution(problem, dy, grad.getWeight(), {}, dx, Value(), {});
        return success();
      })
      .Case<vn::LinearWeightGradOp>([&](auto grad) {
        const Location x = at(grad.getInput()), dy = at(grad.getDy()), dw = result(grad.getResult());
        WeightGradientProblem problem;
        problem.x = asPixels(x.view);
        problem.dy = asPixels(dy.view);
        solve(problem, {x, dy}, {dw});
        return success();
      })
      .Case<vn::ChannelSumOp>([&](auto sum) {
        const Location dy = at(sum.getInput()), db = result(sum.getResult());
        solve(ChannelSumsProblem{dy.view}, {dy}, {db});
        return success();
      })
      .Case<vn::BatchNormGradOp>([&](auto grad) {
        const Activation activation = grad.getMasked();
        const Location dy = at(grad.getDy());
        Location y;
        if (grad.getMask())
          y = at(grad.getMask());
        const double epsilon = grad.getEpsilon().convertToDouble();
        const Location x = at(grad.getInput()), mean = at(grad.getMean()), variance = at(grad.getVar());
        const Location coefficients = scratch(4 * x.view.c);
        llvm::SmallVector<Location> reads = {x, dy};
        if (activation != Activation::None)
          reads.push_back(y);
        PartialSums partial = sumsOf(grad.getSums());
        if (!partial.parts) {
          llvm::SmallVector<Location> sumReads = reads;
          sumReads.push_back(mean);
          partial = solve(BatchGradientSumsProblem{x.view, dy.view, y.view, activation}, sumReads, {});
        }
        solve(BatchGradientFinishProblem{x.view, partial.parts, epsilon},
              {partial.sums, at(grad.getGamma()), mean, variance},
              {result(grad.getDgamma()), result(grad.getDbeta()), coefficients});
        const Location dx = result(grad.getDx());
        llvm::SmallVector<Location> applyReads = reads;
        applyReads.push_back(coefficients);
        solve(BatchGradientApplyProblem{x.view, dy.view, y.view, dx.view, activation}, applyReads, {dx});
        return success();
      })
      .Case<vn::LayerNormGradOp>([&](auto grad) {
        const Location x = at(grad.getInput()), dy = at(grad.getDy()), dx = result(grad.getDx());
        const Location statistics = scratch(2 * x.view.n * x.view.h * x.view.w);
        solve(LayerNormGradientProblem{x.view, dy.view, dx.view, grad.getEpsilon().convertToDouble()},
              {x, dy, at(grad.getGamma())}, {dx, statistics});
        const PartialSums partial =
            solve(LayerNormGradientSumsProblem{x.view, dy.view}, {x, dy, statistics}, {});
        solve(LayerNormGradientFinishProblem{x.view, partial.parts}, {partial.sums},
              {result(grad.getDgamma()), result(grad.getDbeta())});
        return success();
      })
      .Case<vn::GroupNormGradOp>([&](auto grad) {
        const Location x = at(grad.getInput()), dy = at(grad.getDy()), dx = result(grad.getDx());
        solve(GroupNormGradientProblem{x.view, dy.view, dx.view, int64_t(grad.getGroups()),
                                       grad.getEpsilon().convertToDouble()},
              {x, dy, at(grad.getGamma())}, {dx, result(grad.getDgamma()), result(grad.getDbeta())});
        return success();
      })
      .Case<vn::PreluGradOp>([&](auto grad) {
        const Location x = at(grad.getInput()), dy = at(grad.getDy()), slope = at(grad.getSlope()),
                       dx = result(grad.getDx());
        solve(PreluGradientProblem{x.view, dy.view, dx.view, slope.view.c == x.view.c}, {x, dy, slope},
              {dx, result(grad.getDslope())});
        return success();
      })
      .Case<vn::ActivateGradOp>([&](auto grad) {
        const Location of = at(grad.getOf()), dy = at(grad.getDy()), dx = result(grad.getResult());
        solve(ActivationGradientProblem{of.view, dy.view, dx.view, grad.getActivation()}, {of, dy}, {dx});
        return success();
      })
      .Case<vn::MaxPoolGradOp>([&](auto grad) {
        const Location x = at(grad.getInput()), y = at(grad.getY()), dy = at(grad.getDy());
        llvm::SmallVector<Location> reads = {x, y, dy};
        const Epilogue epilogue = tailOf(grad, reads);
        const Location dx = result(grad.getResult());
        solve(PoolGradientProblem{poolOf(grad, x.view, y.view), dy.view, dx.view, epilogue}, reads, {dx});
        return success();
      })
      .Case<vn::AvgPoolGradOp>([&](auto grad) {
        const Location dy = at(grad.getDy()), dx = result(grad.getResult());
        const PoolProblem pool{dx.view,
                               dy.view,
                               pair(grad.getKernel()),
                               pair(grad.getStrides()),
                               four(grad.getPadding()),
                               grad.getCountPadding(),
                               PoolKind::Average};
        solve(PoolGradientProblem{pool, dy.view, dx.view, {}}, {dy}, {dx});
        return success();
      })
      .Case<vn::GlobalAvgPoolGradOp>([&](auto grad) {
        const Location dy = at(grad.getDy()), dx = result(grad.getResult());
        solve(SpatialBroadcastProblem{dy.view, dx.view, 1.0f / float(dx.view.h * dx.view.w)}, {dy}, {dx});
        return success();
      })
      .Case<vn::ResizeGradOp>([&](auto grad) {
        const Location dy = at(grad.getDy()), dx = result(grad.getResult());
        const ResizeProblem resize{dx.view, dy.view, grad.getMode() == vn::ResizeMode::Bilinear,
                                   grad.getAlignCorners(), grad.factor()};
        solve(ResizeGradientProblem{resize}, {dy}, {dx});
        return success();
      })
      .Case<vn::PadGradOp>([&](auto grad) {
        const Location dy = at(grad.getDy()), dx = result(grad.getResult());
        solve(ReplicateGradientProblem{dy.view, dx.view, grad.getPadding()[0], grad.getPadding()[2]}, {dy},
              {dx});
        return success();
      })
      .Case<vn::SpatialSumOp>([&](auto sum) {
        const Location x = at(sum.getInput()), y = result(sum.getResult());
        solve(SpatialSumProblem{x.view, std::nullopt, y.view}, {x}, {y});
        return success();
      })
      .Case<vn::SpatialDotOp>([&](auto dot) {
        const Location a = at(dot.getLhs()), b = at(dot.getRhs()), y = result(dot.getResult());
        solve(SpatialSumProblem{a.view, b.view, y.view}, {a, b}, {y});
        return success();
      })
      .Case<vn::PixelDotOp>([&](auto dot) {
        const Location a = at(dot.getLhs()), b = at(dot.getRhs()), y = result(dot.getResult());
        solve(ChannelReductionProblem{ChannelReduction::Sum, a.view, b.view, y.view}, {a, b}, {y});
        return success();
      })
      .Case<vn::BroadcastChannelsOp>([&](auto op) {
        const Location x = at(op.getInput()), y = result(op.getResult());
        solve(ChannelBroadcastProblem{x.view, y.view, float(op.getFactor().convertToDouble())}, {x}, {y});
        return success();
      })
      .Case<vn::ChannelMaxGradOp>([&](auto grad) {
        const Location x = at(grad.getInput()), y = at(grad.getY()), dy = at(grad.getDy()),
                       dx = result(grad.getResult());
        solve(ChannelMaxGradientProblem{x.view, y.view, dy.view, dx.view}, {x, y, dy}, {dx});
        return success();
      })
      // First over the pixels of each image, then over images.
      .Case<vn::ChannelDotOp>([&](auto dot) {
        const Location a = at(dot.getLhs()), b = at(dot.getRhs());
        Location sums = scratch(a.view.n * a.view.c);
        sums.view = denseView(a.view.n, 1, 1, a.view.c);
        solve(SpatialSumProblem{a.view, b.view, sums.view}, {a, b}, {sums});
        solve(ChannelSumsProblem{asPixels(sums.view)}, {sums}, {result(dot.getResult())});
        return success();
      })
      .Case<vn::UpdateRunningOp>([&](auto update) {
        const Location mean = parameterAt.lookup(update.getMeanName()),
                       variance = parameterAt.lookup(update.getVarName());
        solve(UpdateRunningProblem{mean.view.c, update.getMomentum().convertToDouble(),
                                   int64_t(update.getCount())},
              {at(update.getBatchMean()), at(update.getBatchVar())}, {mean, variance});
        return success();
      })
      .Case<vn::StoreGradientOp>([&](auto store) {
        const Location from = at(store.getGradient()), to = gradientAt.lookup(store.getName());
        if (from.buffer != to.buffer)
          solve(CopyProblem{from.view, to.view}, {from}, {to});
        return success();
      })
      .Default([](Operation *) { return failure(); });
}

} // namespace vernier::codegen
