// A rectifier with learned slopes, one for each channel or one for all.
#include "codegen/cpu/emit/PixelSums.h"

namespace vernier::codegen {
namespace {

Value isPositive(KernelBuilder &k, Value x) {
  return mlir::arith::CmpFOp::create(k.builder(), k.location(), mlir::arith::CmpFPredicate::OGT, x,
                                     k.constant(0.0f));
}

Value slopeAt(KernelBuilder &k, Value slopes, bool perChannel, Value c, int64_t count) {
  return perChannel ? k.load(slopes, c, count) : k.splat(k.loadScalar(slopes, k.index(0)));
}

std::string nameOf(const PreluGradientProblem &p) {
  return p.x.name() + "_" + p.dy.name() + "_" + p.dx.name() + "_slopes" + std::to_string(p.slopes());
}

} // namespace

KernelCode prelu(const PreluProblem &p, const Target &) {
  const View x = p.x, y = p.y;
  return makeKernel("prelu_" + x.name() + "_" + y.name() + "_slopes" + std::to_string(p.slopes()),
                    rowTasks(y), {x.operand(), {p.slopes()}, y.operand()}, [=](KernelBuilder &k, Value row) {
                      overRow(
                          k, row, {x, y},
                          [&](llvm::ArrayRef<Value> at, Value c, int64_t count) {
                            Value v = k.load(k.operand(0), at[0], count);
                            Value below = mulFloat(k, v, slopeAt(k, k.operand(1), p.perChannel, c, count));
                            k.store(k.choose(isPositive(k, v), v, below), k.operand(2), at[1], count);
                          },
                          /*mayFlatten=*/!p.perChannel);
                    });
}

KernelCode preluGradient(const PreluGradientProblem &p, const Target &) {
  const View x = p.x, dy = p.dy, dx = p.dx;
  return makeKernel(
      "prelu_gradient_" + nameOf(p), rowTasks(dx), {x.operand(), dy.operand(), {p.slopes()}, dx.operand()},
      [=](KernelBuilder &k, Value row) {
        overRow(
            k, row, {x, dy, dx},
            [&](llvm::ArrayRef<Value> at, Value c, int64_t count) {
              Value v = k.load(k.operand(0), at[0], count), g = k.load(k.operand(1), at[1], count);
              Value below = mulFloat(k, g, slopeAt(k, k.operand(2), p.perChannel, c, count));
              k.store(k.choose(isPositive(k, v), g, below), k.operand(3), at[2], count);
            },
            /*mayFlatten=*/!p.perChannel);
      });
}

KernelCode preluGradientSums(const PreluGradientProblem &p, const Target &target) {
  const View x = p.x, dy = p.dy;
  const int64_t chunks = statisticsChunks(x);
  // x, dy, sums: the first of each part's two
  return makeKernel("prelu_gradient_sums_" + nameOf(p), chunks,
                    {x.operand(), dy.operand(), partialSums(x, chunks, target)},
                    [=](KernelBuilder &k, Value task) {
                      chunkSums(
                          k, task, x, k.operand(2),
                          [&](Value pixel, Value c, int64_t count, Value) {
                            Value v = k.load(k.operand(0), pixelPosition(k, x, pixel, c), count);
                            Value g = k.load(k.operand(1), pixelPosition(k, dy, pixel, c), count);
                            Value term = mulFloat(k, k.wide(v), k.wide(g)), zero = k.wideConstant(0.0);
                            return std::array{k.choose(isPositive(k, v), zero, term), zero};
                          },
                          [](Value, int64_t) { return Value(); });
                    });
}

KernelCode preluGradientFinish(const PreluGradientProblem &p, const Target &target) {
  const View x = p.x;
  const int64_t chunks = statisticsChunks(x);
  const std::string name = "prelu_gradient_finish_" + nameOf(p);
  // sums, dslope
  if (p.perChannel)
    return finishKernel(name, x.c, {partialSums(x, chunks, target), {x.c}}, target,
                        [=](KernelBuilder &k, Value c, int64_t count) {
                          Value sum = addParts(k, k.operand(0), x, chunks, c).first;
                          k.store(k.narrow(sum), k.operand(1), c, count);
                        });
  // What lies past the last channel is 0.
  return makeKernel(name, 1, {partialSums(x, chunks, target), {1}}, [=](KernelBuilder &k, Value) {
    auto total = k.forLoop(k.index(0), k.index(x.c), k.lanes(), mlir::ValueRange{k.wideConstant(0.0)},
                           [&](Value c, mlir::ValueRange carried) {
                             return KernelBuilder::Values{
                                 addFloat(k, carried[0], addParts(k, k.operand(0), x, chunks, c).first)};
                           });
    k.storeScalar(k.narrow(k.reduceAdd(total[0])), k.operand(1), k.index(0));
  });
}

} // namespace vernier::codegen
