#include "driver/verify/Magnitudes.h"

#include "compiler/interpreter/Interpreter.h"
#include "compiler/interpreter/Kernels.h"
#include "compiler/ir/VnOps.h"
#include "driver/Refusal.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

namespace vernier::driver {
namespace {

using interpreter::Tensor;
using Operands = llvm::SmallVector<const Tensor *>;

std::vector<Tensor> evaluate(mlir::Operation *op, const Operands &operands) {
  auto results = interpreter::evaluate(op, operands);
  if (failed(results))
    refuseReported(); // it has been reported at the op
  return std::move(*results);
}

// A difference before an activation is at most this difference behind it.
Tensor behind(Tensor magnitudes, Activation activation, const Tensor &result) {
  for (int64_t i = 0; i < magnitudes.size(); ++i)
    magnitudes[i] = activation.kind == Activation::Exp
                        ? result[i] * (1 + magnitudes[i])
                        : magnitudes[i] * activation.steepest() + std::abs(activation.offset);
  return magnitudes;
}

// An op that ends in an activation.
template <typename Op>
std::vector<Tensor> withoutActivation(Op op, const Operands &operands, const Operands &magnitudes) {
  const Activation activation = op.getActivation();
  op.setActivation(Activation::None);
  std::vector<Tensor> results = evaluate(op, magnitudes);
  op.setActivation(activation);
  if (activation != Activation::None)
    results[0] = behind(std::move(results[0]), activation, evaluate(op, operands)[0]);
  return results;
}

// a - b, and a / b with b as it is: a quotient moves by da / |b| and by |a / b| * db / |b|.
std::vector<Tensor> ofDifference(vn::SubtractOp op, const Operands &operands, const Operands &magnitudes) {
  Tensor sum = interpreter::add(*magnitudes[0], *magnitudes[1]);
  return {behind(std::move(sum), op.getActivation(), evaluate(op, operands)[0])};
}
std::vector<Tensor> ofQuotient(vn::DivideOp op, const Operands &operands, const Operands &magnitudes) {
  const Tensor divisor = absolute(*operands[1]),
               quotient = absolute(interpreter::divide(*operands[0], divisor));
  Tensor moved = interpreter::divide(
      interpreter::add(*magnitudes[0], interpreter::multiply(quotient, *magnitudes[1])), divisor);
  return {behind(std::move(moved), op.getActivation(), evaluate(op, operands)[0])};
}

double deviation(const Tensor &variance, int64_t channel, double epsilon) {
  return std::sqrt(variance[channel] + epsilon);
}

// The operand of an op that `value` is.
const Tensor &operandOf(mlir::Operation *op, const Operands &list, mlir::Value value) {
  return *list[size_t(llvm::find(op->getOperands(), value) - op->operand_begin())];
}

// A kernel multiplies by a scale and adds beta - mean * scale, then the addend.
std::vector<Tensor> ofNorm(vn::BatchNormTrainingOp norm, const Operands &operands,
                           const Operands &magnitudes) {
  const Tensor &x = *magnitudes[0], &gamma = *magnitudes[1], &beta = *magnitudes[2];
  std::vector<Tensor> results = evaluate(norm, operands);
  const Tensor variance = results[2];
  const int64_t channels = x.shape.back(), pixels = x.size() / channels;
  Tensor &y = results[0], &mean = results[1], &squares = results[2];
  std::fill(mean.data.begin(), mean.data.end(), 0);
  std::fill(squares.data.begin(), squares.data.end(), 0);
  for (int64_t i = 0; i < x.size(); ++i) {
    mean[i % channels] += x[i] / double(pixels);
    squares[i % channels] += x[i] * x[i] / double(pixels);
  }
  const double epsilon = norm.getEpsilon().convertToDouble();
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t c = i % channels;
    y[i] = (x[i] + mean[c]) * gamma[c] / deviation(variance, c, epsilon) + beta[c];
    if (norm.getAddend())
      y[i] += operandOf(norm, magnitudes, norm.getAddend())[i];
  }
  return results;
}

// dx = a * dy - a * dbeta / m - a / deviation * dgamma / m * (x - mean), a = gamma / deviation; dbeta and
// dgamma are sums of dy and of dy * (x - mean) / deviation.
std::vector<Tensor> ofNormGradient(vn::BatchNormGradOp norm, const Operands &operands,
                                   const Operands &magnitudes) {
  const auto of = [&](const Operands &list, mlir::Value value) -> const Tensor & {
    return operandOf(norm, list, value);
  };
  // A derivative may be negative, that of silu for one.
  const Tensor dy = norm.getMask()
                        ? absolute(interpreter::activateGrad(of(operands, norm.getMask()),
                                                             of(magnitudes, norm.getDy()), norm.getMasked()))
                        : of(magnitudes, norm.getDy());
  const Tensor &x = of(operands, norm.getInput()), &gamma = of(magnitudes, norm.getGamma()),
               &mean = of(operands, norm.getMean()), &variance = of(operands, norm.getVar());
  const double epsilon = norm.getEpsilon().convertToDouble();
  const int64_t channels = x.shape.back();
  const double pixels = double(x.size() / channels);
  Tensor dx(x.shape), dgamma({channels}), dbeta({channels});
  const auto normalized = [&](int64_t i) {
    return std::abs(x[i] - mean[i % channels]) / deviation(variance, i % channels, epsilon);
  };
  for (int64_t i = 0; i < x.size(); ++i) {
    dbeta[i % channels] += dy[i];
    dgamma[i % channels] += dy[i] * normalized(i);
  }
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t c = i % channels;
    dx[i] = gamma[c] / deviation(variance, c, epsilon) *
            (dy[i] + dbeta[c] / pixels + normalized(i) * dgamma[c] / pixels);
  }
  return {std::move(dx), std::move(dgamma), std::move(dbeta)};
}

// Of each pixel; a kernel takes the mean away, then multiplies and adds.
struct PixelStatistics {
  double mean = 0, magnitude = 0, deviation = 0; // of x, of its mean as it is added up
};
std::vector<PixelStatistics> statisticsOf(const Tensor &x, double epsilon) {
  const int64_t channels = x.shape.back(), pixels = x.size() / channels;
  std::vector<PixelStatistics> all(static_cast<size_t>(pixels));
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    PixelStatistics &own = all[size_t(pixel)];
    double squares = 0;
    for (int64_t i = pixel * channels; i < (pixel + 1) * channels; ++i) {
      own.mean += x[i] / double(channels);
      own.magnitude += std::abs(x[i]) / double(channels);
      squares += x[i] * x[i] / double(channels);
    }
    own.deviation = std::sqrt(std::max(squares - own.mean * own.mean, 0.0) + epsilon);
  }
  return all;
}

std::vector<Tensor> ofLayerNorm(vn::LayerNormOp norm, const Operands &operands, const Operands &magnitudes) {
  const Tensor &x = *magnitudes[0], &gamma = *magnitudes[1], &beta = *magnitudes[2];
  const int64_t channels = x.shape.back();
  const auto pixels = statisticsOf(*operands[0], norm.getEpsilon().convertToDouble());
  Tensor y(x.shape);
  for (int64_t i = 0; i < x.size(); ++i) {
    const PixelStatistics &own = pixels[size_t(i / channels)];
    y[i] = (x[i] + own.magnitude) / own.deviation * gamma[i % channels] + beta[i % channels];
  }
  return {std::move(y)};
}

std::vector<Tensor> ofLayerNormGradient(vn::LayerNormGradOp norm, const Operands &operands,
                                        const Operands &magnitudes) {
  const Tensor &x = *operands[0], &dy = *magnitudes[1], &gamma = *magnitudes[2];
  const int64_t channels = x.shape.back();
  const auto pixels = statisticsOf(x, norm.getEpsilon().convertToDouble());
  Tensor dx(x.shape), dgamma({channels}), dbeta({channels});
  std::vector<double> sums(pixels.size()), products(pixels.size());
  const auto normalized = [&](int64_t i) {
    const PixelStatistics &own = pixels[size_t(i / channels)];
    return std::abs(x[i] - own.mean) / own.deviation;
  };
  for (int64_t i = 0; i < x.size(); ++i) {
    const double g = dy[i] * gamma[i % channels] / double(channels);
    sums[size_t(i / channels)] += g;
    products[size_t(i / channels)] += g * normalized(i);
    dgamma[i % channels] += dy[i] * normalized(i);
    dbeta[i % channels] += dy[i];
  }
  for (int64_t i = 0; i < x.size(); ++i) {
    const size_t pixel = size_t(i / channels);
    dx[i] = (dy[i] * gamma[i % channels] + sums[pixel] + normalized(i) * products[pixel]) /
            pixels[pixel].deviation;
  }
  return {std::move(dx), std::move(dgamma), std::move(dbeta)};
}

// Of each image's groups of channels.
struct GroupsOfImages {
  int64_t channels, each, pixels, groups;

  GroupsOfImages(const Tensor &x, int64_t groups)
      : channels(x.channels()), each(x.channels() / groups), pixels(x.height() * x.width()), groups(groups) {}
  int64_t count() const { return each * pixels; }
  size_t of(int64_t place) const {
    return size_t(place / channels / pixels * groups + place % channels / each);
  }
};

std::vector<PixelStatistics> statisticsOf(const Tensor &x, const GroupsOfImages &groups, double epsilon) {
  std::vector<PixelStatistics> all(size_t(x.batch() * groups.groups));
  const double share = 1 / double(groups.count());
  for (int64_t i = 0; i < x.size(); ++i) {
    all[groups.of(i)].mean += x[i] * share;
    all[groups.of(i)].magnitude += std::abs(x[i]) * share;
  }
  for (int64_t i = 0; i < x.size(); ++i)
    all[groups.of(i)].deviation += std::pow(x[i] - all[groups.of(i)].mean, 2) * share;
  for (PixelStatistics &own : all)
    own.deviation = std::sqrt(own.deviation + epsilon);
  return all;
}

std::vector<Tensor> ofGroupNorm(vn::GroupNormOp norm, const Operands &operands, const Operands &magnitudes) {
  const Tensor &x = *magnitudes[0], &gamma = *magnitudes[1], &beta = *magnitudes[2];
  const GroupsOfImages groups(x, int64_t(norm.getGroups()));
  const auto all = statisticsOf(*operands[0], groups, norm.getEpsilon().convertToDouble());
  Tensor y(x.shape);
  for (int64_t i = 0; i < x.size(); ++i) {
    const PixelStatistics &own = all[groups.of(i)];
    const int64_t c = i % groups.channels;
    y[i] = (x[i] + own.magnitude) / own.deviation * gamma[c] + beta[c];
  }
  return {std::move(y)};
}

std::vector<Tensor> ofGroupNormGradient(vn::GroupNormGradOp norm, const Operands &operands,
                                        const Operands &magnitudes) {
  const Tensor &x = *operands[0], &dy = *magnitudes[1], &gamma = *magnitudes[2];
  const GroupsOfImages groups(x, int64_t(norm.getGroups()));
  const auto all = statisticsOf(x, groups, norm.getEpsilon().convertToDouble());
  Tensor dx(x.shape), dgamma({groups.channels}), dbeta({groups.channels});
  std::vector<double> sums(all.size()), products(all.size());
  const auto normalized = [&](int64_t i) {
    const PixelStatistics &own = all[groups.of(i)];
    return std::abs(x[i] - own.mean) / own.deviation;
  };
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t c = i % groups.channels;
    const double g = dy[i] * gamma[c] / double(groups.count());
    sums[groups.of(i)] += g;
    products[groups.of(i)] += g * normalized(i);
    dgamma[c] += dy[i] * normalized(i);
    dbeta[c] += dy[i];
  }
  for (int64_t i = 0; i < x.size(); ++i) {
    const size_t group = groups.of(i);
    dx[i] = (dy[i] * gamma[i % groups.channels] + sums[group] + normalized(i) * products[group]) /
            all[group].deviation;
  }
  return {std::move(dx), std::move(dgamma), std::move(dbeta)};
}

// Either side of 0 may be where the element is, as near to it as rounding goes.
double steepest(const Tensor &slope, int64_t i, int64_t channels) {
  return std::max(1.0, slope[slope.size() == 1 ? 0 : i % channels]);
}
std::vector<Tensor> ofPrelu(const Operands &magnitudes) {
  Tensor y = *magnitudes[0];
  for (int64_t i = 0; i < y.size(); ++i)
    y[i] *= steepest(*magnitudes[1], i, y.channels());
  return {std::move(y)};
}
std::vector<Tensor> ofPreluGradient(const Operands &magnitudes) {
  const Tensor &x = *magnitudes[0], &slope = *magnitudes[2];
  Tensor dx = *magnitudes[1], dslope(slope.shape);
  for (int64_t i = 0; i < x.size(); ++i) {
    dslope[slope.size() == 1 ? 0 : i % x.channels()] += dx[i] * x[i];
    dx[i] *= steepest(slope, i, x.channels());
  }
  return {std::move(dx), std::move(dslope)};
}

// Of logits and losses: differences of the largest logits.
double largest(const Tensor &tensor) {
  double most = 0;
  for (double value : tensor.data)
    most = std::max(most, std::abs(value));
  return most;
}

// Of what is added and subtracted to get the function, and its derivative, of an element and its target.
double ofPointwise(vn::Pointwise kind, double sharpness, double x, double t) {
  switch (kind) {
  case vn::Pointwise::Mean:
    return std::abs(x);
  case vn::Pointwise::Binary:
    return (std::abs(x) + 1) * (std::abs(t) * sharpness + 1);
  case vn::Pointwise::Focal:
    return (std::abs(x) + 1) * (std::abs(t) + 1);
  case vn::Pointwise::Squared:
    return (std::abs(x) + std::abs(t)) * (std::abs(x) + std::abs(t));
  case vn::Pointwise::Absolute:
  case vn::Pointwise::SmoothL1:
    return std::abs(x) + std::abs(t);
  }
  return 0;
}
double ofPointwiseDerivative(vn::Pointwise kind, double sharpness, double x, double t) {
  switch (kind) {
  case vn::Pointwise::Mean:
  case vn::Pointwise::Absolute:
    return 1;
  case vn::Pointwise::Binary:
    return 1 + std::abs(t) * sharpness;
  case vn::Pointwise::Focal:
    return (1 + std::abs(t)) * (1 + sharpness * (std::abs(x) + 1));
  case vn::Pointwise::Squared:
    return 2 * (std::abs(x) + std::abs(t));
  case vn::Pointwise::SmoothL1:
    return 1 + (std::abs(x) + std::abs(t)) / sharpness;
  }
  return 0;
}

} // namespace

Tensor absolute(Tensor tensor) {
  for (double &value : tensor.data)
    value = std::abs(value);
  return tensor;
}

std::vector<Tensor> magnitudesOf(mlir::Operation *op, llvm::ArrayRef<const Tensor *> operands,
                                 llvm::ArrayRef<const Tensor *> magnitudes) {
  const Operands exact(operands), sums(magnitudes);
  // Of magnitudes, but for these operands.
  const auto withExact = [&](mlir::Operation *op, std::initializer_list<mlir::Value> values) {
    Operands list = sums;
    for (auto [i, operand] : llvm::enumerate(op->getOperands()))
      if (llvm::is_contained(values, operand))
        list[i] = exact[i];
    return evaluate(op, list);
  };
  return llvm::TypeSwitch<mlir::Operation *, std::vector<Tensor>>(op)
      .Case<vn::FusedConvolutionOp, vn::TransposedConvolutionOp>(
          [&](auto fused) { return withoutActivation(fused, exact, sums); })
      .Case([&](vn::AffineOp affine) { return withoutActivation(affine, exact, sums); })
      .Case([&](vn::ActivateOp activate) {
        return std::vector<Tensor>{behind(*sums[0], activate.getActivation(), evaluate(activate, exact)[0])};
      })
      .Case<vn::AddOp, vn::MultiplyOp>([&](auto binary) { return withoutActivation(binary, exact, sums); })
      .Case([&](vn::SubtractOp subtract) { return ofDifference(subtract, exact, sums); })
      .Case([&](vn::DivideOp divide) { return ofQuotient(divide, exact, sums); })
      // Which elements take the gradient the others decide by what they are: the activation's result, a
      // pool's input and result.
      .Case([&](vn::ActivateGradOp grad) { return withExact(grad, {grad.getOf()}); })
      .Case([&](vn::MaxPoolGradOp grad) {
        return withExact(grad, {grad.getInput(), grad.getY(), grad.getMask()});
      })
      .Case([&](vn::ChannelMaxGradOp grad) {
        return withExact(grad, {grad.getInput(), grad.getY()});
      })
      .Case([&](vn::ConvolutionInputGradOp grad) { return withExact(grad, {grad.getMask()}); })
      .Case([&](vn::BatchNormTrainingOp norm) { return ofNorm(norm, exact, sums); })
      .Case([&](vn::BatchNormGradOp norm) { return ofNormGradient(norm, exact, sums); })
      .Case([&](vn::LayerNormOp norm) { return ofLayerNorm(norm, exact, sums); })
      .Case([&](vn::LayerNormGradOp norm) { return ofLayerNormGradient(norm, exact, sums); })
      .Case([&](vn::GroupNormOp norm) { return ofGroupNorm(norm, exact, sums); })
      .Case([&](vn::GroupNormGradOp norm) { return ofGroupNormGradient(norm, exact, sums); })
      // A share moves by itself times what exponents do, its logarithm as these.
      .Case<vn::SoftmaxOp, vn::SpatialSoftmaxOp>([&](auto softmax) {
        std::vector<Tensor> results = evaluate(softmax, exact);
        for (double &share : results[0].data)
          share = (softmax->hasAttr("log") ? 1 : share) * (1 + 2 * largest(*sums[0]));
        return results;
      })
      .Case([&](vn::PreluOp) { return ofPrelu(sums); })
      .Case([&](vn::PreluGradOp) { return ofPreluGradient(sums); })
      .Case([&](vn::FoldBiasOp fold) {
        // The mean is subtracted.
        Tensor mean = *sums[2];
        for (double &value : mean.data)
          value = -value;
        Operands list = sums;
        list[2] = &mean;
        return evaluate(fold, list);
      })
      .Case([&](vn::SoftmaxCrossEntropyOp loss) {
        Tensor result = std::move(evaluate(loss, exact).front());
        const double weight = loss.getWeights() ? largest(*exact.back()) : 1;
        for (double &value : result.data)
          value = std::abs(value) + weight * (largest(*exact[0]) + 1);
        return std::vector<Tensor>{std::move(result)};
      })
      // A probability less a target, of which either is at most 1, or the largest weight.
      .Case([&](vn::SoftmaxCrossEntropyGradOp loss) {
        const Tensor &logits = *exact[0];
        const double pixels = loss.getCount() ? (*exact[3])[0] : double(exact[1]->size());
        const double weight = loss.getWeights() ? largest(*exact.back()) : 1;
        return std::vector<Tensor>{
            Tensor(logits.shape, 2 * weight * std::abs(loss.getWeight().convertToDouble()) / pixels)};
      })
      .Case([&](vn::PointwiseLossOp loss) {
        Tensor result(loss.getType().getShape().vec());
        const int64_t each = exact[0]->size() / result.size();
        for (int64_t i = 0; i < exact[0]->size(); ++i)
          result[i / each] += ofPointwise(loss.getKind(), loss.getSharpness().convertToDouble(),
                                          (*exact[0])[i], loss.getTarget() ? (*exact[1])[i] : 0) /
                              double(each);
        return std::vector<Tensor>{std::move(result)};
      })
      .Case([&](vn::PointwiseLossGradOp loss) {
        Tensor result(exact[0]->shape);
        const double factor = std::abs(loss.getWeight().convertToDouble()) / double(exact[0]->size());
        for (int64_t i = 0; i < exact[0]->size(); ++i)
          result[i] = factor * ofPointwiseDerivative(loss.getKind(), loss.getSharpness().convertToDouble(),
                                                     (*exact[0])[i], loss.getTarget() ? (*exact[1])[i] : 0);
        return std::vector<Tensor>{std::move(result)};
      })
      .Case([&](vn::WeightedSumOp sum) {
        Tensor result(sum.getType().getShape().vec());
        for (auto [i, weight] : llvm::enumerate(sum.getWeights()))
          for (int64_t image = 0; image < result.size(); ++image)
            result[image] += std::abs(weight) * (*sums[i])[image];
        return std::vector<Tensor>{std::move(result)};
      })
      // Sums of products in which the operands' signs are all that cancels, and what only moves elements.
      .Default([&](mlir::Operation *op) { return evaluate(op, sums); });
}

} // namespace vernier::driver
