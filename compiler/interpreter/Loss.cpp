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

// The smoothed target distribution: the label's share is 1 - smoothing plus its part of the evenly spread
// rest.
double target(int64_t k, int64_t label, int64_t classes, double smoothing) {
  return (k == label ? 1.0 - smoothing : 0.0) + smoothing / static_cast<double>(classes);
}

} // namespace

double countLabels(const Tensor &labels, int64_t ignored) {
  const auto counts = std::count_if(labels.data.begin(), labels.data.end(),
                                    [&](double label) { return label != double(ignored); });
  return double(std::max<int64_t>(counts, 1));
}

// How many pixels the mean is over.
static double counted(const Tensor &labels, std::optional<int64_t> ignored) {
  return ignored ? countLabels(labels, *ignored) : double(labels.size());
}

Tensor softmaxCrossEntropy(const Tensor &logits, const Tensor &labels, double smoothing,
                           std::optional<int64_t> ignored) {
  const int64_t classes = logits.shape.back();
  Tensor loss({1});
  for (int64_t n = 0; n < labels.size(); ++n) {
    if (ignored && labels[n] == double(*ignored))
      continue;
    const double *row = logits.data.data() + n * classes;
    double normalizer = logSumExp(row, classes);
    for (int64_t k = 0; k < classes; ++k) {
      // A class that nothing is wanted of takes no part, even where its logit is -infinity.
      const double wanted = target(k, static_cast<int64_t>(labels[n]), classes, smoothing);
      if (wanted != 0.0)
        loss[0] -= wanted * (row[k] - normalizer);
    }
  }
  loss[0] /= counted(labels, ignored);
  return loss;
}

Tensor softmaxCrossEntropyGrad(const Tensor &logits, const Tensor &labels, double smoothing,
                               std::optional<int64_t> ignored) {
  const int64_t classes = logits.shape.back();
  const double count = counted(labels, ignored);
  Tensor grad(logits.shape);
  for (int64_t n = 0; n < labels.size(); ++n) {
    if (ignored && labels[n] == double(*ignored))
      continue;
    const double *row = logits.data.data() + n * classes;
    double normalizer = logSumExp(row, classes);
    for (int64_t k = 0; k < classes; ++k)
      grad[n * classes + k] =
          (std::exp(row[k] - normalizer) - target(k, static_cast<int64_t>(labels[n]), classes, smoothing)) /
          count;
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
