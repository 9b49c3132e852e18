// Losses and their gradients.
#include "compiler/interpreter/Kernels.h"

#include <algorithm>
#include <cmath>

namespace vernier::interpreter {
namespace {

// log sum exp of one row, safe for large logits.
double logSumExp(const double *row, int64_t classes) {
  double top = *std::max_element(row, row + classes), sum = 0.0;
  for (int64_t k = 0; k < classes; ++k)
    sum += std::exp(row[k] - top);
  return top + std::log(sum);
}

// The smoothed target: the label's share is 1 - smoothing plus its part of the evenly spread rest, each times
// its class's weight.
double target(int64_t k, int64_t label, int64_t classes, double smoothing, const Tensor *weights) {
  const double share = (k == label ? 1.0 - smoothing : 0.0) + smoothing / static_cast<double>(classes);
  return weights ? share * (*weights)[k] : share;
}

} // namespace

double countLabels(const Tensor &labels, std::optional<int64_t> ignored, const Tensor *weights) {
  double count = 0;
  for (const double label : labels.data)
    if (!ignored || label != double(*ignored))
      count += weights ? (*weights)[int64_t(label)] : 1.0;
  return count == 0 ? 1.0 : count;
}

Tensor softmaxCrossEntropy(const Tensor &logits, const Tensor &labels, double smoothing,
                           std::optional<int64_t> ignored, const Tensor *weights) {
  const int64_t classes = logits.shape.back();
  Tensor loss({1});
  for (int64_t n = 0; n < labels.size(); ++n) {
    if (ignored && labels[n] == double(*ignored))
      continue;
    const double *row = logits.data.data() + n * classes;
    double normalizer = logSumExp(row, classes);
    for (int64_t k = 0; k < classes; ++k) {
      // A class that nothing is wanted of takes no part, even where its logit is -infinity.
      const double wanted = target(k, static_cast<int64_t>(labels[n]), classes, smoothing, weights);
      if (wanted != 0.0)
        loss[0] -= wanted * (row[k] - normalizer);
    }
  }
  loss[0] /= countLabels(labels, ignored, weights);
  return loss;
}

Tensor softmaxCrossEntropyGrad(const Tensor &logits, const Tensor &labels, double smoothing,
                               std::optional<int64_t> ignored, const Tensor *weights) {
  const int64_t classes = logits.shape.back();
  const double count = countLabels(labels, ignored, weights);
  Tensor grad(logits.shape);
  for (int64_t n = 0; n < labels.size(); ++n) {
    if (ignored && labels[n] == double(*ignored))
      continue;
    const double *row = logits.data.data() + n * classes;
    const auto wanted = [&](int64_t k) {
      return target(k, static_cast<int64_t>(labels[n]), classes, smoothing, weights);
    };
    double normalizer = logSumExp(row, classes), sum = 0;
    for (int64_t k = 0; k < classes; ++k)
      sum += wanted(k);
    for (int64_t k = 0; k < classes; ++k)
      grad[n * classes + k] = ((weights ? sum : 1.0) * std::exp(row[k] - normalizer) - wanted(k)) / count;
  }
  return grad;
}

namespace {

// -log sigmoid(-z), safe for large z.
double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))); }

double valueOf(const PointwiseFunction &f, double x, double t) {
  const double d = std::abs(x - t);
  switch (f.kind) {
  case Pointwise::Mean:
    return x;
  case Pointwise::Binary: // (1 - t) x - log sigmoid(x), term by term as PyTorch: so do infinities meet
    if (f.sharpness != 1)
      return (1.0 - t) * x + (1.0 + (f.sharpness - 1.0) * t) * softplus(-x);
    return (1.0 - t) * x - std::min(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  case Pointwise::Focal: {
    const double p = 1.0 / (1.0 + std::exp(-x)), q = 1.0 / (1.0 + std::exp(x));
    return f.share * t * std::pow(q, f.sharpness) * softplus(-x) +
           (1.0 - f.share) * (1.0 - t) * std::pow(p, f.sharpness) * softplus(x);
  }
  case Pointwise::Squared:
    return d * d;
  case Pointwise::Absolute:
    return d;
  case Pointwise::SmoothL1:
    return d < f.sharpness ? d * d / (2.0 * f.sharpness) : d - f.sharpness / 2.0;
  }
  return 0;
}

double derivativeOf(const PointwiseFunction &f, double x, double t) {
  const double d = x - t;
  const double sign = d > 0 ? 1.0 : d < 0 ? -1.0 : d * 0.0; // NaN stays NaN
  switch (f.kind) {
  case Pointwise::Mean:
    return 1;
  case Pointwise::Binary:
    if (f.sharpness != 1)
      return 1.0 - t - (1.0 + (f.sharpness - 1.0) * t) / (1.0 + std::exp(x));
    return 1.0 / (1.0 + std::exp(-x)) - t;
  case Pointwise::Focal: {
    const double p = 1.0 / (1.0 + std::exp(-x)), q = 1.0 / (1.0 + std::exp(x));
    return (1.0 - f.share) * (1.0 - t) * std::pow(p, f.sharpness) * (p + f.sharpness * q * softplus(x)) -
           f.share * t * std::pow(q, f.sharpness) * (q + f.sharpness * p * softplus(-x));
  }
  case Pointwise::Squared:
    return 2.0 * d;
  case Pointwise::Absolute:
    return sign;
  case Pointwise::SmoothL1:
    return std::abs(d) < f.sharpness ? d / f.sharpness : sign;
  }
  return 0;
}

} // namespace

Tensor pointwiseLoss(const PointwiseFunction &function, const Tensor &x, const Tensor *target) {
  Tensor loss({1});
  for (int64_t i = 0; i < x.size(); ++i)
    loss[0] += valueOf(function, x[i], target ? (*target)[i] : 0);
  loss[0] /= static_cast<double>(x.size());
  return loss;
}

Tensor pointwiseLossGrad(const PointwiseFunction &function, const Tensor &x, const Tensor *target) {
  Tensor grad(x.shape);
  for (int64_t i = 0; i < x.size(); ++i)
    grad[i] = derivativeOf(function, x[i], target ? (*target)[i] : 0) / static_cast<double>(x.size());
  return grad;
}

} // namespace vernier::interpreter
