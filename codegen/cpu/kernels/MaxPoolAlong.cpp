// Maximum over windows of one row, or of one column, in time that does not depend on the window's size, after
// van Herk (1992) and Gil and Werman (1993). Windows are taken in blocks that share an element B: the maxima
// from each window's first element to B grow from the block's last window to its first, those behind B from
// the first window to the last; each window's maximum is the larger of its two.
//
// A task owns one block of one line, for a run of channels; of columns, a run of the whole row's numbers. Of
// a gradient it owns a whole line.
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

// An element of an axis, and a window, take about as long as four elements of a window in one pass.
bool gradientFasterAlongAxes(const PoolProblem &spec) {
  int64_t elements = 0;
  for (const AxisPool &part : poolAxes(spec))
    elements += 4 * (std::min(part.spec.stride[part.axis], part.spec.kernel[part.axis]) + 1) *
                ceilDiv(part.spec.out.h, spec.out.h);
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

// --- gradients: a block's maxima are found again, each with its place. Gradients then go the other way: a
// sum of them is carried from window to window, as long as these have the same maximum, to the element that
// it is.

namespace {

// Windows of a block, of which something waits on the stack; and vectors in registers at once.
constexpr int64_t kMostTogether = 64, kGradientVectors = 2;

struct GradientLines {
  Lines in, out, result; // of x, dy, dx
  Runs runs;
  int64_t size, stride, padding;
  int64_t together; // windows of a block
  ScatterMap sums;

  GradientLines(const AxisPool &pool, const View &dy, const View &dx, const Target &target)
      : size(pool.spec.kernel[pool.axis]), stride(pool.spec.stride[pool.axis]),
        padding(pool.spec.padding[2 * pool.axis]) {
    const bool rows = wholeRows(pool.spec.in, dx) && dy.dense();
    in = linesOf(pool.spec.in, pool.axis, rows);
    out = linesOf(dy, pool.axis, rows);
    result = linesOf(dx, pool.axis, rows);
    runs = {in.elements, target.lanes, std::min(kGradientVectors, ceilDiv(in.elements, target.lanes))};
    const int64_t share = windowsThatShare(pool.spec, pool.axis);
    together = std::min(share, kMostTogether);
    // An element gets one sum from each block that has it.
    sums = {tasks() * runs.vectors, in.extent, result.step, ceilDiv(share, together) + 1};
  }
  int64_t tasks() const { return in.images * in.count * runs.count(); }
  int64_t width() const { return runs.vectors * runs.lanes; }
};

// A run of one line of dx. Lists of values have one for each vector.
class LineGradient {
public:
  // operands: x, dy, dx, [scratch].
  LineGradient(KernelBuilder &k, const GradientLines &lines, Value task) : k(k), lines(lines), task(task) {
    const int64_t elements = lines.together * lines.width();
    waiting = k.localBuffer({elements});
    placesBefore = k.localBuffer({elements, Element::I32});
    placesBehind = k.localBuffer({elements, Element::I32});
  }

  // From element `c` of line `line` of image `image`.
  void run(Value image, Value line, Value c, llvm::ArrayRef<int64_t> counts) {
    this->counts = counts;
    x = k.add(startOf(k, lines.in, image, line), c);
    dy = k.add(startOf(k, lines.out, image, line), c);
    Value dx = k.add(startOf(k, lines.result, image, line), c);
    sums.clear();
    for (size_t v = 0; v < counts.size(); ++v)
      sums.emplace_back(k, lines.sums, 2, k.add(k.mul(task, lines.runs.vectors), int64_t(v)),
                        k.add(dx, int64_t(v) * k.lanes()), counts[v]);
    k.forLoop(0, ceilDiv(lines.out.extent, lines.together), 1, [&](Value block) {
      first = k.mul(block, lines.together);
      windows = k.min(k.index(lines.together), k.sub(k.index(lines.out.extent), first));
      last = k.add(k.add(first, windows), -1);
      shared = begin(last);
      findBefore();
      findBehind();
      giveBehind();
    });
    for (ScatterSums &sum : sums)
      sum.finish();
  }

private:
  using Values = KernelBuilder::Values;
  using Range = mlir::ValueRange;

  // The maxima up to the shared element wait with their places, from the last window to the first.
  void findBefore() {
    Values nothing = each([&](size_t) { return k.constant(kNone); });
    nothing.append(counts.size(), k.splatIndex(shared));
    k.forLoop(k.index(0), windows, 1, nothing, [&](Value i, Range carried) {
      Value o = k.sub(last, i), end = endBefore(o);
      const Values best = k.forLoop(k.index(0), k.sub(end, begin(o)), 1, carried, [&](Value j, Range best) {
        return with(k.sub(k.add(end, -1), j), /*before=*/true, best);
      });
      keep(maxima(best), waiting, o);
      keep(places(best), placesBefore, o);
      return best;
    });
  }

  // The maxima behind it, from the first window to the last. Of windows where those are larger the gradient
  // waits, with the place; of the others it is carried to the elements up to the shared one.
  void findBehind() {
    Values nothing = each([&](size_t) { return k.constant(kNone); });
    nothing.append(counts.size(), k.splatIndex(shared));
    nothing.append(counts.size(), k.constant(0.0f));
    k.forLoop(first, k.add(first, windows), 1, nothing, [&](Value o, Range carried) {
      Values next = k.forLoop(beginBehind(o), end(o), 1, carried.take_front(2 * counts.size()),
                              [&](Value i, Range best) { return with(i, /*before=*/false, best); });
      const Values before = kept(waiting, o), gradient = load(1, lines.out, dy, o);
      const Values larger = each([&](size_t v) { return beats(maxima(next)[v], before[v]); });
      keep(each([&](size_t v) { return k.choose(larger[v], gradient[v], k.constant(0.0f)); }), waiting, o);
      keep(places(next), placesBehind, o);
      const Values sum = each([&](size_t v) {
        return addFloat(k, carried[2 * counts.size() + v],
                        k.choose(larger[v], k.constant(0.0f), gradient[v]));
      });
      next.append(give(begin(o), endBefore(o), kept(placesBefore, o), sum));
      return next;
    });
  }

  void giveBehind() {
    const Values nothing = each([&](size_t) { return k.constant(0.0f); });
    k.forLoop(k.index(0), windows, 1, nothing, [&](Value i, Range carried) {
      Value o = k.sub(last, i);
      const Values more = kept(waiting, o);
      const Values sum = each([&](size_t v) { return addFloat(k, carried[v], more[v]); });
      return give(beginBehind(o), end(o), kept(placesBehind, o), sum);
    });
  }

  // Those of elements [lower, upper) that are at `places` take what is carried; what then remains.
  Values give(Value lower, Value upper, const Values &places, const Values &carried) {
    return k.forLoop(lower, upper, 1, carried, [&](Value i, Range remaining) {
      return each([&](size_t v) {
        Value takes = k.equal(places[v], k.splatIndex(i));
        sums[v].add(i, k.choose(takes, remaining[v], k.constant(0.0f)));
        return k.choose(takes, k.constant(0.0f), remaining[v]);
      });
    });
  }

  // Maxima and their places, with element i, which is before all of theirs or behind.
  Values with(Value i, bool before, Range best) {
    const Values element = load(0, lines.in, x, i);
    Value place = k.splatIndex(i);
    Values values, at;
    for (size_t v = 0; v < counts.size(); ++v) {
      Value old = maxima(best)[v], oldPlace = places(best)[v];
      // The later one of the two, and the earlier one.
      Value wins = before ? beats(old, element[v]) : beats(element[v], old);
      values.push_back(before ? k.choose(wins, old, element[v]) : k.choose(wins, element[v], old));
      at.push_back(before ? k.choose(wins, oldPlace, place) : k.choose(wins, place, oldPlace));
    }
    values.append(at);
    return values;
  }
  Range maxima(Range best) const { return best.take_front(counts.size()); }
  Range places(Range best) const { return best.slice(counts.size(), counts.size()); }

  // Of two maxima the later one is that of both where it is larger, or NaN.
  Value beats(Value later, Value earlier) {
    Value larger = mlir::arith::CmpFOp::create(k.builder(), k.location(), mlir::arith::CmpFPredicate::OGT,
                                               later, earlier);
    return k.either(larger, isNaN(k, later));
  }

  // A window's elements; of those up to the shared one it has [begin, endBefore) beside the next window's, of
  // those behind [beginBehind, end) beside the one's before.
  Value begin(Value o) { return k.max(k.add(k.mul(o, lines.stride), -lines.padding), k.index(0)); }
  Value end(Value o) {
    return k.min(k.add(k.mul(o, lines.stride), lines.size - lines.padding), k.index(lines.in.extent));
  }
  Value endBefore(Value o) { return k.choose(k.equal(o, last), k.add(shared, 1), begin(k.add(o, 1))); }
  Value beginBehind(Value o) { return k.choose(k.equal(o, first), k.add(shared, 1), end(k.add(o, -1))); }

  Values each(llvm::function_ref<Value(size_t v)> body) const {
    Values result;
    for (size_t v = 0; v < counts.size(); ++v)
      result.push_back(body(v));
    return result;
  }
  Values load(unsigned operand, const Lines &of, Value from, Value i) {
    Value at = k.add(from, k.mul(i, of.step));
    return each(
        [&](size_t v) { return k.load(k.operand(operand), k.add(at, int64_t(v) * k.lanes()), counts[v]); });
  }
  Value slot(Value o, size_t v) {
    return k.add(k.mul(k.sub(o, first), lines.width()), int64_t(v) * k.lanes());
  }
  void keep(Range values, Value buffer, Value o) {
    for (size_t v = 0; v < counts.size(); ++v)
      k.store(values[v], buffer, slot(o, v), k.lanes());
  }
  Values kept(Value buffer, Value o) {
    return each([&](size_t v) { return k.load(buffer, slot(o, v), k.lanes()); });
  }

  static constexpr float kNone = -std::numeric_limits<float>::infinity();

  KernelBuilder &k;
  const GradientLines &lines;
  Value task;
  // Of a block's windows: the maximum up to the shared element, later the gradient for those behind it;
  // places.
  Value waiting, placesBefore, placesBehind;
  llvm::ArrayRef<int64_t> counts;
  Value x, dy; // where the line begins
  llvm::SmallVector<ScatterSums, 2> sums;
  Value first, last, windows, shared; // of the block
};

} // namespace

int64_t maxPoolGradientAlongScratch(const AxisPool &pool, const View &dy, const View &dx,
                                    const Target &target) {
  return GradientLines(pool, dy, dx, target).sums.scratch(target);
}

KernelCode maxPoolGradientAlong(const AxisPool &pool, const View &dy, const View &dx, const Target &target) {
  const GradientLines lines(pool, dy, dx, target);
  return makeKernel(
      poolName(pool.axis == 1 ? "max_pool_gradient_along_rows" : "max_pool_gradient_along_columns",
               pool.spec) +
          "_" + dy.name() + "_" + dx.name(),
      lines.tasks(), lines.sums.operands({pool.spec.in.operand(), dy.operand(), dx.operand()}, target),
      [=](KernelBuilder &k, Value task) {
        auto digits = k.split(task, {lines.in.images, lines.in.count, lines.runs.count()});
        LineGradient gradient(k, lines, task);
        overRun(k, lines.runs, digits[2], [&](Value c, llvm::ArrayRef<int64_t> counts) {
          gradient.run(digits[0], digits[1], c, counts);
        });
      });
}

} // namespace vernier::codegen
