// Losses over a batch of logits and their gradients.
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

Tensor softmaxCrossEntropy(const Tensor &logits, const Tensor &labels, double smoothing) {
  const int64_t classes = logits.shape.back();
  Tensor loss({1});
  for (int64_t n = 0; n < labels.size(); ++n) {
    const double *row = logits.data.data() + n * classes;
    double normalizer = logSumExp(row, classes);
    for (int64_t k = 0; k < classes; ++k) {
      // A class that nothing is wanted of takes no part, even where its logit is -infinity.
      const double wanted = target(k, static_cast<int64_t>(labels[n]), classes, smoothing);
      if (wanted != 0.0)
        loss[0] -= wanted * (row[k] - normalizer);
    }
  }
  loss[0] /= static_cast<double>(labels.size());
  return loss;
}

Tensor softmaxCrossEntropyGrad(const Tensor &logits, const Tensor &labels, double smoothing) {
  const int64_t classes = logits.shape.back();
  Tensor grad(logits.shape);
  for (int64_t n = 0; n < labels.size(); ++n) {
    const double *row = logits.data.data() + n * classes;
    double normalizer = logSumExp(row, classes);
    for (int64_t k = 0; k < classes; ++k)
      grad[n * classes + k] =
          (std::exp(row[k] - normalizer) - target(k, static_cast<int64_t>(labels[n]), classes, smoothing)) /
          static_cast<double>(labels.size());
  }
  return grad;
}

Tensor binaryCrossEntropy(const Tensor &logits, const Tensor &targets) {
  Tensor loss({1});
  // (1 - t) z - log sigmoid(z), term by term as PyTorch: so do infinities meet.
  for (int64_t i = 0; i < logits.size(); ++i)
    loss[0] += (1.0 - targets[i]) * logits[i] - std::min(logits[i], 0.0) +
               std::log1p(std::exp(-std::abs(logits[i])));
  loss[0] /= static_cast<double>(logits.size());
  return loss;
}

Tensor binaryCrossEntropyGrad(const Tensor &logits, const Tensor &targets) {
  Tensor grad(logits.shape);
  for (int64_t i = 0; i < logits.size(); ++i)
    grad[i] = (1.0 / (1.0 + std::exp(-logits[i])) - targets[i]) / static_cast<double>(logits.size());
  return grad;
}

} // namespace vernier::interpreter
