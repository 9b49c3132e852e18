// Averages over windows and whole maps, and sums over them.
#include "codegen/cpu/PoolCode.h"

namespace vernier::codegen {
namespace {

// 1 / number of pixels that an average's window counts: with padding the part of the window inside the padded
// map.
Value reciprocalCount(KernelBuilder &k, const PoolSpec &s, const Window &y, const Window &x) {
  const auto extent = [&](const Window &w, int64_t kernel, int64_t size, int64_t after) {
    if (!s.countPadding)
      return k.sub(w.upper, w.lower);
    return k.sub(k.min(k.add(w.start, kernel), k.index(size + after)), w.start);
  };
  Value count =
      k.mul(extent(y, s.kernel[0], s.in.h, s.padding[1]), extent(x, s.kernel[1], s.in.w, s.padding[3]));
  return divFloat(k, k.scalar(1.0f), toFloat(k, count));
}

} // namespace

Kernel averagePool(const PoolSpec &spec, const Target &target) {
  return makeKernel(
      poolName("average_pool", spec), rowTasks(spec.out), {spec.in.operand(), spec.out.operand()},
      [=](KernelBuilder &k, Value row) {
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
            Value sum = k.constant(0.0f);
            if (alwaysInside(spec) && spec.kernel[0] * spec.kernel[1] <= 16) {
              for (int64_t r = 0; r < spec.kernel[0]; ++r)
                for (int64_t s = 0; s < spec.kernel[1]; ++s)
                  sum = addFloat(k, sum, at(k.add(y.start, r), k.add(x.start, s)));
            } else {
              sum = k.forLoop(y.lower, y.upper, 1, sum, [&](Value iy, mlir::ValueRange outer) {
                return k.forLoop(x.lower, x.upper, 1, outer, [&](Value ix, mlir::ValueRange carried) {
                  return KernelBuilder::Values{addFloat(k, carried[0], at(iy, ix))};
                });
              })[0];
            }
            k.store(mulFloat(k, sum, factor), k.operand(1), k.add(to, c), count);
          });
        });
      });
}

Kernel averagePoolGradient(const PoolSpec &spec, const Target &target) {
  return makeKernel(
      poolName("average_pool_gradient", spec), channelTasks(spec.in, target),
      {spec.out.operand(), spec.in.operand()}, [=](KernelBuilder &k, Value task) {
        overChannelTask(k, task, spec.in, [&](Value n, Value c, int64_t count) {
          clearChannels(k, k.operand(1), spec.in, n, c, count);
          k.forLoop(0, spec.out.h, 1, [&](Value oy) {
            Window y = window(k, oy, spec.stride[0], spec.padding[0], spec.kernel[0], spec.in.h);
            k.forLoop(0, spec.out.w, 1, [&](Value ox) {
              Window x = window(k, ox, spec.stride[1], spec.padding[2], spec.kernel[1], spec.in.w);
              Value share = mulFloat(k, k.load(k.operand(0), position(k, spec.out, n, oy, ox, c), count),
                                     k.splat(reciprocalCount(k, spec, y, x)));
              k.forLoop(y.lower, y.upper, 1, [&](Value iy) {
                k.forLoop(x.lower, x.upper, 1, [&](Value ix) {
                  Value at = position(k, spec.in, n, iy, ix, c);
                  k.store(addFloat(k, k.load(k.operand(1), at, count), share), k.operand(1), at, count);
                });
              });
            });
          });
        });
      });
}

Kernel spatialSum(const View &a, const View &b, bool product, const View &out, const Target &target) {
  std::vector<KernelOperand> operands = {a.operand()};
  if (product)
    operands.push_back(b.operand());
  operands.push_back(out.operand());
  const std::string name = std::string(product ? "spatial_dot_" : "spatial_sum_") + a.name() +
                           (product ? "_" + b.name() : "") + "_" + out.name();
  return makeKernel(name, channelTasks(a, target), operands, [=](KernelBuilder &k, Value task) {
    overChannelTask(k, task, a, [&](Value n, Value c, int64_t count) {
      auto sum = k.forLoop(
          k.index(0), k.index(a.h * a.w), 1, k.constant(0.0f), [&](Value pixel, mlir::ValueRange carried) {
            const auto at = [&](const View &view) {
              return k.add(k.add(k.mul(n, view.image()), k.mul(pixel, view.pixel)), c);
            };
            Value value = k.load(k.operand(0), at(a), count);
            return KernelBuilder::Values{product
                                             ? k.fma(value, k.load(k.operand(1), at(b), count), carried[0])
                                             : addFloat(k, carried[0], value)};
          });
      k.store(sum[0], k.operand(product ? 2 : 1), k.add(k.mul(n, out.pixel), c), count);
    });
  });
}

Kernel globalAveragePool(const View &in, const View &out, const Target &target) {
  return makeKernel("global_average_pool_" + in.name() + "_" + out.name(), channelTasks(in, target),
                    {in.operand(), out.operand()}, [=](KernelBuilder &k, Value task) {
                      overChannelTask(k, task, in, [&](Value n, Value c, int64_t count) {
                        auto sum = k.forLoop(k.index(0), k.index(in.h * in.w), 1, k.constant(0.0f),
                                             [&](Value pixel, mlir::ValueRange carried) {
                                               Value at = k.add(
                                                   k.add(k.mul(n, in.image()), k.mul(pixel, in.pixel)), c);
                                               return KernelBuilder::Values{
                                                   addFloat(k, carried[0], k.load(k.operand(0), at, count))};
                                             });
                        Value mean = mulFloat(k, sum[0], k.constant(1.0f / float(in.h * in.w)));
                        k.store(mean, k.operand(1), k.add(k.mul(n, out.pixel), c), count);
                      });
                    });
}

Kernel spatialBroadcast(const View &in, const View &out, float factor, const Target &target) {
  const std::string by = factor == 1.0f                          ? ""
                         : factor == 1.0f / float(out.h * out.w) ? "_mean"
                                                                 : "_times" + numberName(factor);
  return makeKernel("spatial_broadcast_" + in.name() + "_" + out.name() + by, rowTasks(out),
                    {in.operand(), out.operand()}, [=](KernelBuilder &k, Value row) {
                      Value from = k.mul(k.div(row, out.h), in.pixel);
                      overRow(
                          k, row, {out},
                          [&](llvm::ArrayRef<Value> at, Value c, int64_t count) {
                            Value value = k.load(k.operand(0), k.add(from, c), count);
                            k.store(mulFloat(k, value, k.constant(factor)), k.operand(1), at[0], count);
                          },
                          /*mayFlatten=*/false);
                    });
}

} // namespace vernier::codegen
