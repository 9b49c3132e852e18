// Results beside what they are the sum of, for tests of sums; behind Boost.Test's header.
#ifndef VERNIER_TESTS_CUDA_EXPECTED_H
#define VERNIER_TESTS_CUDA_EXPECTED_H

#include <cmath>
#include <vector>

namespace cuda_tests {

// A number, and the magnitude of what it is the sum of.
struct Expected {
  double value = 0, magnitude = 0;
  void add(double term) { value += term, magnitude += std::abs(term); }
};

template <class T>
void compare(const char *what, const std::vector<T> &found, const std::vector<Expected> &expected,
             double tolerance) {
  BOOST_REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const double value = expected[i].value;
    if (std::isnan(value) ? std::isnan(found[i])
                          : std::abs(double(found[i]) - value) <= tolerance * (expected[i].magnitude + 1e-3))
      continue;
    BOOST_TEST_ERROR(what << " " << i << ": " << found[i] << ", expected " << value);
    return;
  }
}

} // namespace cuda_tests

#endif
