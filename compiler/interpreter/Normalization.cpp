// Batch normalisation: inference form, training form, gradient, and the folding of one into a layer's
// parameters. Layer and group normalisation, and numbers that channels are multiplied by.
#include "compiler/interpreter/Kernels.h"

#include <algorithm>
#include <cmath>

namespace vernier::interpreter {
namespace {

// Channels one thread sums over all pixels: a cache line of doubles.
constexpr int64_t ChannelBlock = 8;

// Calls `visit(pixel, channel)` for all pixels of each block of channels; a channel belongs to one thread.
template <typename Visit> void forEachChannel(int64_t pixels, int64_t channels, Visit visit) {
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < channels; first += ChannelBlock)
    for (int64_t p = 0; p < pixels; ++p)
      for (int64_t c = first; c < std::min(first + ChannelBlock, channels); ++c)
        visit(p * channels + c, c);
}

Tensor inverseDeviation(const Tensor &var, double epsilon) {
  Tensor result = var;
  for (double &value : result.data)
    value = 1.0 / std::sqrt(value + epsilon);
  return result;
}

// Calls `visit(place, channel, normalized, 1 / deviation)` for each element, pixel after pixel: what it is
// among the channels of its pixel.
template <typename Visit> void forEachPixel(const Tensor &x, double epsilon, Visit visit) {
  const int64_t channels = x.channels();
  for (int64_t first = 0; first < x.size(); first += channels) {
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < channels; ++c)
      mean += x[first + c] / double(channels);
    for (int64_t c = 0; c < channels; ++c)
      variance += (x[first + c] - mean) * (x[first + c] - mean) / double(channels);
    const double inverse = 1 / std::sqrt(variance + epsilon);
    for (int64_t c = 0; c < channels; ++c)
      visit(first + c, c, (x[first + c] - mean) * inverse, inverse);
  }
}

// Calls `visit(place, channel, group, normalized, 1 / deviation)` for each element, group after group of each
// image: what it is among the pixels and channels of its group.
template <typename Visit> void forEachGroup(const Tensor &x, int64_t groups, double epsilon, Visit visit) {
  const int64_t channels = x.channels(), each = channels / groups, pixels = x.height() * x.width();
  const double count = double(pixels * each);
  for (int64_t group = 0; group < x.batch() * groups; ++group) {
    const int64_t image = group / groups, first = group % groups * each;
    const auto all = [&](auto body) {
      for (int64_t pixel = image * pixels; pixel < (image + 1) * pixels; ++pixel)
        for (int64_t c = first; c < first + each; ++c)
          body(pixel * channels + c, c);
    };
    double mean = 0, variance = 0;
    all([&](int64_t i, int64_t) { mean += x[i] / count; });
    all([&](int64_t i, int64_t) { variance += (x[i] - mean) * (x[i] - mean) / count; });
    const double inverse = 1 / std::sqrt(variance + epsilon);
    all([&](int64_t i, int64_t c) { visit(i, c, group, (x[i] - mean) * inverse, inverse); });
  }
}

} // namespace

Tensor affine(const Tensor &x, const Tensor &scale, const Tensor &shift) {
  Tensor y(x.shape);
  forEachChannel(x.pixels(), x.channels(), [&](int64_t i, int64_t c) { y[i] = x[i] * scale[c] + shift[c]; });
  return y;
}

Tensor batchNorm(const Tensor &x, const Tensor &gamma, const Tensor &beta, const Tensor &mean,
                 const Tensor &var, double epsilon) {
  Tensor y(x.shape), inverse = inverseDeviation(var, epsilon);
  forEachChannel(x.pixels(), x.channels(),
                 [&](int64_t i, int64_t c) { y[i] = (x[i] - mean[c]) * inverse[c] * gamma[c] + beta[c]; });
  return y;
}

BatchNormTraining batchNormTraining(const Tensor &x, const Tensor &gamma, const Tensor &beta,
                                    double epsilon) {
  const int64_t channels = x.channels();
  const double count = static_cast<double>(x.pixels());
  BatchNormTraining result{Tensor(), Tensor({channels}), Tensor({channels})};
  Tensor &mean = result.mean, &var = result.var;
  forEachChannel(x.pixels(), channels, [&](int64_t i, int64_t c) { mean[c] += x[i]; });
  for (double &value : mean.data)
    value /= count;
  forEachChannel(x.pixels(), channels,
                 [&](int64_t i, int64_t c) { var[c] += (x[i] - mean[c]) * (x[i] - mean[c]); });
  for (double &value : var.data)
    value /= count;
  result.y = batchNorm(x, gamma, beta, mean, var, epsilon);
  return result;
}

BatchNormTraining batchNormTraining(const Tensor &x, const Tensor &sums, const Tensor &gamma,
                                    const Tensor &beta, double epsilon) {
  const int64_t channels = x.channels();
  const double count = static_cast<double>(x.pixels());
  BatchNormTraining result{Tensor(), Tensor({channels}), Tensor({channels})};
  for (int64_t c = 0; c < channels; ++c) {
    const double mean = sums[c] / count, variance = sums[channels + c] / count - mean * mean;
    result.mean[c] = mean;
    result.var[c] = variance < 0 ? 0 : variance; // of rounding; NaN stays
  }
  result.y = batchNorm(x, gamma, beta, result.mean, result.var, epsilon);
  return result;
}

Tensor channelSums(const Tensor &x, const Tensor *other, const Tensor *mean) {
  const int64_t channels = x.channels();
  Tensor sums({2, channels});
  forEachChannel(x.pixels(), channels, [&](int64_t i, int64_t c) {
    sums[c] += x[i];
    sums[channels + c] += x[i] * (other ? (*other)[i] - (*mean)[c] : x[i]);
  });
  return sums;
}

// With xhat = (x - mean) / sqrt(var + epsilon) over m values:
//   dx = gamma / sqrt(var + epsilon) * (dy - sum(dy) / m - xhat * sum(dy * xhat) / m).
NormGrad batchNormGrad(const Tensor &x, const Tensor &dy, const Tensor *sums, const Tensor &gamma,
                       const Tensor &mean, const Tensor &var, double epsilon) {
  const int64_t channels = x.channels();
  const double count = static_cast<double>(x.pixels());
  NormGrad result{Tensor(x.shape), Tensor({channels}), Tensor({channels})};
  Tensor &dgamma = result.dgamma, &dbeta = result.dbeta, inverse = inverseDeviation(var, epsilon);
  if (sums)
    for (int64_t c = 0; c < channels; ++c) {
      dbeta[c] = (*sums)[c];
      dgamma[c] = (*sums)[channels + c] * inverse[c];
    }
  else
    forEachChannel(x.pixels(), channels, [&](int64_t i, int64_t c) {
      dbeta[c] += dy[i];
      dgamma[c] += dy[i] * (x[i] - mean[c]) * inverse[c];
    });
  forEachChannel(x.pixels(), channels, [&](int64_t i, int64_t c) {
    double normalized = (x[i] - mean[c]) * inverse[c];
    result.dx[i] = gamma[c] * inverse[c] * (dy[i] - dbeta[c] / count - normalized * dgamma[c] / count);
  });
  return result;
}

Tensor layerNorm(const Tensor &x, const Tensor &gamma, const Tensor &beta, double epsilon) {
  Tensor y(x.shape);
  forEachPixel(x, epsilon, [&](int64_t i, int64_t c, double normalized, double) {
    y[i] = normalized * gamma[c] + beta[c];
  });
  return y;
}

// With h = (x - mean) / deviation over the C channels of a pixel, g = dy * gamma:
//   dx = (g - sum(g) / C - h * sum(g * h) / C) / deviation.
NormGrad layerNormGrad(const Tensor &x, const Tensor &dy, const Tensor &gamma, double epsilon) {
  const int64_t channels = x.channels();
  NormGrad result{Tensor(x.shape), Tensor({channels}), Tensor({channels})};
  Tensor sums({x.pixels(), 2});
  forEachPixel(x, epsilon, [&](int64_t i, int64_t c, double normalized, double) {
    sums[2 * (i / channels)] += dy[i] * gamma[c] / double(channels);
    sums[2 * (i / channels) + 1] += dy[i] * gamma[c] * normalized / double(channels);
    result.dgamma[c] += dy[i] * normalized;
    result.dbeta[c] += dy[i];
  });
  forEachPixel(x, epsilon, [&](int64_t i, int64_t c, double normalized, double inverse) {
    const int64_t pixel = i / channels;
    result.dx[i] = inverse * (dy[i] * gamma[c] - sums[2 * pixel] - normalized * sums[2 * pixel + 1]);
  });
  return result;
}

Tensor groupNorm(const Tensor &x, const Tensor &gamma, const Tensor &beta, int64_t groups, double epsilon) {
  Tensor y(x.shape);
  forEachGroup(x, groups, epsilon, [&](int64_t i, int64_t c, int64_t, double normalized, double) {
    y[i] = normalized * gamma[c] + beta[c];
  });
  return y;
}

// As layerNormGrad, the sums being a group's.
NormGrad groupNormGrad(const Tensor &x, const Tensor &dy, const Tensor &gamma, int64_t groups,
                       double epsilon) {
  const int64_t channels = x.channels();
  NormGrad result{Tensor(x.shape), Tensor({channels}), Tensor({channels})};
  const double count = double(x.height() * x.width() * (channels / groups));
  Tensor sums({x.batch() * groups, 2});
  forEachGroup(x, groups, epsilon, [&](int64_t i, int64_t c, int64_t group, double normalized, double) {
    sums[2 * group] += dy[i] * gamma[c] / count;
    sums[2 * group + 1] += dy[i] * gamma[c] * normalized / count;
    result.dgamma[c] += dy[i] * normalized;
    result.dbeta[c] += dy[i];
  });
  forEachGroup(
      x, groups, epsilon, [&](int64_t i, int64_t c, int64_t group, double normalized, double inverse) {
        result.dx[i] = inverse * (dy[i] * gamma[c] - sums[2 * group] - normalized * sums[2 * group + 1]);
      });
  return result;
}

Tensor prelu(const Tensor &x, const Tensor &slope) {
  Tensor y(x.shape);
  forEachChannel(x.pixels(), x.channels(), [&](int64_t i, int64_t c) {
    y[i] = x[i] > 0 ? x[i] : x[i] * slope[slope.size() == 1 ? 0 : c];
  });
  return y;
}

PreluGrad preluGrad(const Tensor &x, const Tensor &dy, const Tensor &slope) {
  PreluGrad result{Tensor(x.shape), Tensor(slope.shape)};
  for (int64_t i = 0; i < x.size(); ++i) {
    const int64_t c = slope.size() == 1 ? 0 : i % x.channels();
    result.dx[i] = x[i] > 0 ? dy[i] : dy[i] * slope[c];
    if (!(x[i] > 0))
      result.dslope[c] += dy[i] * x[i];
  }
  return result;
}

Tensor scaleChannels(const Tensor &x, const Tensor &scale) {
  Tensor y(x.shape);
  forEachChannel(x.pixels(), x.channels(), [&](int64_t i, int64_t c) { y[i] = x[i] * scale[c]; });
  return y;
}

Tensor parameterMap(const Tensor &parameter, int64_t batch) {
  Tensor y({batch, 1, 1, parameter.size()});
  for (int64_t i = 0; i < y.size(); ++i)
    y[i] = parameter[i % parameter.size()];
  return y;
}

Tensor scaleParameter(const Tensor &x, const Tensor &scale) {
  Tensor result = x;
  const int64_t perChannel = scale.size() ? x.size() / scale.size() : 0;
  for (int64_t i = 0; i < x.size(); ++i)
    result[i] *= scale[i / perChannel];
  return result;
}

void updateRunning(Tensor &mean, Tensor &var, const Tensor &batchMean, const Tensor &batchVar,
                   double momentum, int64_t count) {
  // One value has no unbiased variance; its biased one, 0, stands in.
  double unbias = count > 1 ? static_cast<double>(count) / static_cast<double>(count - 1) : 1.0;
  for (int64_t c = 0; c < mean.size(); ++c) {
    mean[c] = (1 - momentum) * mean[c] + momentum * batchMean[c];
    var[c] = (1 - momentum) * var[c] + momentum * batchVar[c] * unbias;
  }
}

Tensor foldWeight(const Tensor &weight, const Tensor &gamma, const Tensor &var, double epsilon) {
  Tensor result = weight, inverse = inverseDeviation(var, epsilon);
  int64_t perChannel = gamma.size() ? weight.size() / gamma.size() : 0;
  for (int64_t i = 0; i < weight.size(); ++i)
    result[i] *= gamma[i / perChannel] * inverse[i / perChannel];
  return result;
}

Tensor foldBias(const Tensor &gamma, const Tensor &beta, const Tensor &mean, const Tensor &var,
                const Tensor *bias, double epsilon) {
  Tensor result = beta, inverse = inverseDeviation(var, epsilon);
  for (int64_t c = 0; c < beta.size(); ++c)
    result[c] += ((bias ? (*bias)[c] : 0.0) - mean[c]) * gamma[c] * inverse[c];
  return result;
}

} // namespace vernier::interpreter
