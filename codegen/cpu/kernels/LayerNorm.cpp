// Layer normalisation: each pixel over its channels. And what multiplies parameters by numbers of their
// outputs.
#include "codegen/cpu/emit/ChannelLoops.h"
#include "codegen/cpu/emit/PixelSums.h"

namespace vernier::codegen {
namespace {

std::string epsilonName(double epsilon) { return "_e" + numberName(epsilon); }

struct PixelStatistics {
  Value mean, reciprocal; // of the deviation; single numbers of float32
};

// Squares of doubles: the variance does not cancel where the mean is large.
PixelStatistics statisticsOf(KernelBuilder &k, const View &x, Value at, double epsilon) {
  const auto sums = sumChannels(k, x.c, 2, [&](Value c, int64_t count) {
    Value value = k.wide(k.load(k.operand(0), k.add(at, c), count));
    return KernelBuilder::Values{value, mulFloat(k, value, value)};
  });
  Value share = k.wideScalar(1.0 / double(x.c)), zero = k.wideScalar(0.0);
  Value mean = mulFloat(k, sums[0], share);
  Value raw = subFloat(k, mulFloat(k, sums[1], share), mulFloat(k, mean, mean));
  // NaN stays.
  Value negative =
      mlir::arith::CmpFOp::create(k.builder(), k.location(), mlir::arith::CmpFPredicate::OLT, raw, zero);
  Value variance = k.choose(negative, zero, raw);
  Value deviation = squareRoot(k, addFloat(k, variance, k.wideScalar(epsilon)));
  return {k.narrow(mean), k.narrow(divFloat(k, k.wideScalar(1.0), deviation))};
}

} // namespace

KernelCode layerNorm(const LayerNormProblem &p, const Target &target) {
  const View x = p.x, y = p.y;
  // x, gamma, beta, y
  return makeKernel("layer_norm_" + x.name() + "_" + y.name() + epsilonName(p.epsilon), rowTasks(x),
                    {x.operand(), {x.c}, {x.c}, y.operand()}, [=](KernelBuilder &k, Value row) {
                      overPixels(k, x, row, [&](Value pixel) {
                        Value from = k.mul(pixel, x.pixel), to = k.mul(pixel, y.pixel);
                        const PixelStatistics own = statisticsOf(k, x, from, p.epsilon);
                        Value mean = k.splat(own.mean), reciprocal = k.splat(own.reciprocal);
                        k.forChannels(x.c, [&](Value c, int64_t count) {
                          Value d = subFloat(k, k.load(k.operand(0), k.add(from, c), count), mean);
                          Value scaled = k.fma(mulFloat(k, d, reciprocal), k.load(k.operand(1), c, count),
                                               k.load(k.operand(2), c, count));
                          k.store(scaled, k.operand(3), k.add(to, c), count);
                        });
                      });
                    });
}

KernelCode layerNormGradient(const LayerNormGradientProblem &p, const Target &target) {
  const View x = p.x, dy = p.dy, dx = p.dx;
  const int64_t pixels = x.n * x.h * x.w;
  // x, dy, gamma, dx, statistics [pixel][mean, reciprocal deviation]
  return makeKernel(
      "layer_norm_gradient_" + x.name() + "_" + dy.name() + "_" + dx.name() + epsilonName(p.epsilon),
      rowTasks(x), {x.operand(), dy.operand(), {x.c}, dx.operand(), {2 * pixels}},
      [=](KernelBuilder &k, Value row) {
        overPixels(k, x, row, [&](Value pixel) {
          Value fromX = k.mul(pixel, x.pixel), fromDy = k.mul(pixel, dy.pixel), to = k.mul(pixel, dx.pixel);
          const PixelStatistics own = statisticsOf(k, x, fromX, p.epsilon);
          Value at = k.mul(pixel, 2);
          k.storeScalar(own.mean, k.operand(4), at);
          k.storeScalar(own.reciprocal, k.operand(4), k.add(at, 1));
          Value mean = k.splat(own.mean), reciprocal = k.splat(own.reciprocal);
          const auto normalized = [&](Value c, int64_t count) {
            return mulFloat(k, subFloat(k, k.load(k.operand(0), k.add(fromX, c), count), mean), reciprocal);
          };
          const auto gradient = [&](Value c, int64_t count) { // 0 beyond the last channel
            return mulFloat(k, k.load(k.operand(1), k.add(fromDy, c), count), k.load(k.operand(2), c, count));
          };
          const auto sums = sumChannels(k, x.c, 2, [&](Value c, int64_t count) {
            Value g = gradient(c, count);
            return KernelBuilder::Values{k.wide(g), k.wide(mulFloat(k, g, normalized(c, count)))};
          });
          const auto share = [&](Value sum) {
            return k.splat(k.narrow(mulFloat(k, sum, k.wideScalar(-1.0 / double(x.c)))));
          };
          Value ofSum = share(sums[0]), ofProducts = share(sums[1]);
          k.forChannels(x.c, [&](Value c, int64_t count) {
            Value value = addFloat(k, gradient(c, count), k.fma(normalized(c, count), ofProducts, ofSum));
            k.store(mulFloat(k, value, reciprocal), k.operand(3), k.add(to, c), count);
          });
        });
      });
}

KernelCode layerNormGradientSums(const LayerNormGradientSumsProblem &p, const Target &target) {
  const View x = p.x, dy = p.dy;
  const int64_t chunks = statisticsChunks(x);
  // x, dy, statistics, sums
  return makeKernel("layer_norm_gradient_sums_" + x.name() + "_" + dy.name(), chunks,
                    {x.operand(), dy.operand(), {2 * x.n * x.h * x.w}, partialSums(x, chunks, target)},
                    [=](KernelBuilder &k, Value task) {
                      chunkSums(
                          k, task, x, k.operand(3),
                          [&](Value pixel, Value c, int64_t count, Value) {
                            Value at = k.mul(pixel, 2);
                            Value mean = k.splat(k.loadScalar(k.operand(2), at)),
                                  reciprocal = k.splat(k.loadScalar(k.operand(2), k.add(at, 1)));
                            Value g = k.load(k.operand(1), pixelPosition(k, dy, pixel, c), count);
                            Value d =
                                subFloat(k, k.load(k.operand(0), pixelPosition(k, x, pixel, c), count), mean);
                            return std::array{k.wide(g), k.wide(mulFloat(k, g, mulFloat(k, d, reciprocal)))};
                          },
                          [](Value, int64_t) { return Value(); });
                    });
}

KernelCode layerNormGradientFinish(const LayerNormGradientFinishProblem &p, const Target &target) {
  const View x = p.x;
  const int64_t parts = p.parts;
  // sums, dgamma, dbeta
  return finishKernel("layer_norm_gradient_finish_" + x.name() + "_parts" + std::to_string(parts), x.c,
                      {partialSums(x, parts, target), {x.c}, {x.c}}, target,
                      [=](KernelBuilder &k, Value c, int64_t count) {
                        auto [dbeta, dgamma] = addParts(k, k.operand(0), x, parts, c);
                        k.store(k.narrow(dgamma), k.operand(1), c, count);
                        k.store(k.narrow(dbeta), k.operand(2), c, count);
                      });
}

KernelCode scaleParameter(int64_t outputs, int64_t perOutput) {
  // parameter, scale, scaled
  return makeKernel(
      "scale_parameter_" + std::to_string(outputs) + "x" + std::to_string(perOutput), outputs,
      {{outputs * perOutput}, {outputs}, {outputs * perOutput}}, [=](KernelBuilder &k, Value o) {
        Value factor = k.splat(k.loadScalar(k.operand(1), o)), start = k.mul(o, perOutput);
        k.forChannels(perOutput, [&](Value i, int64_t count) {
          Value at = k.add(start, i);
          k.store(mulFloat(k, k.load(k.operand(0), at, count), factor), k.operand(2), at, count);
        });
      });
}

} // namespace vernier::codegen
