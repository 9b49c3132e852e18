// Weighted sums of runs of rows and columns, by tables of where each run begins and of its weights.
#include "codegen/cpu/emit/MapLoops.h"

namespace vernier::codegen {
namespace {

// A table of runs as the kernel's code has it.
struct RunTable {
  Value begins, counts, weights;
  int64_t longest;

  RunTable(KernelBuilder &k, const std::vector<dsl::ResamplingRun> &runs) : longest(dsl::longestRun(runs)) {
    std::vector<int32_t> first, count;
    std::vector<float> numbers;
    for (const dsl::ResamplingRun &run : runs) {
      first.push_back(int32_t(run.begin));
      count.push_back(int32_t(run.weights.size()));
      numbers.insert(numbers.end(), run.weights.begin(), run.weights.end());
      numbers.resize(first.size() * size_t(longest));
    }
    begins = k.table(first);
    counts = k.table(count);
    weights = k.table(numbers);
  }
};

// One of them.
class Run {
public:
  Run(KernelBuilder &k, const RunTable &table, Value i)
      : k(k), table(table), begin(number(table.begins, i)), count(number(table.counts, i)),
        weights(k.mul(i, table.longest)) {}

  using Values = KernelBuilder::Values;
  // The sum of term(position) times its weight.
  Value sum(llvm::function_ref<Value(Value position)> term) const {
    return k.forLoop(k.index(0), count, 1, {k.constant(0.0f)}, [&](Value step, mlir::ValueRange sum) {
      Value weight = k.splat(k.loadScalar(table.weights, k.add(weights, step)));
      return Values{k.fma(term(k.add(begin, step)), weight, sum[0])};
    })[0];
  }

private:
  Value number(Value numbers, Value i) const {
    return mlir::arith::IndexCastOp::create(k.builder(), k.location(), k.builder().getIndexType(),
                                            k.loadScalar(numbers, i));
  }

  KernelBuilder &k;
  const RunTable &table;
  Value begin, count, weights;
};

} // namespace

KernelCode resample(const ResampleProblem &spec, const Target &) {
  const std::string name = std::string("resample_") + nameOf(spec.kind) + "_" +
                           (spec.transposed ? "transposed_" : "") + (spec.alignCorners ? "aligned_" : "") +
                           scaleName(spec.scale) + spec.in.name() + "_to_" + spec.out.name();
  KernelCode kernel;
  kernel.tasks = spec.out.n * spec.out.h * spec.out.w; // a pixel each: pools to few pixels read many
  kernel.definition.name = name;
  kernel.definition.operands = {spec.in.operand(), spec.out.operand()};
  kernel.definition.build = [=](KernelBuilder &k) {
    k.begin(name, {spec.in.operand(), spec.out.operand()});
    const RunTable rows(k, spec.runs(0)), columns(k, spec.runs(1));
    k.forTasks([&](Value pixel) {
      auto digits = k.split(pixel, {spec.out.n, spec.out.h, spec.out.w});
      const Run row(k, rows, digits[1]), column(k, columns, digits[2]);
      k.forChannels(spec.out.c, [&](Value c, int64_t count) {
        Value value = row.sum([&](Value y) {
          return column.sum(
              [&](Value x) { return k.load(k.operand(0), position(k, spec.in, digits[0], y, x, c), count); });
        });
        k.store(value, k.operand(1), k.add(k.mul(pixel, spec.out.pixel), c), count);
      });
    });
    k.end();
  };
  return kernel;
}

} // namespace vernier::codegen
