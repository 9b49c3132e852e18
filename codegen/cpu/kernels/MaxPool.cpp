// Maximum over windows and its gradient. Small windows are unrolled, larger ones are loops, and large ones
// that overlap are taken along one axis after the other (MaxPoolAlong.cpp). A NaN in a window is its maximum.
#include "codegen/cpu/emit/EpilogueCode.h"
#include "codegen/cpu/emit/MaxPoolCode.h"

#include <limits>

namespace vernier::codegen {
namespace {

// Windows up to this size are unrolled.
constexpr int64_t kUnrolledWindow = 64;

// Maxima in registers at once; and the tasks from which on a task takes as many.
constexpr int64_t kVectorsAtOnce = 4, kWantedTasks = 16;

Runs channelRuns(int64_t channels, int64_t tasks, const Target &target) {
  Runs runs{channels, target.lanes, kVectorsAtOnce};
  if (tasks * runs.count() < kWantedTasks)
    runs.vectors = 1;
  return runs;
}

// The largest of the vectors at `positions`. Where the target has registers for masks, NaN is looked for in
// two vectors at once.
Value maximumOf(KernelBuilder &k, Value buffer, llvm::ArrayRef<Value> positions, int64_t count) {
  const bool masks = k.lanes() == 16;
  Value best, before, bad;
  for (size_t i = 0; i < positions.size(); ++i) {
    Value value = k.load(buffer, positions[i], count);
    if (!masks) {
      best = best ? maxFloat(k, value, best) : value;
      continue;
    }
    best = best ? k.larger(value, best) : value;
    if (i % 2 == 1 || i + 1 == positions.size()) {
      Value found = mlir::arith::CmpFOp::create(k.builder(), k.location(), mlir::arith::CmpFPredicate::UNO,
                                                value, i % 2 == 1 ? before : value);
      bad = bad ? Value(mlir::arith::OrIOp::create(k.builder(), k.location(), bad, found)) : found;
    }
    before = value;
  }
  return masks ? k.choose(bad, k.constant(std::numeric_limits<float>::quiet_NaN()), best) : best;
}

KernelCode maxPoolUnrolled(const PoolProblem &spec) {
  return makeKernel(
      poolName("max_pool", spec), rowTasks(spec.out), {spec.in.operand(), spec.out.operand()},
      [=](KernelBuilder &k, Value row) {
        auto digits = k.split(row, {spec.out.n, spec.out.h});
        // A position outside is moved to the nearest one inside, which the window covers too:
        // the maximum is the same.
        const auto inside = [&](Value position, int64_t extent) {
          return alwaysInside(spec) ? position : k.min(k.max(position, k.index(0)), k.index(extent - 1));
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
            llvm::SmallVector<Value> positions;
            for (Value r : rows)
              for (Value s : columns)
                positions.push_back(k.add(k.add(r, s), c));
            k.store(maximumOf(k, k.operand(0), positions, count), k.operand(1), k.add(to, c), count);
          });
        });
      });
}

KernelCode maxPoolLoops(const PoolProblem &spec, const Target &target) {
  const Runs runs = channelRuns(spec.out.c, rowTasks(spec.out), target);
  return makeKernel(
      poolName("max_pool", spec), rowTasks(spec.out) * runs.count(), {spec.in.operand(), spec.out.operand()},
      [=](KernelBuilder &k, Value task) {
        auto digits = k.split(task, {spec.out.n, spec.out.h, runs.count()});
        Value n = digits[0], oy = digits[1];
        Window y = window(k, oy, spec.stride[0], spec.padding[0], spec.kernel[0], spec.in.h);
        overRun(k, runs, digits[2], [&](Value c, llvm::ArrayRef<int64_t> counts) {
          k.forLoop(0, spec.out.w, 1, [&](Value ox) {
            Window x = window(k, ox, spec.stride[1], spec.padding[2], spec.kernel[1], spec.in.w);
            KernelBuilder::Values none(counts.size(), k.constant(-std::numeric_limits<float>::infinity()));
            const auto best = k.forLoop(y.lower, y.upper, 1, none, [&](Value iy, mlir::ValueRange outer) {
              return k.forLoop(x.lower, x.upper, 1, outer, [&](Value ix, mlir::ValueRange carried) {
                return maximaWith(k, carried, k.operand(0), position(k, spec.in, n, iy, ix, c), counts);
              });
            });
            storeVectors(k, best, k.operand(1), position(k, spec.out, n, oy, ox, c), counts);
          });
        });
      });
}

// Writes each element of dx once: a task owns the rows of one row of windows, and the rows below the last
// window are a task too.
void gatherMaxPoolGradient(KernelBuilder &k, Value task, const PoolProblem &spec, const View &dy,
                           const View &dx, const Runs &runs, EpilogueCode &epilogue) {
  const int64_t kernelRows = spec.kernel[0], kernelColumns = spec.kernel[1];
  const int64_t wholeBands = spec.in.h / kernelRows, restRows = spec.in.h % kernelRows;
  const int64_t wholeColumns = spec.in.w / kernelColumns, restColumns = spec.in.w % kernelColumns;
  auto digits = k.split(task, {spec.in.n, ceilDiv(spec.in.h, kernelRows), runs.count()});
  Value n = digits[0], oy = digits[1];
  // `rows` x `columns` elements of window (oy, ox), or of none.
  const auto cell = [&](bool window, int64_t rows, int64_t columns, Value ox, Value c, int64_t count) {
    const auto walk = [&](bool mayUnroll, mlir::ValueRange init, auto body) {
      Value top = k.mul(oy, kernelRows), left = k.mul(ox, kernelColumns);
      KernelBuilder::Values carried(init);
      if (!mayUnroll || rows * columns > kUnrolledWindow)
        return k.forLoop(k.index(0), k.index(rows), 1, carried, [&](Value r, mlir::ValueRange outer) {
          return k.forLoop(k.index(0), k.index(columns), 1, outer, [&](Value s, mlir::ValueRange inner) {
            return body(k.add(top, r), k.add(left, s), inner);
          });
        });
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t s = 0; s < columns; ++s)
          carried = body(k.add(top, r), k.add(left, s), mlir::ValueRange(carried));
      return carried;
    };
    const auto put = [&](Value iy, Value ix, Value gradient) {
      k.store(epilogue.finish(gradient, n, iy, ix, 0, c, count), epilogue.output(),
              position(k, dx, n, iy, ix, c), count);
    };
    if (!window) {
      walk(true, {}, [&](Value iy, Value ix, mlir::ValueRange) {
        put(iy, ix, k.constant(0.0f));
        return KernelBuilder::Values{};
      });
      return;
    }
    const auto load = [&](Value iy, Value ix) {
      return k.load(k.operand(0), position(k, spec.in, n, iy, ix, c), count);
    };
    distributeGradient(k, k.load(k.operand(1), position(k, spec.out, n, oy, ox, c), count),
                       k.load(k.operand(2), position(k, dy, n, oy, ox, c), count), walk, load, put);
  };
  const auto overChannels = [&](llvm::function_ref<void(Value c, int64_t count)> body) {
    if (runs.count() == 1)
      k.forChannels(dx.c, body);
    else
      overRun(k, runs, digits[2], [&](Value c, llvm::ArrayRef<int64_t> counts) { body(c, counts.front()); });
  };
  const auto band = [&](bool window, int64_t rows) {
    k.forLoop(0, wholeColumns, 1, [&](Value ox) {
      overChannels([&](Value c, int64_t count) { cell(window, rows, kernelColumns, ox, c, count); });
    });
    if (restColumns)
      overChannels([&](Value c, int64_t count) {
        cell(window && spec.out.w > wholeColumns, rows, restColumns, k.index(wholeColumns), c, count);
      });
  };
  const auto whole = [&] { band(true, kernelRows); };
  const auto rest = [&] { band(spec.out.h > wholeBands, restRows); };
  if (restRows == 0)
    whole();
  else
    k.ifThen(k.less(oy, k.index(wholeBands)), whole, rest);
}

ScatterMap scatterOf(const PoolProblem &spec, const View &dx, const Target &target) {
  return scatterMap(dx, windowsThatShare(spec, 0) * windowsThatShare(spec, 1), target);
}

} // namespace

KernelCode maxPool(const PoolProblem &spec, const Target &target) {
  return spec.kernel[0] * spec.kernel[1] <= kUnrolledWindow ? maxPoolUnrolled(spec)
                                                            : maxPoolLoops(spec, target);
}

int64_t maxPoolGradientScratch(const PoolProblem &spec, const View &dx, const Target &target) {
  return disjointWindows(spec) ? 0 : scatterOf(spec, dx, target).scratch(target);
}

KernelCode maxPoolGradient(const PoolProblem &spec, const View &dy, const View &dx, const Epilogue &epilogue,
                           const Target &target) {
  const std::string name =
      poolName("max_pool_gradient", spec) + "_" + dy.name() + "_" + dx.name() + epilogue.name();
  const std::vector<KernelOperand> operands =
      EpilogueCode::operands({spec.in.operand(), spec.out.operand(), dy.operand()}, epilogue, dx, 0, target);
  if (disjointWindows(spec)) {
    const int64_t bands = spec.in.n * ceilDiv(spec.in.h, spec.kernel[0]);
    // All channels to a task, unless few tasks would do all the work.
    Runs runs{dx.c, target.lanes, ceilDiv(dx.c, target.lanes)};
    if (bands < kWantedTasks && spec.kernel[0] * spec.kernel[1] > kUnrolledWindow)
      runs.vectors = 1;
    return makeKernel(name, bands * runs.count(), operands, [=](KernelBuilder &k, Value task) {
      EpilogueCode code(k, epilogue, 3, dx.c, 1);
      gatherMaxPoolGradient(k, task, spec, dy, dx, runs, code);
    });
  }
  const ScatterMap map = scatterOf(spec, dx, target);
  return makeKernel(
      name, channelTasks(dx, target), map.operands(operands, target), [=](KernelBuilder &k, Value task) {
        overChannelTask(k, task, dx, [&](Value n, Value c, int64_t count) {
          ScatterSums sums(k, map, 3, task, k.add(k.mul(n, dx.image()), c), count);
          k.forLoop(0, spec.out.h, 1, [&](Value oy) {
            Window y = window(k, oy, spec.stride[0], spec.padding[0], spec.kernel[0], spec.in.h);
            k.forLoop(0, spec.out.w, 1, [&](Value ox) {
              Window x = window(k, ox, spec.stride[1], spec.padding[2], spec.kernel[1], spec.in.w);
              const auto walk = [&](bool, mlir::ValueRange init, auto body) {
                return k.forLoop(y.lower, y.upper, 1, init, [&](Value iy, mlir::ValueRange outer) {
                  return k.forLoop(x.lower, x.upper, 1, outer,
                                   [&](Value ix, mlir::ValueRange carried) { return body(iy, ix, carried); });
                });
              };
              const auto load = [&](Value iy, Value ix) {
                return k.load(k.operand(0), position(k, spec.in, n, iy, ix, c), count);
              };
              const auto put = [&](Value iy, Value ix, Value share) {
                sums.add(k.add(k.mul(iy, dx.w), ix), share);
              };
              distributeGradient(k, k.load(k.operand(1), position(k, spec.out, n, oy, ox, c), count),
                                 k.load(k.operand(2), position(k, dy, n, oy, ox, c), count), walk, load, put);
            });
          });
          sums.finish();
        });
      });
}

} // namespace vernier::codegen
