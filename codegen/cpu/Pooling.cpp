#include "codegen/cpu/EpilogueCode.h"
#include "codegen/cpu/MapLoops.h"

#include <limits>

namespace vernier::codegen {
namespace {

std::string poolName(const char *what, const PoolSpec &s) {
  std::string name = std::string(what) + std::to_string(s.kernel[0]) + "x" + std::to_string(s.kernel[1]) +
                     "_s" + std::to_string(s.stride[0]) + "x" + std::to_string(s.stride[1]) + "_p";
  for (int64_t p : s.padding)
    name += std::to_string(p) + "_";
  return name + (s.countPadding ? "counted_" : "") + s.in.name() + "_to_" + s.out.name();
}

// The rows (or columns) [lower, upper) of the input that window `o` covers.
struct Window {
  Value start, lower, upper;
};
Window window(KernelBuilder &k, Value o, int64_t stride, int64_t padding, int64_t kernel, int64_t extent) {
  Value start = k.add(k.mul(o, stride), -padding);
  return {start, k.max(start, k.index(0)), k.min(k.add(start, kernel), k.index(extent))};
}

bool alwaysInside(const PoolSpec &s) {
  return s.padding[0] == 0 && s.padding[2] == 0 && (s.out.h - 1) * s.stride[0] + s.kernel[0] <= s.in.h &&
         (s.out.w - 1) * s.stride[1] + s.kernel[1] <= s.in.w;
}

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

// Windows up to this size are unrolled.
constexpr int64_t kUnrolledWindow = 64;

// Writes each element of dx once: a task owns the rows of one row of windows, and the rows below the last
// window are a task too. The first maximum in row-major order takes the window's gradient, what remains for
// later ones is 0.
void gatherMaxPoolGradient(KernelBuilder &k, Value task, const PoolSpec &spec, const View &dy, const View &dx,
                           EpilogueCode &epilogue) {
  mlir::OpBuilder &b = k.builder();
  const auto loc = k.location();
  const int64_t kernelRows = spec.kernel[0], kernelColumns = spec.kernel[1];
  const int64_t wholeBands = spec.in.h / kernelRows, restRows = spec.in.h % kernelRows;
  const int64_t wholeColumns = spec.in.w / kernelColumns, restColumns = spec.in.w % kernelColumns;
  auto digits = k.split(task, {spec.in.n, ceilDiv(spec.in.h, kernelRows)});
  Value n = digits[0], oy = digits[1];
  // `rows` x `columns` elements of window (oy, ox), or of none.
  const auto cell = [&](bool window, int64_t rows, int64_t columns, Value ox) {
    k.forChannels(dx.c, [&](Value c, int64_t count) {
      Value zero = k.constant(0.0f), best, remaining;
      if (window) {
        best = k.load(k.operand(1), position(k, spec.out, n, oy, ox, c), count);
        remaining = k.load(k.operand(2), position(k, dy, n, oy, ox, c), count);
      }
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t s = 0; s < columns; ++s) {
          Value iy = k.add(k.mul(oy, kernelRows), r), ix = k.add(k.mul(ox, kernelColumns), s);
          Value gradient = zero;
          if (window) {
            Value x = k.load(k.operand(0), position(k, spec.in, n, iy, ix, c), count);
            Value equal = mlir::arith::CmpFOp::create(b, loc, mlir::arith::CmpFPredicate::OEQ, x, best);
            gradient = k.choose(equal, remaining, zero);
            remaining = k.choose(equal, zero, remaining);
          }
          k.store(epilogue.finish(gradient, n, iy, ix, 0, c, count), epilogue.output(),
                  position(k, dx, n, iy, ix, c), count);
        }
    });
  };
  const auto band = [&](bool window, int64_t rows) {
    k.forLoop(0, wholeColumns, 1, [&](Value ox) { cell(window, rows, kernelColumns, ox); });
    if (restColumns)
      cell(window && spec.out.w > wholeColumns, rows, restColumns, k.index(wholeColumns));
  };
  const auto whole = [&] { band(true, kernelRows); };
  const auto rest = [&] { band(spec.out.h > wholeBands, restRows); };
  if (restRows == 0)
    whole();
  else
    k.ifThen(k.less(oy, k.index(wholeBands)), whole, rest);
}

} // namespace

bool disjointWindows(const PoolSpec &spec) {
  const auto along = [&](int axis, int64_t in, int64_t out) {
    const int64_t kernel = spec.kernel[axis];
    return kernel == spec.stride[axis] && spec.padding[2 * axis] == 0 && out >= in / kernel &&
           out <= ceilDiv(in, kernel);
  };
  return along(0, spec.in.h, spec.out.h) && along(1, spec.in.w, spec.out.w) &&
         spec.kernel[0] * spec.kernel[1] <= kUnrolledWindow;
}

Kernel maxPool(const PoolSpec &spec, const Target &target) {
  return makeKernel(poolName("max_pool", spec), rowTasks(spec.out), {spec.in.operand(), spec.out.operand()},
                    [=](KernelBuilder &k, Value row) {
                      auto digits = k.split(row, {spec.out.n, spec.out.h});
                      // A position outside is moved to the nearest one inside, which the window covers too:
                      // the maximum is the same.
                      const auto inside = [&](Value position, int64_t extent) {
                        return alwaysInside(spec) ? position
                                                  : k.min(k.max(position, k.index(0)), k.index(extent - 1));
                      };
                      Value top = k.add(k.mul(digits[1], spec.stride[0]), -spec.padding[0]);
                      llvm::SmallVector<Value> rows;
                      for (int64_t r = 0; r < spec.kernel[0]; ++r)
                        rows.push_back(k.add(k.mul(digits[0], spec.in.image()),
                                             k.mul(inside(k.add(top, r), spec.in.h), spec.in.row())));
                      k.forLoop(0, spec.out.w, 1, [&](Value ox) {
                        Value left = k.add(k.mul(ox, spec.stride[1]), -spec.padding[2]);
                        llvm::SmallVector<Value> columns;
                        for (int64_t s = 0; s < spec.kernel[1]; ++s)
                          columns.push_back(k.mul(inside(k.add(left, s), spec.in.w), spec.in.pixel));
                        Value to = k.add(k.mul(row, spec.out.row()), k.mul(ox, spec.out.pixel));
                        k.forChannels(spec.out.c, [&](Value c, int64_t count) {
                          Value best;
                          for (Value r : rows)
                            for (Value s : columns) {
                              Value value = k.load(k.operand(0), k.add(k.add(r, s), c), count);
                              best = best ? maxFloat(k, best, value) : value;
                            }
                          k.store(best, k.operand(1), k.add(to, c), count);
                        });
                      });
                    });
}

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

Kernel maxPoolGradient(const PoolSpec &spec, const View &dy, const View &dx, const Epilogue &epilogue,
                       const Target &target) {
  const std::string name =
      poolName("max_pool_gradient", spec) + "_" + dy.name() + "_" + dx.name() + epilogue.name();
  const std::vector<KernelOperand> operands =
      EpilogueCode::operands({spec.in.operand(), spec.out.operand(), dy.operand()}, epilogue, dx, 0, target);
  if (disjointWindows(spec))
    return makeKernel(name, spec.in.n * ceilDiv(spec.in.h, spec.kernel[0]), operands,
                      [=](KernelBuilder &k, Value task) {
                        EpilogueCode code(k, epilogue, 3, dx.c, 1);
                        gatherMaxPoolGradient(k, task, spec, dy, dx, code);
                      });
  return makeKernel(name, channelTasks(dx, target), operands, [=](KernelBuilder &k, Value task) {
    mlir::OpBuilder &b = k.builder();
    const auto loc = k.location();
    overChannelTask(k, task, dx, [&](Value n, Value c, int64_t count) {
      clearChannels(k, k.operand(3), dx, n, c, count);
      Value none = mlir::arith::ConstantOp::create(
          b, loc, mlir::DenseElementsAttr::get(mlir::VectorType::get({k.lanes()}, b.getI1Type()), false));
      k.forLoop(0, spec.out.h, 1, [&](Value oy) {
        Window y = window(k, oy, spec.stride[0], spec.padding[0], spec.kernel[0], spec.in.h);
        k.forLoop(0, spec.out.w, 1, [&](Value ox) {
          Window x = window(k, ox, spec.stride[1], spec.padding[2], spec.kernel[1], spec.in.w);
          Value best = k.load(k.operand(1), position(k, spec.out, n, oy, ox, c), count);
          Value gradient = k.load(k.operand(2), position(k, dy, n, oy, ox, c), count);
          // The first maximum in row-major order takes the gradient: `found` marks the channels that have
          // met theirs.
          k.forLoop(y.lower, y.upper, 1, none, [&](Value iy, mlir::ValueRange outer) {
            return k.forLoop(x.lower, x.upper, 1, outer, [&](Value ix, mlir::ValueRange carried) {
              Value value = k.load(k.operand(0), position(k, spec.in, n, iy, ix, c), count);
              Value equal = mlir::arith::CmpFOp::create(b, loc, mlir::arith::CmpFPredicate::OEQ, value, best);
              Value take = mlir::arith::SelectOp::create(b, loc, carried[0], none, equal);
              Value at = position(k, dx, n, iy, ix, c);
              Value added = k.choose(take, gradient, k.constant(0.0f));
              k.store(addFloat(k, k.load(k.operand(3), at, count), added), k.operand(3), at, count);
              return KernelBuilder::Values{mlir::arith::OrIOp::create(b, loc, carried[0], equal)};
            });
          });
        });
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
