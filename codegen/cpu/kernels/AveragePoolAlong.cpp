// Averages over windows of one row, or of one column, and their gradients, in time that hardly depends on the
// window's size. As for maxima (MaxPoolAlong.cpp) windows are taken in blocks: a sum up to a place that all
// of a block's windows reach grows from the block's last window to its first, one from there on from the
// first to the last, and each window's sum is the two together. Nothing is subtracted, so that what is not
// finite stays in its windows. Sums are in double; a gradient is a sum over the windows that cover an
// element.
//
// A task owns one block of one line, for a run of channels; of columns, a run of the whole row's numbers.
#include "codegen/cpu/emit/PoolCode.h"

namespace vernier::codegen {
namespace {

// Sums in registers at once, and windows in a block: sums of theirs wait on the stack.
constexpr int64_t kVectorsAtOnce = 4, kMostTogether = 32;

// Ranges [lower(o), upper(o)) of a line's elements, neither of which shrinks with o. `together` of them in a
// row reach a common place.
struct Ranges {
  int64_t together;
  std::function<Value(KernelBuilder &, Value o)> lower, upper;
};

// What each element, or each sum, is multiplied by; none: 1.
using Scale = std::function<Value(KernelBuilder &, Value place)>;

KernelCode rangeSums(std::string name, const View &from, const View &to, int axis, const Ranges &ranges,
                     const Scale &ofElement, const Scale &ofSum, const Target &target) {
  const bool rows = wholeRows(from, to);
  const Lines in = linesOf(from, axis, rows), out = linesOf(to, axis, rows);
  const Runs runs{in.elements, target.lanes, kVectorsAtOnce};
  const int64_t together = std::min({ranges.together, kMostTogether, out.extent});
  const int64_t blocks = ceilDiv(out.extent, together);
  return makeKernel(
      std::move(name), in.images * in.count * blocks * runs.count(), {from.operand(), to.operand()},
      [=](KernelBuilder &k, Value task) {
        auto digits = k.split(task, {in.images, in.count, blocks, runs.count()});
        Value fromLine = startOf(k, in, digits[0], digits[1]), toLine = startOf(k, out, digits[0], digits[1]);
        Value first = k.mul(digits[2], together);
        Value count = k.min(k.index(together), k.sub(k.index(out.extent), first));
        Value last = k.add(k.add(first, count), -1);
        const auto lower = [&](Value o) {
          return k.min(k.max(ranges.lower(k, o), k.index(0)), k.index(in.extent));
        };
        const auto upper = [&](Value o) {
          return k.min(k.max(ranges.upper(k, o), k.index(0)), k.index(in.extent));
        };
        Value shared = lower(last);
        Value waiting = k.localBuffer({together * kVectorsAtOnce * k.lanes(), Element::F64});
        overRun(k, runs, digits[3], [&](Value c, llvm::ArrayRef<int64_t> counts) {
          const auto with = [&](Value begin, Value end, mlir::ValueRange sums) {
            return k.forLoop(begin, end, 1, sums, [&](Value i, mlir::ValueRange carried) {
              Value at = k.add(k.add(fromLine, k.mul(i, in.step)), c);
              Value scale = ofElement ? k.splat(ofElement(k, i)) : Value();
              KernelBuilder::Values result;
              for (size_t v = 0; v < counts.size(); ++v) {
                Value x = k.load(k.operand(0), k.add(at, int64_t(v) * k.lanes()), counts[v]);
                result.push_back(addFloat(k, carried[v], k.wide(scale ? mulFloat(k, x, scale) : x)));
              }
              return result;
            });
          };
          const auto waitingAt = [&](Value i, size_t v) {
            return k.add(k.mul(i, kVectorsAtOnce * k.lanes()), int64_t(v) * k.lanes());
          };
          KernelBuilder::Values none(counts.size(), k.wideConstant(0.0));
          k.forLoop(k.index(0), count, 1, none, [&](Value i, mlir::ValueRange carried) {
            Value o = k.sub(last, i);
            const auto sums = with(lower(o), k.min(lower(k.add(o, 1)), shared), carried);
            for (size_t v = 0; v < counts.size(); ++v)
              k.storeWide(sums[v], waiting, waitingAt(k.sub(o, first), v));
            return sums;
          });
          k.forLoop(k.index(0), count, 1, none, [&](Value i, mlir::ValueRange carried) {
            Value o = k.add(first, i);
            Value begin = k.choose(k.equal(i, k.index(0)), shared, upper(k.add(o, -1)));
            const auto sums = with(begin, upper(o), carried);
            Value scale = ofSum ? k.wide(k.splat(ofSum(k, o))) : Value();
            Value at = k.add(k.add(toLine, k.mul(o, out.step)), c);
            for (size_t v = 0; v < counts.size(); ++v) {
              Value sum = addFloat(k, k.loadWide(waiting, waitingAt(i, v)), sums[v]);
              k.store(k.narrow(scale ? mulFloat(k, sum, scale) : sum), k.operand(1),
                      k.add(at, int64_t(v) * k.lanes()), counts[v]);
            }
            return sums;
          });
        });
      });
}

// 1 / number of elements that window `o` of the axis counts.
Scale reciprocalAlong(const AxisPool &pool) {
  const PoolProblem spec = pool.spec;
  const int axis = pool.axis;
  return [=](KernelBuilder &k, Value o) -> Value {
    if (alwaysInside(spec))
      return k.scalar(1.0f / float(spec.kernel[axis]));
    Window w = window(k, o, spec.stride[axis], spec.padding[2 * axis], spec.kernel[axis],
                      axis == 0 ? spec.in.h : spec.in.w);
    return divFloat(k, k.scalar(1.0f), toFloat(k, countAlong(k, spec, axis, w)));
  };
}

std::string nameAlong(std::string what, const AxisPool &pool) {
  return poolName((what + (pool.axis == 1 ? "_along_rows" : "_along_columns")).c_str(), pool.spec);
}

// Loads, additions and stores of an element of the result, of all parts, for the two sums of each range that
// `each` elements are added to.
template <typename Extent, typename Each>
int64_t accessesAlongAxes(const PoolProblem &spec, Extent extent, Each each) {
  int64_t accesses = 0;
  for (const AxisPool &part : poolAxes(spec))
    accesses += (2 * each(part) + 4) * ceilDiv(extent(part.spec), extent(spec));
  return accesses;
}

} // namespace

std::vector<AxisPool> averageAxes(const PoolProblem &spec) {
  std::vector<AxisPool> parts = poolAxes(spec);
  if (parts.size() == 2)
    parts[0].spec.out.element = parts[1].spec.in.element = Element::F32;
  return parts;
}

bool averageFasterAlongAxes(const PoolProblem &spec) {
  return spec.kernel[0] * spec.kernel[1] >
         2 * accessesAlongAxes(
                 spec, [](const PoolProblem &s) { return s.out.h * s.out.w; },
                 [](const AxisPool &part) {
                   return std::min(part.spec.stride[part.axis], part.spec.kernel[part.axis]);
                 });
}

// An element is in one window of an axis more, or less, than its neighbour: where that goes to and fro along
// a row, each change of a loop's length costs about as much as the loop.
bool averageGradientFasterAlongAxes(const PoolProblem &spec) {
  const int64_t changes = spec.kernel[1] % spec.stride[1] == 0 ? 1 : 4;
  return changes * ceilDiv(spec.kernel[0], spec.stride[0]) * ceilDiv(spec.kernel[1], spec.stride[1]) >
         2 * accessesAlongAxes(
                 spec, [](const PoolProblem &s) { return s.in.h * s.in.w; },
                 [](const AxisPool &) { return 1; });
}

KernelCode averagePoolAlong(const AxisPool &pool, const Target &target) {
  const PoolProblem &spec = pool.spec;
  const int64_t size = spec.kernel[pool.axis], stride = spec.stride[pool.axis],
                padding = spec.padding[2 * pool.axis];
  const auto lower = [=](KernelBuilder &k, Value o) { return k.add(k.mul(o, stride), -padding); };
  const auto upper = [=](KernelBuilder &k, Value o) { return k.add(k.mul(o, stride), size - padding); };
  return rangeSums(nameAlong("average_pool", pool), spec.in, spec.out, pool.axis,
                   {size / stride + 1, lower, upper}, {}, reciprocalAlong(pool), target);
}

KernelCode averagePoolGradientAlong(const AxisPool &pool, const Target &target) {
  const PoolProblem &spec = pool.spec;
  const int64_t size = spec.kernel[pool.axis], stride = spec.stride[pool.axis],
                padding = spec.padding[2 * pool.axis];
  // The windows that cover an element.
  const auto lower = [=](KernelBuilder &k, Value i) {
    return k.ceilDiv(k.add(i, padding - size + 1), stride);
  };
  const auto upper = [=](KernelBuilder &k, Value i) {
    return k.add(k.floorDiv(k.add(i, padding), stride), 1);
  };
  return rangeSums(nameAlong("average_pool_gradient", pool), spec.out, spec.in, pool.axis,
                   {size + 1, lower, upper}, reciprocalAlong(pool), {}, target);
}

} // namespace vernier::codegen
