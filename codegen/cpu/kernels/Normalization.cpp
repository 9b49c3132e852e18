// Batch normalisation for training: statistics in chunks of rows (each task its own partial sums, added in a
// fixed order), then one pass to normalise; backward likewise. And the folding of its inference form into
// weights.
#include "codegen/cpu/emit/ActivationCode.h"
#include "codegen/cpu/emit/PixelSums.h"

namespace vernier::codegen {
namespace {

Value reciprocalDeviation(KernelBuilder &k, Value variance, double epsilon) {
  Value sum = addFloat(k, variance, k.constant(float(epsilon)));
  return divFloat(k, k.constant(1.0f), squareRoot(k, sum));
}

std::string epsilonName(double epsilon) { return "_e" + numberName(epsilon); }

int64_t pixels(const View &x) { return x.n * x.h * x.w; }

// dy, masked by the activation that follows the normalisation.
Value maskedGradient(KernelBuilder &k, const View &dy, const View &y, Activation activation, Value pixel,
                     Value c, int64_t count) {
  Value g = k.load(k.operand(1), pixelPosition(k, dy, pixel, c), count);
  if (activation == Activation::None)
    return g;
  return activationGradient(k, k.load(k.operand(2), pixelPosition(k, y, pixel, c), count), g, activation);
}

} // namespace

KernelCode batchSums(const View &x, const Target &target) {
  const int64_t chunks = statisticsChunks(x);
  return makeKernel("batch_sums_" + x.name(), chunks, {{x.elements()}, partialSums(x, chunks, target)},
                    [=](KernelBuilder &k, Value task) {
                      // Squares of doubles: the variance does not cancel where the mean is large.
                      chunkSums(
                          k, task, x, k.operand(1),
                          [&](Value pixel, Value c, int64_t count, Value) {
                            Value v = k.wide(k.load(k.operand(0), pixelPosition(k, x, pixel, c), count));
                            return std::array{v, mulFloat(k, v, v)};
                          },
                          [](Value, int64_t) { return Value(); });
                    });
}

KernelCode batchFinish(const View &x, int64_t parts, double epsilon, const Target &target) {
  const int64_t C = x.c;
  const double reciprocal = 1.0 / double(pixels(x));
  // sums, gamma, beta, mean, variance, scale, shift
  return finishKernel(
      "batch_finish_" + x.name() + "_parts" + std::to_string(parts) + epsilonName(epsilon), C,
      {partialSums(x, parts, target), {C}, {C}, {C}, {C}, {C}, {C}}, target,
      [=](KernelBuilder &k, Value c, int64_t count) {
        auto [sum, squares] = addParts(k, k.operand(0), x, parts, c);
        Value wideMean = mulFloat(k, sum, k.wideConstant(reciprocal)), mean = k.narrow(wideMean);
        Value raw = k.narrow(
            subFloat(k, mulFloat(k, squares, k.wideConstant(reciprocal)), mulFloat(k, wideMean, wideMean)));
        Value variance = maxFloat(k, raw, k.constant(0.0f));
        Value scale = mulFloat(k, k.load(k.operand(1), c, count), reciprocalDeviation(k, variance, epsilon));
        k.store(mean, k.operand(3), c, count);
        k.store(variance, k.operand(4), c, count);
        k.store(scale, k.operand(5), c, count);
        k.store(subFloat(k, k.load(k.operand(2), c, count), mulFloat(k, mean, scale)), k.operand(6), c,
                count);
      });
}

KernelCode updateRunning(int64_t C, double momentum, double count, const Target &target) {
  // batch mean, batch variance, running_mean, running_var; the running variance is the unbiased one.
  const float unbiased = count > 1 ? float(count / (count - 1)) : 1.0f;
  return makeKernel(
      "update_running_" + std::to_string(C) + epsilonName(momentum) + "_n" + std::to_string(int64_t(count)),
      1, {{C}, {C}, {C}, {C}}, [=](KernelBuilder &k, Value) {
        k.forChannels(C, [&](Value c, int64_t lanes) {
          const auto blend = [&](unsigned running, Value batch) {
            Value old = mulFloat(k, k.load(k.operand(running), c, lanes), k.constant(float(1.0 - momentum)));
            k.store(k.fma(batch, k.constant(float(momentum)), old), k.operand(running), c, lanes);
          };
          blend(2, k.load(k.operand(0), c, lanes));
          blend(3, mulFloat(k, k.load(k.operand(1), c, lanes), k.constant(unbiased)));
        });
      });
}

KernelCode batchGradientSums(const View &x, const View &dy, const View &y, Activation activation,
                             const Target &target) {
  const bool masked = activation != Activation::None;
  const int64_t chunks = statisticsChunks(x), C = x.c;
  std::vector<KernelOperand> operands = {{x.elements()}, {dy.elements()}};
  if (masked)
    operands.push_back({y.elements()});
  operands.insert(operands.end(), {{C}, partialSums(x, chunks, target)});
  const unsigned mean = masked ? 3 : 2;
  return makeKernel("batch_gradient_sums_" + x.name() + "_" + dy.name() + (masked ? "_" + y.name() : "") +
                        activationName(activation),
                    chunks, operands, [=](KernelBuilder &k, Value task) {
                      chunkSums(
                          k, task, x, k.operand(mean + 1),
                          [&](Value pixel, Value c, int64_t count, Value batchMean) {
                            Value g = maskedGradient(k, dy, y, activation, pixel, c, count);
                            Value d = subFloat(k, k.load(k.operand(0), pixelPosition(k, x, pixel, c), count),
                                               batchMean);
                            return std::array{k.wide(g), k.wide(mulFloat(k, g, d))};
                          },
                          [&](Value c, int64_t count) { return k.load(k.operand(mean), c, count); });
                    });
}

KernelCode batchGradientFinish(const View &x, int64_t parts, double epsilon, const Target &target) {
  const int64_t C = x.c;
  const double reciprocal = 1.0 / double(pixels(x));
  // sums, gamma, mean, variance, dgamma, dbeta, coefficients
  return finishKernel(
      "batch_gradient_finish_" + x.name() + "_parts" + std::to_string(parts) + epsilonName(epsilon), C,
      {partialSums(x, parts, target), {C}, {C}, {C}, {C}, {C}, {4 * C}}, target,
      [=](KernelBuilder &k, Value c, int64_t count) {
        auto [dbeta, differences] = addParts(k, k.operand(0), x, parts, c);
        Value deviation = reciprocalDeviation(k, k.load(k.operand(3), c, count), epsilon);
        Value dgamma = mulFloat(k, differences, k.wide(deviation));
        // dx = a * (g - dbeta / m) - a * deviation * dgamma / m * (x - mean), a = gamma * deviation
        Value a = mulFloat(k, k.load(k.operand(1), c, count), deviation);
        const auto share = [&](Value sum) { return k.narrow(mulFloat(k, sum, k.wideConstant(-reciprocal))); };
        k.store(k.narrow(dgamma), k.operand(4), c, count);
        k.store(k.narrow(dbeta), k.operand(5), c, count);
        k.store(a, k.operand(6), c, count);
        k.store(mulFloat(k, a, mulFloat(k, deviation, share(dgamma))), k.operand(6), k.add(c, C), count);
        k.store(mulFloat(k, a, share(dbeta)), k.operand(6), k.add(c, 2 * C), count);
        k.store(k.load(k.operand(2), c, count), k.operand(6), k.add(c, 3 * C), count);
      });
}

KernelCode batchGradientApply(const View &x, const View &dy, const View &y, const View &dx,
                              Activation activation, const Target &target) {
  const bool masked = activation != Activation::None;
  const int64_t C = x.c;
  std::vector<KernelOperand> operands = {{x.elements()}, {dy.elements()}};
  if (masked)
    operands.push_back({y.elements()});
  operands.insert(operands.end(), {{4 * C}, {dx.elements()}});
  const unsigned coefficients = masked ? 3 : 2;
  return makeKernel("batch_gradient_apply_" + x.name() + "_" + dy.name() + (masked ? "_" + y.name() : "") +
                        "_" + dx.name() + activationName(activation),
                    rowTasks(x), operands, [=](KernelBuilder &k, Value row) {
                      k.forLoop(0, x.w, 1, [&](Value column) {
                        Value pixel = k.add(k.mul(row, x.w), column);
                        k.forChannels(C, [&](Value c, int64_t count) {
                          const auto coefficient = [&](int64_t i) {
                            return k.load(k.operand(coefficients), k.add(c, i * C), count);
                          };
                          Value g = maskedGradient(k, dy, y, activation, pixel, c, count);
                          // The difference first: folded into a shift, the mean would cost its digits.
                          Value d = subFloat(k, k.load(k.operand(0), pixelPosition(k, x, pixel, c), count),
                                             coefficient(3));
                          Value value = k.fma(d, coefficient(1), coefficient(2));
                          k.store(k.fma(g, coefficient(0), value), k.operand(coefficients + 1),
                                  pixelPosition(k, dx, pixel, c), count);
                        });
                      });
                    });
}

KernelCode channelSums(const View &dy, const Target &target) {
  const int64_t chunks = statisticsChunks(dy);
  return makeKernel("channel_sums_" + dy.name(), chunks, {{dy.elements()}, partialSums(dy, chunks, target)},
                    [=](KernelBuilder &k, Value task) {
                      chunkSums(
                          k, task, dy, k.operand(1),
                          [&](Value pixel, Value c, int64_t count, Value) {
                            Value v = k.load(k.operand(0), pixelPosition(k, dy, pixel, c), count);
                            return std::array{k.wide(v), k.wideConstant(0.0)};
                          },
                          [](Value, int64_t) { return Value(); });
                    });
}

KernelCode channelSumsFinish(const View &dy, const Target &target) {
  const int64_t parts = statisticsChunks(dy);
  return finishKernel("channel_sums_finish_" + dy.name(), dy.c, {partialSums(dy, parts, target), {dy.c}},
                      target, [=](KernelBuilder &k, Value c, int64_t count) {
                        k.store(k.narrow(addParts(k, k.operand(0), dy, parts, c).first), k.operand(1), c,
                                count);
                      });
}

KernelCode foldWeight(int64_t outputs, int64_t perOutput, double epsilon) {
  // weight, gamma, var, folded
  return makeKernel(
      "fold_weight_" + std::to_string(outputs) + "x" + std::to_string(perOutput) + epsilonName(epsilon),
      outputs, {{outputs * perOutput}, {outputs}, {outputs}, {outputs * perOutput}},
      [=](KernelBuilder &k, Value o) {
        Value sum = addFloat(k, k.loadScalar(k.operand(2), o), k.scalar(float(epsilon)));
        Value scale = divFloat(k, k.loadScalar(k.operand(1), o), squareRoot(k, sum));
        Value factor = k.splat(scale), start = k.mul(o, perOutput);
        k.forChannels(perOutput, [&](Value i, int64_t count) {
          Value at = k.add(start, i);
          k.store(mulFloat(k, k.load(k.operand(0), at, count), factor), k.operand(3), at, count);
        });
      });
}

KernelCode foldScale(int64_t channels, double epsilon) {
  return makeKernel("fold_scale_" + std::to_string(channels) + epsilonName(epsilon), 1,
                    {{channels}, {channels}, {channels}}, [=](KernelBuilder &k, Value) {
                      k.forChannels(channels, [&](Value c, int64_t count) {
                        Value deviation = reciprocalDeviation(k, k.load(k.operand(1), c, count), epsilon);
                        k.store(mulFloat(k, k.load(k.operand(0), c, count), deviation), k.operand(2), c,
                                count);
                      });
                    });
}

KernelCode foldBias(int64_t channels, bool bias, double epsilon) {
  // gamma, beta, mean, var, [bias], folded
  std::vector<KernelOperand> operands(bias ? 6 : 5, KernelOperand{channels});
  return makeKernel("fold_bias_" + std::to_string(channels) + (bias ? "_bias" : "") + epsilonName(epsilon), 1,
                    operands, [=](KernelBuilder &k, Value) {
                      k.forChannels(channels, [&](Value c, int64_t count) {
                        Value scale =
                            mulFloat(k, k.load(k.operand(0), c, count),
                                     reciprocalDeviation(k, k.load(k.operand(3), c, count), epsilon));
                        Value mean = k.load(k.operand(2), c, count);
                        if (bias)
                          mean = subFloat(k, mean, k.load(k.operand(4), c, count));
                        k.store(subFloat(k, k.load(k.operand(1), c, count), mulFloat(k, mean, scale)),
                                k.operand(bias ? 5 : 4), c, count);
                      });
                    });
}

} // namespace vernier::codegen
