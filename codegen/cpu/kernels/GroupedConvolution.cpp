// Convolutions of which a vector holds several groups, depthwise ones included: lanes hold the channels of
// several whole groups, and the inputs of a group reach its lanes by shuffles within the vector instead of
// broadcasts.
#include "codegen/cpu/emit/BFloat16Code.h"
#include "codegen/cpu/emit/EpilogueCode.h"
#include "codegen/cpu/emit/MapLoops.h"
#include "codegen/cpu/emit/SumCode.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

// Output pixels whose accumulators are in registers together.
constexpr int64_t kPixels = 8;

// Lane j takes the pair of inputs `c` and `c` + 1 of its own group.
llvm::SmallVector<int64_t> groupPairs(int64_t lanes, const GroupedWeights &weights, int64_t c) {
  llvm::SmallVector<int64_t> result = groupLanes(lanes, weights.inputs, weights.outputs, c);
  for (int64_t &channel : result)
    channel /= 2;
  return result;
}

bool inside(const GroupedSpec &spec, int64_t x, int64_t tap) {
  const int64_t position =
      x * spec.columns.inStep + spec.columns.taps.offset + tap * spec.columns.taps.offsetStep;
  return position >= 0 && position < spec.in.w;
}

struct Emitter {
  const GroupedSpec &spec;
  KernelBuilder &k;
  EpilogueCode epilogue;
  Value input, weights, output;
  SumBlocks blocks;
  TileTotals totals;

  using Inside = std::vector<std::vector<bool>>; // [tap][pixel]

  Inside insideOf(int64_t x, int64_t pixels) const {
    Inside result;
    for (int64_t s = 0; s < spec.columns.taps.count; ++s) {
      result.emplace_back();
      for (int64_t p = 0; p < pixels; ++p)
        result.back().push_back(inside(spec, x + p, s));
    }
    return result;
  }

  // Adds a block's sums to the totals; the next block's begin with 0.
  KernelBuilder::Values endBlock(const KernelBuilder::Values &sums) {
    for (auto [p, sum] : llvm::enumerate(sums))
      totals.add(int64_t(p), sum);
    return KernelBuilder::Values(sums.size(), k.constant(0.0f));
  }

  // A vector of groups: where its channels begin, how many outputs it has, and how many inputs are read.
  struct Groups {
    Value input, channel, weights;
    int64_t count, loaded;
  };

  void tile(const Inside &valid, int64_t pixels, Value n, Value oy, Value x, const Groups &groups) {
    const int64_t lanes = k.lanes(), m = spec.weights.inputs, together = spec.weights.inputsTogether();
    const int64_t count = groups.count, loaded = groups.loaded;
    Value channel = groups.channel;
    const bool pairs = together == 2;
    const Taps &rows = spec.rows.taps, &columns = spec.columns.taps;
    KernelBuilder::Values acc(pixels, epilogue.start(channel, count));
    if (blocks.block) {
      for (int64_t p = 0; p < pixels; ++p)
        totals.start(p, acc[p]);
      acc.assign(pixels, k.constant(0.0f));
    }
    if (rows.count > 0 && columns.count > 0) {
      Value first = k.add(k.mul(oy, spec.rows.inStep), rows.offset);
      Value lower = k.max(k.index(0), k.ceilDiv(k.sub(k.index(0), first), rows.offsetStep));
      Value upper = k.min(k.index(rows.count), k.ceilDiv(k.sub(k.index(spec.in.h), first), rows.offsetStep));
      const auto addRow = [&](Value r, mlir::ValueRange carried) {
        KernelBuilder::Values next(carried);
        Value iy = k.add(first, k.mul(r, rows.offsetStep));
        Value rowIn = k.add(k.add(k.mul(n, spec.in.image()), k.mul(iy, spec.in.row())), groups.input);
        Value weightRow = k.add(k.mul(r, rows.indexStep), rows.index);
        int64_t inBlock = 0;
        for (int64_t s = 0; s < columns.count; ++s, inBlock += m) {
          if (blocks.block && inBlock + m > blocks.block) {
            next = endBlock(next);
            inBlock = 0;
          }
          Value ix = k.add(k.mul(x, spec.columns.inStep), columns.offset + s * columns.offsetStep);
          Value from = k.add(rowIn, k.mul(ix, spec.in.pixel));
          Value tap = k.add(k.mul(weightRow, spec.weights.columns), columns.index + s * columns.indexStep);
          Value at = k.add(groups.weights, k.mul(tap, m * lanes));
          llvm::SmallVector<Value> w;
          for (int64_t c = 0; c < m; c += together) {
            Value from = k.add(at, c * lanes);
            w.push_back(pairs ? loadPairs(k, weights, from) : k.load(weights, from, lanes));
          }
          for (int64_t p = 0; p < pixels; ++p) {
            if (!valid[s][p])
              continue;
            Value pixelFrom = k.add(from, p * spec.columns.inStep * spec.in.pixel);
            if (pairs) {
              for (int64_t c = 0; c < m; c += 2) {
                Value a = loadPermutedPairs(k, input, pixelFrom, loaded, groupPairs(lanes, spec.weights, c));
                next[p] = dotPairs(k, a, w[c / 2], next[p]);
              }
              continue;
            }
            Value pixel = k.load(input, pixelFrom, loaded);
            for (int64_t c = 0; c < m; ++c)
              next[p] = k.fma(m == 1 && spec.weights.outputs == 1
                                  ? pixel
                                  : k.shuffle(pixel, groupLanes(lanes, m, spec.weights.outputs, c)),
                              w[c], next[p]);
          }
        }
        return next;
      };
      const auto overRows = [&](Value first, Value last) { return k.forLoop(first, last, 1, acc, addRow); };
      if (blocks.block) {
        const int64_t together = std::max<int64_t>(1, blocks.block / (columns.count * m)); // rows
        k.forLoop(lower, upper, together,
                  [&](Value first) { endBlock(overRows(first, k.min(k.add(first, together), upper))); });
        for (int64_t p = 0; p < pixels; ++p)
          acc[p] = totals.result(p);
      } else {
        acc = overRows(lower, upper);
      }
    }
    Value outY = k.add(k.mul(oy, spec.rows.outStep), spec.rows.outStart);
    Value outX = k.add(k.mul(x, spec.columns.outStep), spec.columns.outStart);
    llvm::SmallVector<EpilogueCode::Pixel> stored;
    for (int64_t p = 0; p < pixels; ++p) {
      const int64_t offset = p * spec.columns.outStep;
      Value toX = k.add(outX, offset);
      Value value = epilogue.finish(acc[p], n, outY, outX, offset, channel, count);
      k.store(value, output, position(k, spec.out, n, outY, toX, channel), count);
      stored.push_back({outY, toX, value});
    }
    epilogue.addToSums(n, stored, channel, count);
  }

  void row(Value n, Value oy, const Groups &groups) {
    const int64_t total = spec.columns.count;
    epilogue.beginSums(k.add(k.mul(n, spec.rows.count), oy), groups.channel, 1);
    for (int64_t x = 0; x < total;) {
      const int64_t pixels = std::min(kPixels, total - x);
      Inside valid = insideOf(x, pixels);
      int64_t end = x + pixels;
      while (pixels == kPixels && end + kPixels <= total && insideOf(end, kPixels) == valid)
        end += kPixels;
      k.forLoop(x, end, pixels, [&](Value at) { tile(valid, pixels, n, oy, at, groups); });
      x = end;
    }
  }
};

std::string axisName(const Axis &a, int64_t extent) {
  const Taps &t = a.taps;
  std::string name;
  for (int64_t value :
       {t.count, a.inStep, t.offset, t.offsetStep, t.index, t.indexStep, a.outStart, a.outStep})
    name += (name.empty() ? "" : "_") + (value < 0 ? "m" + std::to_string(-value) : std::to_string(value));
  return a.coversAll(extent) ? name : name + "n" + std::to_string(a.count);
}

// Of a group's inputs and outputs.
std::string widthName(const GroupedWeights &w) {
  return std::to_string(w.inputs) + (w.inputs == w.outputs ? "" : "to" + std::to_string(w.outputs));
}

} // namespace

llvm::SmallVector<int64_t> groupLanes(int64_t lanes, int64_t inputs, int64_t outputs, int64_t c) {
  llvm::SmallVector<int64_t> result;
  for (int64_t j = 0; j < lanes; ++j)
    result.push_back(std::min(j / outputs * inputs + c, lanes - 1));
  return result;
}

bool fitsGrouped(int64_t inputs, int64_t outputs, int64_t groups, const Target &target) {
  return groups > 1 && 2 * std::max(inputs, outputs) <= groups * target.lanes;
}

KernelCode groupedConvolution(const GroupedSpec &spec, const Target &target) {
  const GroupedWeights &w = spec.weights;
  const int64_t together = w.groupsTogether(target.lanes), vectors = w.vectors(target.lanes);
  const int64_t rest = w.groups - (vectors - 1) * together;
  KernelCode kernel;
  kernel.tasks = spec.in.n * vectors * spec.rows.count;
  kernel.definition.name = "grouped" + widthName(w) + "_conv" + axisName(spec.rows, spec.out.h) + "x" +
                           axisName(spec.columns, spec.out.w) + "_" + spec.in.name() + "_to_" +
                           spec.out.name() + "_w" + std::to_string(spec.weights.rows) + "x" +
                           std::to_string(spec.weights.columns) +
                           (spec.in.element == Element::BF16 ? "_bf16x" : "_f32x") +
                           std::to_string(target.lanes) + spec.epilogue.name();
  kernel.definition.operands = EpilogueCode::operands({spec.in.operand(), spec.weights.operand(target.lanes)},
                                                      spec.epilogue, spec.out, spec.parts(), target);
  kernel.definition.build = [spec, together, vectors, rest, name = kernel.definition.name,
                             operands = kernel.definition.operands](KernelBuilder &k) {
    k.begin(name, operands);
    EpilogueCode epilogue(k, spec.epilogue, 2, spec.out.c, spec.columns.outStep == 1 ? kPixels : 1);
    const SumBlocks blocks = sumBlocks(spec.weights.inputs * spec.rows.taps.count * spec.columns.taps.count);
    const TileTotals totals(k, blocks, kPixels);
    Emitter emit{spec, k, epilogue, k.operand(0), k.operand(1), epilogue.output(), blocks, totals};
    k.forTasks([&](Value task) {
      auto digits = k.split(task, {spec.in.n, vectors, spec.rows.count});
      const GroupedWeights &w = spec.weights;
      const auto row = [&](int64_t groups, int64_t loaded) {
        emit.row(digits[0], digits[2],
                 {k.mul(digits[1], together * w.inputs), k.mul(digits[1], together * w.outputs),
                  k.mul(digits[1], k.lanes() * w.elementsPerLane()), groups * w.outputs, loaded});
      };
      // Whole vectors are read where those behind have as many inputs as lanes are left unused.
      const int64_t used = together * w.inputs, behind = rest * w.inputs;
      const int64_t loaded = used + behind >= k.lanes() ? k.lanes() : used;
      const auto whole = [&] { row(together, loaded); };
      const auto partial = [&] { row(rest, behind); };
      if (rest == together && loaded == used)
        whole();
      else if (vectors == 1)
        partial();
      else
        k.ifThen(k.less(digits[1], k.index(vectors - 1)), whole, partial);
    });
    k.end();
  };
  return kernel;
}

KernelCode packGroupedWeights(const GroupedWeights &weights, bool transposed, const Target &target) {
  const int64_t spatial = weights.rows * weights.columns, inputs = weights.inputs, outputs = weights.outputs;
  const int64_t lanes = target.lanes, together = weights.inputsTogether();
  const int64_t perVector = weights.groupsTogether(lanes);
  KernelCode kernel;
  kernel.tasks = weights.vectors(lanes);
  kernel.definition.name = "pack_grouped" + widthName(weights) + (transposed ? "_transposed_" : "_") +
                           std::to_string(weights.groups * outputs) + "x" + std::to_string(weights.rows) +
                           "x" + std::to_string(weights.columns) + "x" + std::to_string(lanes) +
                           elementSuffix(weights.element);
  kernel.definition.operands = {{weights.groups * inputs * outputs * spatial}, weights.operand(lanes)};
  kernel.definition.build = [=, groups = weights.groups, name = kernel.definition.name,
                             operands = kernel.definition.operands](KernelBuilder &k) {
    k.begin(name, operands);
    k.forTasks([&](Value vector) {
      k.forLoop(0, spatial, 1, [&](Value tap) {
        k.forLoop(0, inputs, 1, [&](Value c) {
          k.forLoop(0, lanes, 1, [&](Value lane) {
            Value wanted = k.add(k.mul(vector, perVector), k.div(lane, outputs));
            Value group = k.min(wanted, k.index(groups - 1)), within = k.rem(lane, outputs);
            // Stored as O x I/groups x R x S; transposed, the inputs here are the stored outputs.
            Value row = k.add(k.mul(group, transposed ? inputs : outputs), transposed ? c : within);
            Value column = transposed ? within : c;
            Value at = k.add(k.mul(k.add(k.mul(row, transposed ? outputs : inputs), column), spatial), tap);
            Value used = k.both(k.less(lane, k.index(perVector * outputs)), k.less(wanted, k.index(groups)));
            Value value = k.choose(used, k.loadScalar(k.operand(0), at), k.scalar(0.0f));
            Value part = k.rem(c, together), firstTogether = k.sub(c, part);
            Value to = k.mul(k.add(k.mul(k.add(k.mul(vector, spatial), tap), inputs), firstTogether), lanes);
            to = k.add(k.add(to, k.mul(lane, together)), part);
            k.storeScalar(value, k.operand(1), to);
          });
        });
      });
    });
    k.end();
  };
  return kernel;
}

} // namespace vernier::codegen
