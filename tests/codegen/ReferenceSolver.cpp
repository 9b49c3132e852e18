#include "tests/codegen/ReferenceSolver.h"

#include "compiler/interpreter/Kernels.h"
#include "vernier/abi.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

using namespace vernier::codegen;
using vernier::interpreter::Tensor;
namespace reference = vernier::interpreter;

namespace vernier::tests {
namespace {

using Shape = std::vector<int64_t>;

double load(const void *memory, int64_t index, Element element) {
  switch (element) {
  case Element::F32:
    return static_cast<const float *>(memory)[index];
  case Element::I32:
    return static_cast<const int32_t *>(memory)[index];
  case Element::F64:
    return static_cast<const double *>(memory)[index];
  case Element::BF16:
    return std::bit_cast<float>(uint32_t(static_cast<const uint16_t *>(memory)[index]) << 16);
  }
  return 0;
}

// Rounds to the nearest even number where it has to. Returns what was stored.
double store(void *memory, int64_t index, Element element, double value) {
  if (element == Element::F64)
    return static_cast<double *>(memory)[index] = value;
  if (element == Element::F32)
    return static_cast<float *>(memory)[index] = float(value);
  const uint32_t bits = std::bit_cast<uint32_t>(float(value));
  const uint32_t rounded = std::isnan(value) ? bits | 0x400000 : bits + 0x7fff + ((bits >> 16) & 1);
  static_cast<uint16_t *>(memory)[index] = uint16_t(rounded >> 16);
  return load(memory, index, element);
}

Tensor combined(Binary op, const Tensor &a, const Tensor &b) {
  switch (op) {
  case Binary::Add:
    return reference::add(a, b);
  case Binary::Subtract:
    return reference::subtract(a, b);
  case Binary::Multiply:
    return reference::multiply(a, b);
  case Binary::Divide:
    return reference::divide(a, b);
  }
  return a;
}

Shape shapeOf(const View &view) { return {view.n, view.h, view.w, view.c}; }

// What padding there is behind the last row or column for a window to be there `outputs` times.
int64_t after(int64_t before, int64_t in, int64_t outputs, int64_t kernel, int64_t stride, int64_t dilation) {
  return std::max<int64_t>(0, (outputs - 1) * stride + dilation * (kernel - 1) + 1 - in - before);
}

// `in` and `out` of the forward convolution.
template <typename Problem>
reference::ConvolutionGeometry geometryOf(const Problem &p, const View &in, const View &out) {
  return {p.stride,
          {p.padding[0], after(p.padding[0], in.h, out.h, p.kernel[0], p.stride[0], p.dilation[0]),
           p.padding[1], after(p.padding[1], in.w, out.w, p.kernel[1], p.stride[1], p.dilation[1])},
          p.dilation,
          p.groups};
}

class Solver {
public:
  explicit Solver(void *const *operands) : operands(operands) {}

  void operator()(const ConvolutionProblem &p) {
    const bool forward = p.direction == Direction::Forward;
    const View &in = forward ? p.in : p.out, &out = forward ? p.out : p.in;
    const Tensor x = read(p.in);
    Tensor weight = readNumbers({out.c, in.c / p.groups, p.kernel[0], p.kernel[1]});
    std::reverse(weight.data.begin(), weight.data.end());
    const auto geometry = geometryOf(p, in, out);
    finish(forward ? reference::convolution(x, weight, nullptr, geometry)
                   : reference::convolutionInputGrad(x, weight, shapeOf(in), geometry),
           p.out, p.epilogue);
  }
  void operator()(const WeightLayoutProblem &p) {
    Tensor weight = readNumbers({p.groups * p.outputs * p.inputs * p.kernel[0] * p.kernel[1]});
    std::reverse(weight.data.begin(), weight.data.end());
    writeNumbers(weight);
  }
  void operator()(const WeightGradientProblem &p) {
    const Tensor x = read(p.x), dy = read(p.dy);
    writeNumbers(reference::convolutionWeightGrad(x, dy, {p.dy.c, p.x.c / p.groups, p.kernel[0], p.kernel[1]},
                                                  geometryOf(p, p.x, p.dy)));
  }
  void operator()(const PoolProblem &p) {
    const Tensor x = read(p.in);
    write(p.kind == PoolKind::Max ? reference::maxPool(x, poolGeometryOf(p))
                                  : reference::avgPool(x, poolGeometryOf(p)),
          p.out);
  }
  void operator()(const PoolGradientProblem &p) {
    if (p.pool.kind == PoolKind::Average) {
      write(reference::avgPoolGrad(read(p.dy), shapeOf(p.pool.in), poolGeometryOf(p.pool)), p.dx);
      return;
    }
    const Tensor x = read(p.pool.in);
    read(p.pool.out);
    finish(reference::maxPoolGrad(x, read(p.dy), poolGeometryOf(p.pool)), p.dx, p.epilogue);
  }
  void operator()(const SpatialSumProblem &p) {
    const Tensor a = read(p.a);
    write(p.mean ? reference::globalAvgPool(a)
          : p.b  ? reference::spatialDot(a, read(*p.b))
                 : reference::spatialSum(a),
          p.out);
  }
  void operator()(const SpatialBroadcastProblem &p) {
    Tensor factors(shapeOf(p.out), p.factor);
    write(reference::multiply(factors, read(p.in)), p.out);
  }
  void operator()(const ResizeProblem &p) {
    write(reference::resize(read(p.in), p.out.h, p.out.w, modeOf(p), p.alignCorners, p.scale), p.out);
  }
  void operator()(const ResizeGradientProblem &p) {
    const ResizeProblem &r = p.resize;
    write(reference::resizeGrad(read(r.out), shapeOf(r.in), modeOf(r), r.alignCorners, r.scale), r.in);
  }
  void operator()(const ResampleProblem &p) {
    const Tensor x = read(p.in);
    write(p.transposed ? reference::resampleGrad(x, shapeOf(p.out), p.kind, p.alignCorners, p.scale)
                       : reference::resample(x, p.out.h, p.out.w, p.kind, p.alignCorners, p.scale),
          p.out);
  }
  void operator()(const ShiftProblem &p) {
    const Tensor x = read(p.in);
    if (p.top <= 0 && p.left <= 0 && p.out.h - p.top <= p.in.h && p.out.w - p.left <= p.in.w)
      write(reference::crop(x, -p.top, -p.left, p.out.h, p.out.w), p.out);
    else
      write(reference::pad(x, {p.top, p.out.h - p.in.h - p.top, p.left, p.out.w - p.in.w - p.left},
                           p.replicate),
            p.out);
  }
  void operator()(const ReplicateGradientProblem &p) {
    write(reference::padReplicateGrad(read(p.dy),
                                      {p.top, p.dy.h - p.dx.h - p.top, p.left, p.dy.w - p.dx.w - p.left}),
          p.dx);
  }
  void operator()(const ChannelShuffleProblem &p) {
    write(reference::channelShuffle(read(p.in), p.groups), p.out);
  }
  void operator()(const BinaryProblem &p) {
    const Tensor a = read(p.a), b = read(p.b);
    write(reference::activate(combined(p.op, a, b), p.activation), p.y);
  }
  void operator()(const ActivationProblem &p) { write(reference::activate(read(p.x), p.activation), p.y); }
  void operator()(const ActivationGradientProblem &p) {
    const Tensor y = read(p.y);
    write(reference::activateGrad(y, read(p.dy), p.activation), p.dx);
  }
  void operator()(const AffineProblem &p) {
    const Tensor x = read(p.x), scale = readNumbers({p.x.c}),
                 shift = p.shift ? readNumbers({p.x.c}) : Tensor({p.x.c});
    Tensor y = reference::affine(x, scale, shift);
    if (p.addend)
      y = reference::add(y, read(*p.addend));
    write(reference::activate(y, p.activation), p.y);
  }
  void operator()(const FillProblem &p) { write(Tensor(shapeOf(p.y), p.value), p.y); }
  void operator()(const CopyProblem &p) { write(read(p.x), p.y); }
  void operator()(const ArrayProblem &p) {
    // The caller's N x C x H x W.
    const View array = denseView(p.map.n, p.map.c, p.map.h, p.map.w);
    const Tensor from = read(p.toArray ? p.map : array);
    Tensor to(shapeOf(p.toArray ? array : p.map));
    const int64_t pixels = p.map.h * p.map.w, channels = p.map.c;
    for (int64_t n = 0; n < p.map.n; ++n)
      for (int64_t i = 0; i < pixels; ++i)
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t last = (n * pixels + i) * channels + c, first = (n * channels + c) * pixels + i;
          to[p.toArray ? first : last] = from[p.toArray ? last : first];
        }
    write(to, p.toArray ? array : p.map);
  }
  void operator()(const BatchSumsProblem &p) { moments(read(p.x)); }
  void operator()(const BatchFinishProblem &p) {
    const int64_t channels = p.x.c;
    const double count = double(p.x.n * p.x.h * p.x.w);
    const Tensor sums = readNumbers({2 * channels}, Element::F64), gamma = readNumbers({channels}),
                 beta = readNumbers({channels});
    Tensor mean({channels}), variance({channels}), scale({channels}), shift({channels});
    for (int64_t c = 0; c < channels; ++c) {
      mean[c] = sums[c] / count;
      variance[c] = std::max(0.0, sums[channels + c] / count - mean[c] * mean[c]);
      scale[c] = gamma[c] / std::sqrt(variance[c] + p.epsilon);
      shift[c] = beta[c] - mean[c] * scale[c];
    }
    for (const Tensor *result : {&mean, &variance, &scale, &shift})
      writeNumbers(*result);
  }
  void operator()(const UpdateRunningProblem &p) {
    const Tensor mean = readNumbers({p.channels}), variance = readNumbers({p.channels});
    Tensor runningMean = peekNumbers({p.channels}, 0), runningVariance = peekNumbers({p.channels}, 1);
    reference::updateRunning(runningMean, runningVariance, mean, variance, p.momentum, p.count);
    writeNumbers(runningMean);
    writeNumbers(runningVariance);
  }
  void operator()(const BatchGradientSumsProblem &p) {
    const Tensor x = read(p.x), g = masked(p.dy, p.y, p.activation), mean = readNumbers({p.x.c});
    Tensor sums({2 * p.x.c});
    for (int64_t i = 0; i < x.size(); ++i) {
      const int64_t c = i % p.x.c;
      sums[c] += g[i];
      sums[p.x.c + c] += g[i] * (x[i] - mean[c]);
    }
    writeNumbers(sums, Element::F64);
  }
  void operator()(const BatchGradientFinishProblem &p) {
    const int64_t channels = p.x.c;
    const double count = double(p.x.n * p.x.h * p.x.w);
    const Tensor sums = readNumbers({2 * channels}, Element::F64), gamma = readNumbers({channels}),
                 mean = readNumbers({channels}), variance = readNumbers({channels});
    Tensor dgamma({channels}), dbeta({channels}), coefficients({4 * channels});
    for (int64_t c = 0; c < channels; ++c) {
      const double deviation = 1 / std::sqrt(variance[c] + p.epsilon), a = gamma[c] * deviation;
      dbeta[c] = sums[c];
      dgamma[c] = sums[channels + c] * deviation;
      coefficients[c] = a;
      coefficients[channels + c] = -a * deviation * dgamma[c] / count;
      coefficients[2 * channels + c] = -a * dbeta[c] / count;
      coefficients[3 * channels + c] = mean[c];
    }
    for (const Tensor *result : {&dgamma, &dbeta, &coefficients})
      writeNumbers(*result);
  }
  void operator()(const BatchGradientApplyProblem &p) {
    const int64_t channels = p.x.c;
    const Tensor x = read(p.x), g = masked(p.dy, p.y, p.activation), by = readNumbers({4 * channels});
    Tensor dx(x.shape);
    for (int64_t i = 0; i < x.size(); ++i) {
      const int64_t c = i % channels;
      dx[i] = by[c] * g[i] + by[channels + c] * (x[i] - by[3 * channels + c]) + by[2 * channels + c];
    }
    write(dx, p.dx);
  }
  void operator()(const ChannelReductionProblem &p) {
    Tensor x = read(p.a);
    if (p.b)
      x = reference::multiply(x, read(*p.b));
    write(reference::reduceChannels(x, reference::ChannelReduction(p.reduction)), p.out);
  }
  void operator()(const ChannelBroadcastProblem &p) {
    write(reference::broadcastChannels(read(p.in), p.factor, p.out.c), p.out);
  }
  void operator()(const ChannelMaxGradientProblem &p) {
    const Tensor x = read(p.x), y = read(p.y);
    write(reference::channelMaxGrad(x, y, read(p.dy)), p.dx);
  }
  void operator()(const LayerNormProblem &p) {
    const Tensor x = read(p.x), gamma = readNumbers({p.x.c}), beta = readNumbers({p.x.c});
    write(reference::layerNorm(x, gamma, beta, p.epsilon), p.y);
  }
  void operator()(const LayerNormGradientProblem &p) {
    const int64_t channels = p.x.c, pixels = p.x.n * p.x.h * p.x.w;
    const Tensor x = read(p.x), dy = read(p.dy), gamma = readNumbers({channels});
    write(reference::layerNormGrad(x, dy, gamma, p.epsilon).dx, p.dx);
    Tensor statistics({pixels, 2});
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      double mean = 0, variance = 0;
      for (int64_t c = 0; c < channels; ++c)
        mean += x[pixel * channels + c] / double(channels);
      for (int64_t c = 0; c < channels; ++c)
        variance += std::pow(x[pixel * channels + c] - mean, 2) / double(channels);
      statistics[2 * pixel] = mean;
      statistics[2 * pixel + 1] = 1 / std::sqrt(variance + p.epsilon);
    }
    writeNumbers(statistics);
  }
  void operator()(const LayerNormGradientSumsProblem &p) {
    const int64_t channels = p.x.c;
    const Tensor x = read(p.x), dy = read(p.dy), statistics = readNumbers({p.x.n * p.x.h * p.x.w, 2});
    Tensor sums({2 * channels});
    for (int64_t i = 0; i < x.size(); ++i) {
      const int64_t c = i % channels, pixel = i / channels;
      sums[c] += dy[i];
      sums[channels + c] += dy[i] * (x[i] - statistics[2 * pixel]) * statistics[2 * pixel + 1];
    }
    writeNumbers(sums, Element::F64);
  }
  void operator()(const LayerNormGradientFinishProblem &p) {
    const Tensor sums = readNumbers({2, p.x.c}, Element::F64);
    Tensor dgamma({p.x.c}), dbeta({p.x.c});
    for (int64_t c = 0; c < p.x.c; ++c) {
      dbeta[c] = sums[c];
      dgamma[c] = sums[p.x.c + c];
    }
    writeNumbers(dgamma);
    writeNumbers(dbeta);
  }
  void operator()(const GroupNormProblem &p) {
    const Tensor x = read(p.x), gamma = readNumbers({p.x.c}), beta = readNumbers({p.x.c});
    write(reference::groupNorm(x, gamma, beta, p.groups, p.epsilon), p.y);
  }
  void operator()(const GroupNormGradientProblem &p) {
    const Tensor x = read(p.x), dy = read(p.dy), gamma = readNumbers({p.x.c});
    const reference::NormGrad gradient = reference::groupNormGrad(x, dy, gamma, p.groups, p.epsilon);
    write(gradient.dx, p.dx);
    writeNumbers(gradient.dgamma);
    writeNumbers(gradient.dbeta);
  }
  void operator()(const PreluProblem &p) {
    const Tensor x = read(p.x), slope = readNumbers({p.slopes()});
    write(reference::prelu(x, slope), p.y);
  }
  void operator()(const PreluGradientProblem &p) {
    const Tensor x = read(p.x), dy = read(p.dy), slope = readNumbers({p.slopes()});
    const reference::PreluGrad gradient = reference::preluGrad(x, dy, slope);
    write(gradient.dx, p.dx);
    writeNumbers(gradient.dslope);
  }
  void operator()(const SoftmaxProblem &p) { write(reference::softmax(read(p.x), p.runs, p.log), p.y); }
  void operator()(const SpatialSoftmaxProblem &p) { write(reference::spatialSoftmax(read(p.x)), p.y); }
  void operator()(const MatmulProblem &p) {
    const Tensor a = read(p.a), b = read(p.b);
    write(reference::matmul(a, b, p.transposeA, p.transposeB, shapeOf(p.y)), p.y);
  }
  // The pixels of a square in their order are the runs of channels: those of pixelShuffle are shuffled.
  void operator()(const BlocksToChannelsProblem &p) {
    const int64_t square = p.factor * p.factor;
    const Tensor x = read(p.in);
    write(p.toChannels() ? reference::channelShuffle(reference::pixelUnshuffle(x, p.factor), p.in.c)
                         : reference::pixelShuffle(reference::channelShuffle(x, square), p.factor),
          p.out);
  }
  void operator()(const ChannelSumsProblem &p) { writeNumbers(reference::channelSum(read(p.dy))); }
  void operator()(const FoldWeightProblem &p) {
    const Tensor weight = readNumbers({p.outputs, p.perOutput}), gamma = readNumbers({p.outputs}),
                 variance = readNumbers({p.outputs});
    writeNumbers(reference::foldWeight(weight, gamma, variance, p.epsilon));
  }
  void operator()(const FoldScaleProblem &p) {
    const Tensor gamma = readNumbers({p.channels}), variance = readNumbers({p.channels});
    writeNumbers(reference::foldWeight(Tensor({p.channels}, 1.0), gamma, variance, p.epsilon));
  }
  void operator()(const FoldBiasProblem &p) {
    const Tensor gamma = readNumbers({p.channels}), beta = readNumbers({p.channels}),
                 mean = readNumbers({p.channels}), variance = readNumbers({p.channels});
    const Tensor bias = p.bias ? readNumbers({p.channels}) : Tensor();
    writeNumbers(reference::foldBias(gamma, beta, mean, variance, p.bias ? &bias : nullptr, p.epsilon));
  }
  void operator()(const ScaleParameterProblem &p) {
    const Tensor parameter = readNumbers({p.outputs, p.perOutput}), scale = readNumbers({p.outputs});
    writeNumbers(reference::scaleParameter(parameter, scale));
  }
  void operator()(const SoftmaxLossProblem &p) {
    const Tensor logits = read(p.logits), labels = readLabels(p.logits);
    const double smoothing = readNumbers({1})[0];
    const Tensor given = p.weighted ? readNumbers({p.logits.c}) : Tensor();
    const Tensor *weights = p.weighted ? &given : nullptr;
    writeNumbers(rowSums(p.logits, [&](int64_t pixel) { // a mean over one pixel, times its weight
      const Tensor label = part(labels, pixel, 1);
      return reference::softmaxCrossEntropy(part(logits, pixel, p.logits.c), label, smoothing, p.ignored,
                                            weights)[0] *
             reference::countLabels(label, p.ignored, weights);
    }));
  }
  void operator()(const SoftmaxLossGradientProblem &p) {
    const Tensor logits = read(p.logits), labels = readLabels(p.logits);
    const double smoothing = readNumbers({1})[0];
    const double pixels = p.counted() ? readNumbers({1})[0] : double(labels.size());
    const Tensor given = p.weighted ? readNumbers({p.logits.c}) : Tensor();
    const Tensor *weights = p.weighted ? &given : nullptr;
    Tensor gradient(logits.shape);
    for (int64_t pixel = 0; pixel < labels.size(); ++pixel) {
      const Tensor label = part(labels, pixel, 1);
      const Tensor one = reference::softmaxCrossEntropyGrad(part(logits, pixel, p.logits.c), label, smoothing,
                                                            p.ignored, weights);
      const double count = reference::countLabels(label, p.ignored, weights);
      for (int64_t k = 0; k < p.logits.c; ++k)
        gradient[pixel * p.logits.c + k] = p.weight * one[k] * count / pixels;
    }
    write(gradient, p.gradient);
  }
  void operator()(const PointwiseLossProblem &p) {
    const Tensor x = read(p.x), target = p.function.hasTarget() ? read(p.target) : x;
    writeNumbers(rowSums(p.x, [&](int64_t pixel) {
      const Tensor wanted = part(target, pixel, p.x.c);
      return double(p.x.c) * reference::pointwiseLoss(p.function, part(x, pixel, p.x.c), &wanted)[0];
    }));
  }
  void operator()(const PointwiseLossGradientProblem &p) {
    const Tensor x = read(p.x), target = p.function.hasTarget() ? read(p.target) : x;
    Tensor gradient = reference::pointwiseLossGrad(p.function, x, &target);
    for (double &value : gradient.data)
      value *= p.weight;
    write(gradient, p.gradient);
  }
  void operator()(const CountLabelsProblem &p) {
    const Tensor labels = readNumbers({p.labels}, Element::I32);
    const Tensor weights = p.classes ? readNumbers({p.classes}) : Tensor();
    Tensor counts({p.parts});
    for (int64_t i = 0; i < p.parts; ++i)
      counts[i] = reference::countLabels(part(labels, i, p.labels / p.parts), p.ignored,
                                         p.classes ? &weights : nullptr);
    writeNumbers(counts);
  }
  void operator()(const MeanLossProblem &p) {
    const Tensor sums = readNumbers({p.sums});
    const Tensor counts = p.count ? Tensor({p.parts}, double(*p.count)) : readNumbers({p.parts});
    Tensor means({p.parts});
    for (int64_t i = 0; i < p.sums; ++i)
      means[i / (p.sums / p.parts)] += sums[i];
    for (int64_t i = 0; i < p.parts; ++i)
      means[i] /= counts[i];
    writeNumbers(means);
  }
  void operator()(const NumbersProblem &p) {
    Tensor numbers({int64_t(p.values.size())});
    numbers.data = p.values;
    writeNumbers(numbers);
  }
  void operator()(const WeightedSumProblem &p) {
    Tensor sum({p.size});
    for (double weight : p.weights) {
      const Tensor term = readNumbers({p.size});
      for (int64_t i = 0; i < p.size; ++i)
        sum[i] += weight * term[i];
    }
    writeNumbers(sum);
  }
  void operator()(const KeepMaskProblem &p) {
    write(reference::keepMask(readNumbers({2}, Element::I32), {p.mask.n, p.mask.h, p.mask.w, p.mask.c},
                              p.threshold * 0x1p-32, p.stream, p.image),
          p.mask);
  }
  void operator()(const SgdProblem &p) {
    const Tensor gradient = readNumbers({p.count});
    const double rate = readNumbers({1})[0], factor = readNumbers({1})[0], decay = readNumbers({1})[0];
    const bool nesterov = readNumbers({1}, Element::I32)[0] != 0;
    if (readNumbers({1}, Element::I32)[0] == 0)
      return;
    Tensor weight = peekNumbers({p.count}, 0), momentum = peekNumbers({p.count}, 1);
    for (int64_t i = 0; i < p.count; ++i) {
      const double g = gradient[i] + decay * weight[i];
      momentum[i] = factor * momentum[i] + g;
      weight[i] -= rate * (nesterov ? g + factor * momentum[i] : momentum[i]);
    }
    writeNumbers(weight);
    writeNumbers(momentum);
    tellOfNonFinite(weight);
  }
  void operator()(const AccumulateProblem &p) {
    float *gradient = static_cast<float *>(operands[0]), *sum = static_cast<float *>(operands[2]);
    const int32_t how = *static_cast<const int32_t *>(operands[1]);
    if (how == VN_END)
      std::copy_n(sum, p.count, gradient);
    if (how != VN_BEGIN && how != VN_ADD)
      return;
    const Tensor taken = readNumbers({p.count});
    for (int64_t i = 0; i < p.count; ++i)
      sum[i] = how == VN_BEGIN ? gradient[i] : sum[i] + gradient[i];
    index = 3;
    tellOfNonFinite(taken);
  }
  void operator()(const CheckFiniteProblem &p) { tellOfNonFinite(readNumbers({p.count})); }

private:
  void tellOfNonFinite(const Tensor &tensor) {
    int32_t *flag = static_cast<int32_t *>(const_cast<void *>(next()));
    if (!std::ranges::all_of(tensor.data, [](double value) { return std::isfinite(value); }))
      *flag = 1;
  }

  static reference::ResizeMode modeOf(const ResizeProblem &p) {
    return p.bilinear ? reference::ResizeMode::Bilinear : reference::ResizeMode::Nearest;
  }
  static reference::PoolGeometry poolGeometryOf(const PoolProblem &p) {
    reference::PoolGeometry geometry{p.kernel, p.stride, p.padding, false, p.countPadding};
    const auto extent = [&](int axis, int64_t in) {
      return (in + p.padding[2 * axis] + p.padding[2 * axis + 1] - p.kernel[axis]) / p.stride[axis] + 1;
    };
    geometry.ceil = extent(0, p.in.h) < p.out.h || extent(1, p.in.w) < p.out.w;
    return geometry;
  }

  // --- operands, one after the other
  const void *next() { return operands[index++]; }

  Tensor read(const View &view) {
    const void *memory = next();
    Tensor tensor(shapeOf(view));
    for (int64_t i = 0; i < tensor.size(); ++i)
      tensor[i] = load(memory, i / view.c * view.pixel + i % view.c, view.element);
    return tensor;
  }
  static Tensor numbersAt(const void *memory, Shape shape, Element element) {
    Tensor tensor(std::move(shape));
    for (int64_t i = 0; i < tensor.size(); ++i)
      tensor[i] = load(memory, i, element);
    return tensor;
  }
  Tensor readNumbers(Shape shape, Element element = Element::F32) {
    return numbersAt(next(), std::move(shape), element);
  }
  // Of an operand that will be written: the `ahead`-th from here.
  Tensor peekNumbers(Shape shape, int64_t ahead) const {
    return numbersAt(operands[index + ahead], std::move(shape), Element::F32);
  }
  // What was stored.
  Tensor write(const Tensor &tensor, const View &view) {
    void *memory = const_cast<void *>(next());
    Tensor stored(shapeOf(view));
    for (int64_t i = 0; i < stored.size(); ++i)
      stored[i] = store(memory, i / view.c * view.pixel + i % view.c, view.element, tensor[i]);
    return stored;
  }
  void writeNumbers(const Tensor &tensor, Element element = Element::F32) {
    void *memory = const_cast<void *>(next());
    for (int64_t i = 0; i < tensor.size(); ++i)
      store(memory, i, element, tensor[i]);
  }

  Tensor masked(const View &dy, const View &y, Activation activation) {
    const Tensor gradient = read(dy);
    return activation == Activation::None ? gradient : reference::activateGrad(read(y), gradient, activation);
  }

  void moments(const Tensor &x) {
    Tensor sums({2 * x.channels()});
    for (int64_t i = 0; i < x.size(); ++i) {
      sums[i % x.channels()] += x[i];
      sums[x.channels() + i % x.channels()] += x[i] * x[i];
    }
    writeNumbers(sums, Element::F64);
  }

  void finish(Tensor result, const View &out, const Epilogue &epilogue) {
    const auto perChannel = [&](auto apply) {
      const Tensor numbers = readNumbers({out.c});
      for (int64_t i = 0; i < result.size(); ++i)
        apply(result[i], numbers[i % out.c]);
    };
    if (epilogue.scale)
      perChannel([](double &value, double scale) { value *= scale; });
    if (epilogue.bias)
      perChannel([](double &value, double bias) { value += bias; });
    for (const Addend &addend : epilogue.addends)
      result = reference::add(result, reference::repeatPixels(read(addend.view), out.h, out.w));
    result = reference::activate(result, epilogue.activation);
    if (epilogue.masked != Activation::None)
      result = reference::activateGrad(read(epilogue.mask), result, epilogue.masked);
    const Tensor stored = write(result, out);
    if (epilogue.sums == Sums::Moments)
      moments(stored);
  }

  Tensor readLabels(const View &logits) {
    return readNumbers({logits.n * logits.h * logits.w}, Element::I32);
  }
  // `count` numbers from the one on that comes after `index` times as many.
  static Tensor part(const Tensor &all, int64_t index, int64_t count) {
    Tensor one(Shape{count});
    std::copy_n(all.data.begin() + index * count, count, one.data.begin());
    return one;
  }
  template <typename OfPixel> static Tensor rowSums(const View &map, const OfPixel &ofPixel) {
    Tensor sums({map.n * map.h});
    for (int64_t pixel = 0; pixel < sums.size() * map.w; ++pixel)
      sums[pixel / map.w] += ofPixel(pixel);
    return sums;
  }

  void *const *operands;
  int64_t index = 0;
};

} // namespace

void solve(const Problem &problem, void *const *operands) { std::visit(Solver(operands), problem); }

} // namespace vernier::tests
