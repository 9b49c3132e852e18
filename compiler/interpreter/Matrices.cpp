// Softmax, and products of maps as matrices.
#include "compiler/interpreter/Kernels.h"

#include <algorithm>
#include <cmath>

namespace vernier::interpreter {
namespace {

// Of `count` elements, `step` apart.
void softmaxOf(const double *x, double *y, int64_t count, int64_t step, bool log = false) {
  double largest = x[0], sum = 0;
  for (int64_t i = 0; i < count; ++i) // NaN stays
    largest = x[i * step] > largest || std::isnan(x[i * step]) ? x[i * step] : largest;
  for (int64_t i = 0; i < count; ++i)
    sum += y[i * step] = std::exp(x[i * step] - largest);
  for (int64_t i = 0; i < count; ++i)
    y[i * step] = log ? x[i * step] - largest - std::log(sum) : y[i * step] / sum;
}

} // namespace

Tensor softmax(const Tensor &x, int64_t runs, bool log) {
  Tensor y(x.shape);
  const int64_t channels = x.channels(), length = channels / runs;
  for (int64_t pixel = 0; pixel < x.pixels(); ++pixel)
    for (int64_t i = 0; i < length; ++i) {
      const int64_t at = pixel * channels + i;
      softmaxOf(x.data.data() + at, y.data.data() + at, runs, length, log);
    }
  return y;
}

Tensor spatialSoftmax(const Tensor &x) {
  Tensor y(x.shape);
  const int64_t channels = x.channels(), pixels = x.height() * x.width();
  for (int64_t image = 0; image < x.batch(); ++image)
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t at = image * pixels * channels + c;
      softmaxOf(x.data.data() + at, y.data.data() + at, pixels, channels);
    }
  return y;
}

Tensor matmul(const Tensor &a, const Tensor &b, bool transposeA, bool transposeB,
              const std::vector<int64_t> &shape) {
  Tensor y(shape);
  const int64_t rows = y.height() * y.width(), columns = y.channels();
  const int64_t inner = transposeA ? a.height() * a.width() : a.channels();
  const int64_t ofA = rows * inner, ofB = inner * columns;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < y.batch() * rows; ++i) {
    const int64_t image = i / rows, row = i % rows;
    for (int64_t k = 0; k < inner; ++k) {
      const double factor = a[image * ofA + (transposeA ? k * rows + row : row * inner + k)];
      for (int64_t c = 0; c < columns; ++c)
        y[i * columns + c] += factor * b[image * ofB + (transposeB ? c * inner + k : k * columns + c)];
    }
  }
  return y;
}

} // namespace vernier::interpreter
