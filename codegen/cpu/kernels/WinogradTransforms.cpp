#include "codegen/cpu/kernels/Winograd.h"

#include "codegen/cpu/emit/MapLoops.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cmath>

namespace vernier::codegen {

WinogradTransforms::WinogradTransforms(int64_t outputs) : outputs(outputs) {
  pairs = outputs == 2 ? std::vector<double>{1} : std::vector<double>{std::sqrt(0.5), std::sqrt(2.0)};
}

namespace {

std::vector<double> finitePoints(const WinogradTransforms &t) {
  std::vector<double> points = {0};
  for (double p : t.pairs)
    points.insert(points.end(), {p, -p});
  return points;
}

// Coefficients, lowest first, of the product of (x - q) over all points but the one numbered `without`.
std::vector<double> productOfFactors(const std::vector<double> &points, size_t without) {
  std::vector<double> product = {1};
  for (size_t j = 0; j < points.size(); ++j) {
    if (j == without)
      continue;
    product.push_back(0);
    for (size_t k = product.size(); k-- > 0;)
      product[k] = (k ? product[k - 1] : 0) - points[j] * product[k];
  }
  return product;
}

double squaredNorm(const std::vector<double> &row) {
  double sum = 0;
  for (double value : row)
    sum += value * value;
  return sum;
}

} // namespace

WinogradTransforms::Matrix WinogradTransforms::input() const {
  const std::vector<double> points = finitePoints(*this);
  Matrix rows;
  for (size_t i = 0; i <= points.size(); ++i) {
    rows.push_back(productOfFactors(points, i));
    rows.back().resize(size());
  }
  return rows;
}

WinogradTransforms::Matrix WinogradTransforms::weight() const {
  const std::vector<double> points = finitePoints(*this);
  Matrix rows;
  for (size_t i = 0; i < points.size(); ++i) {
    double factor = 1;
    for (size_t j = 0; j < points.size(); ++j)
      factor *= j == i ? 1 : points[i] - points[j];
    rows.push_back({1 / factor, points[i] / factor, points[i] * points[i] / factor});
  }
  rows.push_back({0, 0, 1});
  return rows;
}

WinogradTransforms::Matrix WinogradTransforms::output() const {
  Matrix rows;
  for (int64_t i = 0; i < outputs; ++i) {
    std::vector<double> row;
    for (double point : finitePoints(*this))
      row.push_back(std::pow(point, double(i)));
    row.push_back(i == outputs - 1);
    rows.push_back(std::move(row));
  }
  return rows;
}

double WinogradTransforms::noiseGain() const {
  const Matrix in = input(), w = weight(), out = output();
  double sum = 0;
  for (const std::vector<double> &row : out)
    for (int64_t f = 0; f < size(); ++f)
      sum += row[f] * row[f] * squaredNorm(w[f]) * squaredNorm(in[f]);
  return sum / double(3 * outputs); // the square root for each of the two axes
}

std::string WinogradWeights::name() const {
  return std::to_string(outputs) + "x" + std::to_string(inputs) + "_b" + std::to_string(block());
}

// In double, a vector of output channels at a time.
KernelCode packWinogradWeights(const WinogradWeights &packed, bool transposed) {
  const int64_t vectors = packed.paddedOutputs() / packed.lanes;
  const std::string name = "pack_winograd" + std::to_string(packed.transform) +
                           (transposed ? "_transposed_" : "_") + packed.name() + "x" +
                           std::to_string(packed.lanes);
  const auto body = [=](KernelBuilder &k, Value task) {
    const WinogradTransforms::Matrix G = WinogradTransforms(packed.transform).weight();
    const int64_t size = packed.transform + 2, C = packed.inputs, last = packed.outputs - 1;
    // Strides of the weight as stored: O x I x 3 x 3 of the forward convolution.
    const int64_t outputStride = transposed ? 9 : C * 9, inputStride = transposed ? packed.outputs * 9 : 9;
    Value block = k.div(task, packed.vectors), within = k.rem(task, packed.vectors);
    Value width =
        k.min(k.index(packed.block()), k.sub(k.index(packed.paddedOutputs()), k.mul(block, packed.block())));
    Value to = k.add(k.mul(block, packed.block() * C * packed.places()), k.mul(within, packed.lanes));
    Value firstOutput = k.mul(task, packed.lanes);
    const auto combine = [&](const std::vector<double> &row, llvm::ArrayRef<Value> values) {
      Value sum;
      for (size_t i = 0; i < row.size(); ++i)
        if (row[i] != 0) {
          Value term = mulFloat(k, values[i], k.wideConstant(row[i]));
          sum = sum ? addFloat(k, sum, term) : term;
        }
      return sum;
    };
    k.forLoop(0, C, 1, [&](Value c) {
      llvm::SmallVector<Value> from, real;
      for (int64_t lane = 0; lane < packed.lanes; ++lane) {
        Value o = k.add(firstOutput, lane);
        real.push_back(k.less(o, k.index(packed.outputs)));
        from.push_back(k.add(k.mul(k.min(o, k.index(last)), outputStride), k.mul(c, inputStride)));
      }
      const auto tap = [&](int64_t number) {
        llvm::SmallVector<Value> values;
        for (int64_t lane = 0; lane < packed.lanes; ++lane)
          values.push_back(
              k.choose(real[lane], k.loadScalar(k.operand(0), k.add(from[lane], number)), k.scalar(0.0f)));
        return k.wide(k.gather(values));
      };
      std::vector<llvm::SmallVector<Value>> half(size); // G g
      for (int64_t s = 0; s < 3; ++s) {
        llvm::SmallVector<Value> column;
        for (int64_t r = 0; r < 3; ++r)
          column.push_back(tap(transposed ? 8 - (3 * r + s) : 3 * r + s));
        for (int64_t i = 0; i < size; ++i)
          half[i].push_back(combine(G[i], column));
      }
      for (int64_t i = 0; i < size; ++i)
        for (int64_t j = 0; j < size; ++j) {
          Value place = k.mul(k.add(k.index((i * size + j) * C), c), width);
          k.store(k.narrow(combine(G[j], half[i])), k.operand(1), k.add(to, place), packed.lanes);
        }
    });
  };
  KernelCode kernel =
      makeKernel(name, vectors, {{packed.outputs * packed.inputs * 9}, {packed.elements()}}, body);
  return kernel;
}

} // namespace vernier::codegen
