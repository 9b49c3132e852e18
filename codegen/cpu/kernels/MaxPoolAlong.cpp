// Maximum over windows of one row, or of one column, in time that does not depend on the window's size, after
// van Herk (1992) and Gil and Werman (1993). Windows are taken in blocks that share an element B: the maxima
// from each window's first element to B grow from the block's last window to its first, those behind B from
// the first window to the last; each window's maximum is the larger of its two.
//
// A task owns one block of one line, for a run of channels; of columns, a run of the whole row's numbers.
#include "codegen/cpu/emit/MaxPoolCode.h"

#include <limits>

namespace vernier::codegen {
namespace {

// Maxima in registers at once.
constexpr int64_t kVectorsAtOnce = 4;

} // namespace

bool fasterAlongAxes(const PoolProblem &spec) {
  int64_t accesses = 0;
  for (const AxisPool &part : poolAxes(spec))
    accesses += (2 * std::min(part.spec.stride[part.axis], part.spec.kernel[part.axis]) + 4) *
                ceilDiv(part.spec.out.h, spec.out.h);
  return spec.kernel[0] * spec.kernel[1] > 2 * accesses;
}

// A window's gradient reads and writes each of its elements.
bool gradientFasterAlongAxes(const PoolProblem &spec) {
  int64_t elements = 0;
  for (const AxisPool &part : poolAxes(spec))
    elements += (part.spec.kernel[part.axis] + 2) * ceilDiv(part.spec.out.h, spec.out.h);
  return !disjointWindows(spec) && spec.kernel[0] * spec.kernel[1] > elements;
}

KernelCode maxPoolAlong(const AxisPool &pool, const Target &target) {
  const PoolProblem &spec = pool.spec;
  const int axis = pool.axis;
  const int64_t size = spec.kernel[axis], stride = spec.stride[axis], padding = spec.padding[2 * axis];
  const bool rows = wholeRows(spec.in, spec.out);
  const Lines in = linesOf(spec.in, axis, rows), out = linesOf(spec.out, axis, rows);
  const int64_t together = (size - 1) / stride + 1; // windows that share an element
  const Runs runs{in.elements, target.lanes, kVectorsAtOnce};
  const int64_t blocks = ceilDiv(out.extent, together);
  return makeKernel(
      poolName(axis == 1 ? "max_pool_along_rows" : "max_pool_along_columns", spec),
      in.images * in.count * blocks * runs.count(), {spec.in.operand(), spec.out.operand()},
      [=](KernelBuilder &k, Value task) {
        auto digits = k.split(task, {in.images, in.count, blocks, runs.count()});
        Value fromLine = startOf(k, in, digits[0], digits[1]), toLine = startOf(k, out, digits[0], digits[1]);
        Value first = k.mul(digits[2], together);
        Value windows = k.min(k.index(together), k.sub(k.index(out.extent), first));
        overRun(k, runs, digits[3], [&](Value c, llvm::ArrayRef<int64_t> counts) {
          const auto begin = [&](Value o) { return k.add(k.mul(o, stride), -padding); };
          const auto place = [&](Value o) { return k.add(k.add(toLine, k.mul(o, out.step)), c); };
          // The maxima with elements [lower, upper) of the line as well.
          const auto with = [&](Value lower, Value upper, mlir::ValueRange best) {
            return k.forLoop(k.max(lower, k.index(0)), k.min(upper, k.index(in.extent)), 1, best,
                             [&](Value i, mlir::ValueRange carried) {
                               Value at = k.add(k.add(fromLine, k.mul(i, in.step)), c);
                               return maximaWith(k, carried, k.operand(0), at, counts);
                             });
          };
          KernelBuilder::Values none(counts.size(), k.constant(-std::numeric_limits<float>::infinity()));
          Value last = k.add(k.add(first, windows), -1), shared = begin(last);
          k.forLoop(k.index(0), windows, 1, none, [&](Value i, mlir::ValueRange carried) {
            Value o = k.sub(last, i), lower = begin(o);
            Value upper = k.min(k.add(lower, stride), k.add(shared, 1));
            const auto best = with(lower, upper, carried);
            storeVectors(k, best, k.operand(1), place(o), counts);
            return best;
          });
          k.forLoop(k.index(0), windows, 1, none, [&](Value i, mlir::ValueRange carried) {
            Value o = k.add(first, i), upper = k.add(begin(o), size);
            Value lower = k.choose(k.equal(i, k.index(0)), k.add(shared, 1), k.add(upper, -stride));
            const auto best = with(lower, upper, carried);
            storeVectors(k, maximaWith(k, best, k.operand(1), place(o), counts), k.operand(1), place(o),
                         counts);
            return best;
          });
        });
      });
}

namespace {

struct GradientLines {
  Lines in, out, outGradient, inGradient;
  Runs runs;

  GradientLines(const AxisPool &pool, const View &dy, const View &dx, const Target &target)
      : runs{0, target.lanes, 1} {
    const PoolProblem &spec = pool.spec;
    const bool rows = wholeRows(spec.in, spec.out) && wholeRows(dy, dx);
    in = linesOf(spec.in, pool.axis, rows), out = linesOf(spec.out, pool.axis, rows);
    outGradient = linesOf(dy, pool.axis, rows), inGradient = linesOf(dx, pool.axis, rows);
    runs.elements = in.elements;
  }
  ScatterMap scatter(const AxisPool &pool) const {
    return {in.images * in.count * runs.count(), in.extent, inGradient.step,
            windowsThatShare(pool.spec, pool.axis)};
  }
};

} // namespace

int64_t maxPoolGradientAlongScratch(const AxisPool &pool, const View &dy, const View &dx,
                                    const Target &target) {
  return GradientLines(pool, dy, dx, target).scatter(pool).scratch(target);
}

// A task owns one line of dx, for one vector of it.
KernelCode maxPoolGradientAlong(const AxisPool &pool, const View &dy, const View &dx, const Target &target) {
  const PoolProblem &spec = pool.spec;
  const int axis = pool.axis;
  const int64_t size = spec.kernel[axis], stride = spec.stride[axis], padding = spec.padding[2 * axis];
  const GradientLines lines(pool, dy, dx, target);
  const Lines in = lines.in, out = lines.out, outGradient = lines.outGradient, inGradient = lines.inGradient;
  const Runs runs = lines.runs;
  const ScatterMap map = lines.scatter(pool);
  return makeKernel(
      poolName(axis == 1 ? "max_pool_gradient_along_rows" : "max_pool_gradient_along_columns", spec) + "_" +
          dy.name() + "_" + dx.name(),
      in.images * in.count * runs.count(),
      map.operands({spec.in.operand(), spec.out.operand(), dy.operand(), dx.operand()}, target),
      [=](KernelBuilder &k, Value task) {
        auto digits = k.split(task, {in.images, in.count, runs.count()});
        overRun(k, runs, digits[2], [&](Value c, llvm::ArrayRef<int64_t> counts) {
          const int64_t count = counts.front();
          const auto at = [&](const Lines &lines, Value i) {
            return k.add(k.add(startOf(k, lines, digits[0], digits[1]), k.mul(i, lines.step)), c);
          };
          ScatterSums sums(k, map, 3, task, at(inGradient, k.index(0)), count);
          k.forLoop(0, out.extent, 1, [&](Value o) {
            Window reach = window(k, o, stride, padding, size, in.extent);
            const auto walk = [&](bool, mlir::ValueRange init, auto body) {
              return k.forLoop(reach.lower, reach.upper, 1, init,
                               [&](Value i, mlir::ValueRange carried) { return body(i, i, carried); });
            };
            const auto load = [&](Value i, Value) { return k.load(k.operand(0), at(in, i), count); };
            const auto put = [&](Value i, Value, Value share) { sums.add(i, share); };
            distributeGradient(k, k.load(k.operand(1), at(out, o), count),
                               k.load(k.operand(2), at(outGradient, o), count), walk, load, put);
          });
          sums.finish();
        });
      });
}

} // namespace vernier::codegen
