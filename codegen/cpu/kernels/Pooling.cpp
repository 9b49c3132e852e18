// Averages over windows, and pools' axes; averages over whole maps are in SpatialSums.cpp, those along one
// axis after the other in AveragePoolAlong.cpp.
#include "codegen/cpu/emit/PoolCode.h"
#include "codegen/cpu/emit/SumCode.h"

namespace vernier::codegen {
namespace {

// 1 / number of pixels that an average's window counts.
Value reciprocalCount(KernelBuilder &k, const PoolProblem &s, const Window &y, const Window &x) {
  if (alwaysInside(s))
    return k.scalar(1.0f / float(s.kernel[0] * s.kernel[1]));
  Value count = k.mul(countAlong(k, s, 0, y), countAlong(k, s, 1, x));
  return divFloat(k, k.scalar(1.0f), toFloat(k, count));
}

// Averages over so few pixels are added up in float32.
constexpr int64_t kSmallWindow = 16;

} // namespace

std::vector<AxisPool> poolAxes(const PoolProblem &spec) {
  AxisPool rows{spec, 1}, columns{spec, 0};
  rows.spec.out = columns.spec.in = denseView(spec.in.n, spec.in.h, spec.out.w, spec.in.c, spec.in.element);
  rows.spec.kernel[0] = rows.spec.stride[0] = columns.spec.kernel[1] = columns.spec.stride[1] = 1;
  rows.spec.padding[0] = rows.spec.padding[1] = columns.spec.padding[2] = columns.spec.padding[3] = 0;
  const auto nothing = [&](int axis) {
    return spec.kernel[axis] == 1 && spec.stride[axis] == 1 && spec.padding[2 * axis] == 0 &&
           spec.padding[2 * axis + 1] == 0;
  };
  if (nothing(0)) {
    rows.spec.out = spec.out;
    return {rows};
  }
  if (nothing(1)) {
    columns.spec.in = spec.in;
    return {columns};
  }
  return {rows, columns};
}

KernelCode averagePool(const PoolProblem &spec, const Target &target) {
  return makeKernel(
      poolName("average_pool", spec), rowTasks(spec.out), {spec.in.operand(), spec.out.operand()},
      [=](KernelBuilder &k, Value row) {
        const bool small = spec.kernel[0] * spec.kernel[1] <= kSmallWindow;
        auto digits = k.split(row, {spec.out.n, spec.out.h});
        Window y = window(k, digits[1], spec.stride[0], spec.padding[0], spec.kernel[0], spec.in.h);
        k.forLoop(0, spec.out.w, 1, [&](Value ox) {
          Window x = window(k, ox, spec.stride[1], spec.padding[2], spec.kernel[1], spec.in.w);
          Value factor = k.splat(reciprocalCount(k, spec, y, x));
          Value to = k.add(k.mul(row, spec.out.row()), k.mul(ox, spec.out.pixel));
          k.forChannels(spec.out.c, [&](Value c, int64_t count) {
            const auto at = [&](Value iy, Value ix) {
              return k.load(k.operand(0), position(k, spec.in, digits[0], iy, ix, c), count);
            };
            const auto overRows = [&](Value start, llvm::function_ref<Value(Value iy, Value sum)> addRow) {
              return k.forLoop(y.lower, y.upper, 1, start, [&](Value iy, mlir::ValueRange carried) {
                return KernelBuilder::Values{addRow(iy, carried[0])};
              })[0];
            };
            Value mean;
            if (small && alwaysInside(spec)) {
              llvm::SmallVector<Value> terms;
              for (int64_t r = 0; r < spec.kernel[0]; ++r)
                for (int64_t s = 0; s < spec.kernel[1]; ++s)
                  terms.push_back(at(k.add(y.start, r), k.add(x.start, s)));
              mean = mulFloat(k, pairwiseSum(k, terms), factor);
            } else if (small) {
              Value sum = overRows(k.constant(0.0f), [&](Value iy, Value sum) {
                return k.forLoop(x.lower, x.upper, 1, sum, [&](Value ix, mlir::ValueRange carried) {
                  return KernelBuilder::Values{addFloat(k, carried[0], at(iy, ix))};
                })[0];
              });
              mean = mulFloat(k, sum, factor);
            } else {
              Value sum = overRows(k.wideConstant(0.0), [&](Value iy, Value sum) {
                return wideSum(k, x.lower, x.upper, sum, [&](llvm::ArrayRef<Value> columns) {
                  llvm::SmallVector<Value> terms;
                  for (Value ix : columns)
                    terms.push_back(at(iy, ix));
                  return pairwiseSum(k, terms);
                });
              });
              mean = k.narrow(mulFloat(k, sum, k.wide(factor)));
            }
            k.store(mean, k.operand(1), k.add(to, c), count);
          });
        });
      });
}

// Each element gathers its share of the windows that cover it, however many they are.
KernelCode averagePoolGradient(const PoolProblem &spec, const Target &target) {
  // Windows along one axis that cover position `i`, and how many pixels of the axis window `o` counts.
  const auto covering = [=](KernelBuilder &k, Value i, int axis, int64_t out) {
    const int64_t stride = spec.stride[axis], last = spec.padding[2 * axis];
    Value lower = k.ceilDiv(k.add(i, last - spec.kernel[axis] + 1), stride);
    Value upper = k.add(k.floorDiv(k.add(i, last), stride), 1);
    return std::array{k.max(lower, k.index(0)), k.min(upper, k.index(out))};
  };
  return makeKernel(
      poolName("average_pool_gradient", spec), rowTasks(spec.in), {spec.out.operand(), spec.in.operand()},
      [=](KernelBuilder &k, Value row) {
        // Where windows overlap much, the shares are added up in double.
        const bool few =
            ceilDiv(spec.kernel[0], spec.stride[0]) * ceilDiv(spec.kernel[1], spec.stride[1]) <= kSmallWindow;
        auto digits = k.split(row, {spec.in.n, spec.in.h});
        const auto [yLower, yUpper] = covering(k, digits[1], 0, spec.out.h);
        k.forLoop(0, spec.in.w, 1, [&, yLower = yLower, yUpper = yUpper](Value ix) {
          const auto [xLower, xUpper] = covering(k, ix, 1, spec.out.w);
          Value to = k.add(k.mul(row, spec.in.row()), k.mul(ix, spec.in.pixel));
          k.forChannels(spec.in.c, [&, xLower = xLower, xUpper = xUpper](Value c, int64_t count) {
            const auto share = [&](const Window &y, Value oy, Value ox) {
              Window x = window(k, ox, spec.stride[1], spec.padding[2], spec.kernel[1], spec.in.w);
              return mulFloat(k, k.load(k.operand(0), position(k, spec.out, digits[0], oy, ox, c), count),
                              k.splat(reciprocalCount(k, spec, y, x)));
            };
            Value start = few ? k.constant(0.0f) : k.wideConstant(0.0);
            Value sum = k.forLoop(yLower, yUpper, 1, start, [&](Value oy, mlir::ValueRange carried) {
              Window y = window(k, oy, spec.stride[0], spec.padding[0], spec.kernel[0], spec.in.h);
              if (few)
                return k.forLoop(xLower, xUpper, 1, carried, [&](Value ox, mlir::ValueRange inner) {
                  return KernelBuilder::Values{addFloat(k, inner[0], share(y, oy, ox))};
                });
              return KernelBuilder::Values{
                  wideSum(k, xLower, xUpper, carried[0], [&](llvm::ArrayRef<Value> columns) {
                    llvm::SmallVector<Value> terms;
                    for (Value ox : columns)
                      terms.push_back(share(y, oy, ox));
                    return pairwiseSum(k, terms);
                  })};
            })[0];
            k.store(few ? sum : k.narrow(sum), k.operand(1), k.add(to, c), count);
          });
        });
      });
}

} // namespace vernier::codegen
