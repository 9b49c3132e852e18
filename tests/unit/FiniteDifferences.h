// Compares a gradient kernel with the numeric derivative of its forward kernel.
#ifndef VERNIER_TESTS_UNIT_FINITEDIFFERENCES_H
#define VERNIER_TESTS_UNIT_FINITEDIFFERENCES_H

#include "compiler/interpreter/Tensor.h"

#include <boost/test/included/unit_test.hpp>

#include <cmath>
#include <random>
#include <string>

namespace vernier::interpreter::testing {

// Uniform in [-1, 1), the same at every run.
inline Tensor randomTensor(std::vector<int64_t> shape, unsigned seed) {
  Tensor tensor(std::move(shape));
  std::mt19937_64 engine(seed);
  for (double &value : tensor.data)
    value = 2.0 * static_cast<double>(engine() >> 11) * 0x1p-53 - 1.0;
  return tensor;
}

inline double dot(const Tensor &a, const Tensor &b) {
  double sum = 0.0;
  for (int64_t i = 0; i < a.size(); ++i)
    sum += a[i] * b[i];
  return sum;
}

// `gradient` must be d <forward(x), dy> / dx, element by element.
template <typename Forward>
void checkGradient(const std::string &what, Tensor x, const Tensor &dy, const Tensor &gradient,
                   Forward forward) {
  constexpr double Step = 1e-5, Tolerance = 1e-6;
  BOOST_TEST_CONTEXT(what) {
    BOOST_TEST_REQUIRE(gradient.shape == x.shape);
    BOOST_TEST_REQUIRE(forward(x).shape == dy.shape);
    for (int64_t i = 0; i < x.size(); ++i) {
      double saved = x[i];
      x[i] = saved + Step;
      double above = dot(forward(x), dy);
      x[i] = saved - Step;
      double below = dot(forward(x), dy);
      x[i] = saved;
      double numeric = (above - below) / (2 * Step);
      if (std::abs(numeric - gradient[i]) > Tolerance * (1.0 + std::abs(numeric)))
        BOOST_ERROR("element " << i << ": gradient " << gradient[i] << ", numeric derivative " << numeric);
    }
  }
}

} // namespace vernier::interpreter::testing

#endif
