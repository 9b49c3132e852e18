// A dense array of doubles. Maps are N x H x W x C; parameters keep PyTorch's layouts (O x I/groups x KH x
// KW, O x I, C). Labels, too, are held as doubles: every int32 is exact in one.
#ifndef VERNIER_COMPILER_INTERPRETER_TENSOR_H
#define VERNIER_COMPILER_INTERPRETER_TENSOR_H

#include <cstdint>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

namespace vernier::interpreter {

struct Tensor {
  std::vector<int64_t> shape;
  std::vector<double> data;

  Tensor() = default;
  explicit Tensor(std::vector<int64_t> dims, double value = 0.0)
      : shape(std::move(dims)),
        data(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()), value) {}

  int64_t size() const { return static_cast<int64_t>(data.size()); }
  double &operator[](int64_t i) { return data[i]; }
  double operator[](int64_t i) const { return data[i]; }

  // Of a map.
  int64_t batch() const { return shape[0]; }
  int64_t height() const { return shape[1]; }
  int64_t width() const { return shape[2]; }
  int64_t channels() const { return shape[3]; }
  int64_t pixels() const { return shape[0] * shape[1] * shape[2]; }
  double *pixel(int64_t n, int64_t y, int64_t x) {
    return data.data() + ((n * shape[1] + y) * shape[2] + x) * shape[3];
  }
  const double *pixel(int64_t n, int64_t y, int64_t x) const {
    return data.data() + ((n * shape[1] + y) * shape[2] + x) * shape[3];
  }
};

} // namespace vernier::interpreter

#endif
