// One number for each pixel of all its channels, and the gradients of that.
#include "codegen/cpu/emit/ChannelLoops.h"

namespace vernier::codegen {
namespace {

// `count` channels of a vector, the first one in the lanes beyond them: it changes no maximum.
Value repeated(KernelBuilder &k, Value vector, int64_t count) {
  if (count == k.lanes())
    return vector;
  llvm::SmallVector<int64_t> lanes;
  for (int64_t i = 0; i < k.lanes(); ++i)
    lanes.push_back(i < count ? i : 0);
  return k.shuffle(vector, lanes);
}

Value maximumOf(KernelBuilder &k, const View &x, Value from) {
  const auto channels = [&](Value c, int64_t count) {
    return repeated(k, k.load(k.operand(0), k.add(from, c), count), count);
  };
  const int64_t first = std::min(x.c, k.lanes());
  return k.reduceMax(foldChannels(k, x.c, {channels(k.index(0), first)},
                                  [&](mlir::ValueRange carried, Value c, int64_t count) {
                                    return KernelBuilder::Values{maxFloat(k, carried[0], channels(c, count))};
                                  })[0]);
}

// The channels c, c + 1, ... as numbers: below 2^24 they are exact.
Value numbersFrom(KernelBuilder &k, Value c) {
  llvm::SmallVector<float> lanes;
  for (int64_t i = 0; i < k.lanes(); ++i)
    lanes.push_back(float(i));
  Value offsets = mlir::arith::ConstantOp::create(
      k.builder(), k.location(), mlir::DenseElementsAttr::get(k.vectorType(), llvm::ArrayRef<float>(lanes)));
  return addFloat(k, k.splat(toFloat(k, c)), offsets);
}

// True where either is NaN, too.
Value sameOrNone(KernelBuilder &k, Value a, Value b) {
  return mlir::arith::CmpFOp::create(k.builder(), k.location(), mlir::arith::CmpFPredicate::UEQ, a, b);
}

} // namespace

KernelCode channelReduction(const ChannelReductionProblem &p, const Target &target) {
  const View a = p.a, out = p.out;
  std::vector<KernelOperand> operands = {a.operand()};
  if (p.b)
    operands.push_back(p.b->operand());
  const unsigned output = unsigned(operands.size());
  operands.push_back(out.operand());
  const std::string name =
      std::string(nameOf(Problem(p))) + "_" + a.name() + (p.b ? "_" + p.b->name() : "") + "_" + out.name();
  return makeKernel(name, rowTasks(a), operands, [=](KernelBuilder &k, Value row) {
    overPixels(k, a, row, [&](Value pixel) {
      Value from = k.mul(pixel, a.pixel), result;
      if (p.reduction == ChannelReduction::Max) {
        result = maximumOf(k, a, from);
      } else {
        Value sum = sumChannels(k, a.c, 1, [&](Value c, int64_t count) {
          Value term = k.load(k.operand(0), k.add(from, c), count);
          if (p.b)
            term = mulFloat(k, term, k.load(k.operand(1), k.add(k.mul(pixel, p.b->pixel), c), count));
          return KernelBuilder::Values{k.wide(term)};
        })[0];
        if (p.reduction == ChannelReduction::Mean)
          sum = mulFloat(k, sum, k.wideScalar(1.0 / double(a.c)));
        result = k.narrow(sum);
      }
      k.storeScalar(result, k.operand(output), k.mul(pixel, out.pixel));
    });
  });
}

KernelCode channelBroadcast(const ChannelBroadcastProblem &p, const Target &target) {
  const View in = p.in, out = p.out;
  const std::string by = p.factor == 1.0f                  ? ""
                         : p.factor == 1.0f / float(out.c) ? "_mean"
                                                           : "_times" + numberName(p.factor);
  return makeKernel("channel_broadcast_" + in.name() + "_" + out.name() + by, rowTasks(out),
                    {in.operand(), out.operand()}, [=](KernelBuilder &k, Value row) {
                      overPixels(k, out, row, [&](Value pixel) {
                        Value value = k.splat(k.loadScalar(k.operand(0), k.mul(pixel, in.pixel)));
                        value = mulFloat(k, value, k.constant(p.factor));
                        Value to = k.mul(pixel, out.pixel);
                        k.forChannels(out.c, [&](Value c, int64_t count) {
                          k.store(value, k.operand(1), k.add(to, c), count);
                        });
                      });
                    });
}

KernelCode channelMaxGradient(const ChannelMaxGradientProblem &p, const Target &target) {
  const View x = p.x, y = p.y, dy = p.dy, dx = p.dx;
  return makeKernel(
      "channel_max_gradient_" + x.name() + "_" + y.name() + "_" + dy.name() + "_" + dx.name(), rowTasks(x),
      {x.operand(), y.operand(), dy.operand(), dx.operand()}, [=](KernelBuilder &k, Value row) {
        overPixels(k, x, row, [&](Value pixel) {
          Value from = k.mul(pixel, x.pixel), to = k.mul(pixel, dx.pixel);
          Value maximum = k.splat(k.loadScalar(k.operand(1), k.mul(pixel, y.pixel)));
          Value gradient = k.splat(k.loadScalar(k.operand(2), k.mul(pixel, dy.pixel)));
          // The first channel that is the maximum, as the largest negative number.
          Value none = k.constant(-float(1 << 24));
          Value best = foldChannels(k, x.c, {none}, [&](mlir::ValueRange carried, Value c, int64_t count) {
            Value value = repeated(k, k.load(k.operand(0), k.add(from, c), count), count);
            Value number = subFloat(k, k.constant(0.0f), repeated(k, numbersFrom(k, c), count));
            return KernelBuilder::Values{
                k.larger(carried[0], k.choose(sameOrNone(k, value, maximum), number, none))};
          })[0];
          Value first = k.splat(subFloat(k, k.scalar(0.0f), k.reduceMax(best)));
          k.forChannels(x.c, [&](Value c, int64_t count) {
            Value chosen = sameOrNone(k, numbersFrom(k, c), first);
            k.store(k.choose(chosen, gradient, k.constant(0.0f)), k.operand(3), k.add(to, c), count);
          });
        });
      });
}

} // namespace vernier::codegen
