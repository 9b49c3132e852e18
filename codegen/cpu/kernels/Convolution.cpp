// Register-tiled direct convolution. A tile of output pixels x output channels stays in vector registers
// while the loop over (r, s, c) streams packed weights past broadcast inputs; nothing is copied and padding
// costs nothing, because the tiles at the left and right border are their own code, without the taps that
// fall outside.
#include "codegen/cpu/emit/BFloat16Code.h"
#include "codegen/cpu/emit/EpilogueCode.h"
#include "codegen/cpu/emit/MapLoops.h"
#include "codegen/cpu/emit/SumCode.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace vernier::codegen {
namespace {

// Products of one float32 sum: 3x3 kernels over 512 channels are not cut.
constexpr int64_t kUncutConvolution = 4608;

// Pixels per tile: what the register file holds beside `vectors` weights and one broadcast input, both in two
// halves where pairs of bfloat16 are multiplied in float32.
int64_t mostPixels(int64_t vectors, Element element, const Target &target) {
  const int64_t halves = element == Element::BF16 && !target.bfloat16Dot ? 2 : 1;
  const int64_t sums = std::min<int64_t>(28, target.registers - halves * (vectors + 1));
  return std::max<int64_t>(1, sums / vectors);
}

// Pixels that a first-level cache holds at once: `stride` bytes apart, a power of two maps them to few sets,
// and every broadcast would miss.
int64_t cachedPixels(int64_t stride, const MachineModel &machine) {
  if (stride % machine.line != 0)
    return INT64_MAX;
  // One way is left to weights and outputs.
  return (machine.ways - 1) * (machine.sets / std::gcd(machine.sets, stride / machine.line));
}

// Quarter cycles of one step over c when a vector multiply-add takes one cycle: two chains of four cycles
// must be hidden, each vector of weights costs a load, and each pixel part of one.
int64_t stepCost(int64_t pixels, int64_t vectors) {
  return pixels == 0 || vectors == 0 ? 0 : 4 * std::max<int64_t>(pixels * vectors, 8) + 4 * vectors + pixels;
}

// `wide`: of blocks that cost about the same the widest, which writes, and whose epilogue reads, longer runs.
Tile chooseTile(int64_t columns, int64_t outputs, int64_t inputStride, Element element, bool wide,
                const Target &target) {
  Tile best;
  int64_t bestCost = INT64_MAX, leastCost = INT64_MAX / 32;
  const int64_t allVectors = ceilDiv(outputs, target.lanes);
  for (int64_t vectors = 1; vectors <= std::min<int64_t>(4, allVectors); ++vectors)
    for (int64_t pixels = std::min(
             {columns, mostPixels(vectors, element, target), cachedPixels(inputStride, target.machine)});
         pixels >= 1; --pixels) {
      const auto row = [&](int64_t width) {
        return columns / pixels * stepCost(pixels, width) + stepCost(columns % pixels, width);
      };
      const int64_t cost = allVectors / vectors * row(vectors) + row(allVectors % vectors);
      const bool wider = wide && vectors > best.vectors;
      if (wider ? 16 * cost <= 17 * leastCost : cost < bestCost) {
        bestCost = cost;
        best = {pixels, vectors};
      }
      leastCost = std::min(leastCost, cost);
    }
  return best;
}

// Rows and columns of taps seen from one residue of the input position: the transposed convolution.
Taps transposedTaps(int64_t residue, int64_t size, int64_t stride, int64_t padding, int64_t dilation) {
  Taps taps;
  taps.count = 0;
  // Tap r feeds input position i from output position (i + padding - r * dilation) / stride. Larger r,
  // smaller offset: counted downwards so that offsets grow.
  for (int64_t r = size - 1; r >= 0; --r) {
    const int64_t position = residue + padding - r * dilation;
    if (((position % stride) + stride) % stride != 0)
      continue;
    const int64_t offset = position / stride;
    if (taps.count == 0) {
      taps.offset = offset;
      taps.index = r;
    } else if (taps.count == 1) {
      taps.offsetStep = offset - taps.offset;
      taps.indexStep = r - taps.index;
    }
    ++taps.count;
  }
  return taps;
}

// Bytes between the inputs of neighbouring outputs.
int64_t inputStride(const ConvolutionSpec &spec) {
  return elementBytes(spec.in.element) * spec.in.pixel * spec.columns.inStep;
}

void chooseTile(ConvolutionSpec &spec, const Target &target) {
  spec.weights.element = spec.in.element;
  spec.tile = chooseTile(spec.columns.count, spec.weights.outputs, inputStride(spec), spec.in.element,
                         spec.columns.count >= target.machine.longRow, target);
}

// Of weights and inputs, the kind of data that is larger streams once, or in few pieces.
void chooseOrder(ConvolutionSpec &spec, const MachineModel &machine) {
  const int64_t element = elementBytes(spec.in.element);
  const int64_t weightBytes = element * spec.weights.groupElements();
  const int64_t inputBytes = element * spec.in.size() / spec.in.n;
  spec.weightsOuter = weightBytes * spec.weights.groups > inputBytes;
  spec.rowGroup = 0;
  if (spec.weightsOuter)
    return;
  // Each group of rows passes over the weights, each block of weights over the rows of a group.
  const int64_t blocks = ceilDiv(spec.weights.outputs, spec.weights.block()), rowTasks = spec.rowTasks();
  int64_t leastBytes = INT64_MAX;
  for (int64_t rowGroup = rowTasks; rowGroup >= 1; --rowGroup) {
    if (rowTasks % rowGroup != 0)
      continue;
    const int64_t groups = rowTasks / rowGroup;
    const int64_t bytes = inputBytes * (inputBytes <= groups * machine.keptBytes ? 1 : blocks) +
                          weightBytes * (weightBytes <= machine.keptBytes ? 1 : groups);
    if (bytes <= leastBytes) {
      leastBytes = bytes;
      spec.rowGroup = rowGroup;
    }
  }
}

// Whether each pixel of the result is made of one of the input, so that all are one row.
bool isPointwise(const View &in, const View &out, std::array<int64_t, 2> kernel,
                 std::array<int64_t, 2> stride, std::array<int64_t, 2> padding) {
  const auto all = [](const std::array<int64_t, 2> &values, int64_t value) {
    return values == std::array<int64_t, 2>{value, value};
  };
  return all(kernel, 1) && all(stride, 1) && all(padding, 0) && in.h == out.h && in.w == out.w;
}

struct Emitter {
  const ConvolutionSpec &spec;
  KernelBuilder &k;
  EpilogueCode epilogue;
  Value input, weights, output;
  SumBlocks blocks;
  TileTotals totals;

  const PackedWeights &packed() const { return spec.weights; }

  bool rowsAlwaysInside() const {
    const Axis &a = spec.rows;
    const int64_t last = (a.count - 1) * a.inStep + a.taps.offset + (a.taps.count - 1) * a.taps.offsetStep;
    return a.taps.offset >= 0 && last < spec.in.h;
  }

  // Whether the inputs of a long row's next tile come from memory, a few with each step over this one's: in
  // the order of the tile's own reads the hardware does not foresee them.
  bool asksAhead() const {
    return spec.chunk && 8 * spec.in.pixel <= 9 * packed().inputs &&
           spec.in.bytes() > k.getTarget().machine.keptBytes;
  }

  bool columnInside(int64_t x, int64_t tap) const {
    const int64_t position =
        x * spec.columns.inStep + spec.columns.taps.offset + tap * spec.columns.taps.offsetStep;
    return position >= 0 && position < spec.in.w;
  }

  // One tile: `pixels` outputs from column `x`, `vectors` vectors of channels from `channel` of the group;
  // `inside` says for each tap and pixel whether it lies in the input.
  struct TileCode {
    int64_t pixels, vectors, tailCount; // tailCount: channels of the last vector
    std::vector<std::vector<bool>> inside;
  };

  void tile(const TileCode &code, Value n, Value imageIn, Value oy, Value x, Value weightBase,
            Value channel) {
    const int64_t lanes = k.lanes(), P = code.pixels, V = code.vectors;
    const auto count = [&](int64_t v) { return v + 1 == V ? code.tailCount : lanes; };
    KernelBuilder::Values acc;
    llvm::SmallVector<Value> start;
    for (int64_t v = 0; v < V; ++v)
      start.push_back(epilogue.start(k.add(channel, v * lanes), count(v)));
    for (int64_t p = 0; p < P; ++p)
      acc.append(start.begin(), start.end());
    if (blocks.block) {
      for (int64_t i = 0; i < P * V; ++i)
        totals.start(i, acc[i]);
      acc.assign(P * V, k.constant(0.0f));
    }

    Value outY = k.add(k.mul(oy, spec.rows.outStep), spec.rows.outStart);
    Value outX = k.add(k.mul(x, spec.columns.outStep), spec.columns.outStart);
    // The lines of a large result come from memory while the products are computed, not when it is stored.
    if (spec.out.bytes() > k.getTarget().machine.keptBytes)
      for (int64_t p = 0; p < P; ++p)
        for (int64_t v = 0; v < V; ++v)
          k.prefetchForWrite(output, position(k, spec.out, n, outY, k.add(outX, p * spec.columns.outStep),
                                              k.add(channel, v * lanes)));
    const Taps &taps = spec.rows.taps;
    const auto overRow = [&](Value r, KernelBuilder::Values acc) {
      Value iy = k.add(k.add(k.mul(oy, spec.rows.inStep), taps.offset), k.mul(r, taps.offsetStep));
      Value rowIn = k.add(imageIn, k.mul(iy, spec.in.row()));
      Value weightRow = k.add(k.mul(r, taps.indexStep), taps.index);
      return overColumns(code, rowIn, weightRow, x, weightBase, std::move(acc));
    };
    if (taps.count == 1 && rowsAlwaysInside()) {
      acc = endBlock(overRow(k.index(0), std::move(acc)));
    } else if (taps.count > 0) {
      Value lower = k.index(0), upper = k.index(taps.count);
      if (!rowsAlwaysInside()) {
        Value first = k.add(k.mul(oy, spec.rows.inStep), taps.offset);
        lower = k.max(lower, k.ceilDiv(k.sub(k.index(0), first), taps.offsetStep));
        upper = k.min(upper, k.ceilDiv(k.sub(k.index(spec.in.h), first), taps.offsetStep));
      }
      const auto overRows = [&](Value first, Value last, KernelBuilder::Values acc) {
        return k.forLoop(first, last, 1, acc, [&](Value r, mlir::ValueRange carried) {
          return overRow(r, KernelBuilder::Values(carried));
        });
      };
      const int64_t products = spec.columns.taps.count * packed().inputs;
      if (!blocks.block)
        acc = overRows(lower, upper, std::move(acc));
      else if (2 * products <= blocks.block)
        k.forLoop(lower, upper, blocks.block / products, [&](Value first) {
          endBlock(overRows(first, k.min(k.add(first, blocks.block / products), upper), acc));
        });
      else
        k.forLoop(lower, upper, 1, [&](Value r) { endBlock(overRow(r, acc)); });
    }
    if (blocks.block)
      for (int64_t i = 0; i < P * V; ++i)
        acc[i] = totals.result(i);

    llvm::SmallVector<Value> columns;
    for (int64_t p = 0; p < P; ++p)
      columns.push_back(k.add(outX, p * spec.columns.outStep));
    for (int64_t p = 0; p < P; ++p)
      for (int64_t v = 0; v < V; ++v) {
        Value toChannel = k.add(channel, v * lanes), &value = acc[p * V + v];
        value = epilogue.finish(value, n, outY, outX, p * spec.columns.outStep, toChannel, count(v));
        k.store(value, output, position(k, spec.out, n, outY, columns[p], toChannel), count(v));
      }
    for (int64_t v = 0; v < V; ++v) {
      llvm::SmallVector<EpilogueCode::Pixel> pixels;
      for (int64_t p = 0; p < P; ++p)
        pixels.push_back({outY, columns[p], acc[p * V + v]});
      epilogue.addToSums(n, pixels, k.add(channel, v * lanes), count(v));
    }
  }

  // Adds a block's sums to the totals; the next block's begin with 0.
  KernelBuilder::Values endBlock(KernelBuilder::Values acc) {
    if (!blocks.block)
      return acc;
    for (auto [i, sum] : llvm::enumerate(acc))
      totals.add(int64_t(i), sum);
    return KernelBuilder::Values(acc.size(), k.constant(0.0f));
  }

  KernelBuilder::Values overColumns(const TileCode &code, Value rowIn, Value weightRow, Value x,
                                    Value weightBase, KernelBuilder::Values acc) {
    const Taps &taps = spec.columns.taps;
    const int64_t C = packed().inputs;
    const bool padded = packed().paddedInputs() > C;
    // Taps that the same pixels have, side by side in the input and in the weights, are one run of
    // multiply-adds.
    const bool sideBySide = taps.offsetStep == 1 && taps.indexStep == 1 && spec.in.pixel == C && !padded;
    const auto multiplyTap = [&](Value s, llvm::ArrayRef<int64_t> valid, int64_t count,
                                 KernelBuilder::Values sums) {
      Value ix = k.add(k.add(k.mul(x, spec.columns.inStep), taps.offset), k.mul(s, taps.offsetStep));
      Value from = k.add(rowIn, k.mul(ix, spec.in.pixel));
      Value tap = k.add(k.add(k.mul(weightRow, packed().columns), taps.index), k.mul(s, taps.indexStep));
      Value weightTap = k.add(weightBase, k.mul(tap, packed().paddedInputs() * code.vectors * k.lanes()));
      return multiplyAdds(code, valid, from, weightTap, count, std::move(sums));
    };
    int64_t run = 1, inBlock = 0; // products
    for (int64_t s = 0; s < taps.count; s += run) {
      run = 1;
      while ((sideBySide || padded) && s + run < taps.count && code.inside[s + run] == code.inside[s])
        ++run;
      llvm::SmallVector<int64_t> valid;
      for (int64_t p = 0; p < code.pixels; ++p)
        if (code.inside[s][p])
          valid.push_back(p);
      if (valid.empty())
        continue;
      if (inBlock > 0 && inBlock + run * C > blocks.block) {
        acc = endBlock(std::move(acc));
        inBlock = 0;
      }
      inBlock += run * C;
      if (sideBySide || run == 1)
        acc = multiplyTap(k.index(s), valid, run * C, std::move(acc));
      else if (blocks.block && run * C > blocks.block)
        k.forLoop(s, s + run, 1, [&](Value tap) { endBlock(multiplyTap(tap, valid, C, acc)); });
      else // few channels in pairs: all taps in a row the compiler would reorder, and spill sums
        acc = k.forLoop(k.index(s), k.index(s + run), 1, acc, [&](Value tap, mlir::ValueRange carried) {
          return multiplyTap(tap, valid, C, KernelBuilder::Values(carried));
        });
    }
    return acc;
  }

  // Adds the products of `count` weights in a row with the inputs in a row of each valid pixel; bfloat16 ones
  // in pairs, the last of an odd number with the one before it, each of whose two pairs has half of its
  // weight. Where they are several blocks, `acc` is 0 and what is returned belongs to the last one.
  KernelBuilder::Values multiplyAdds(const TileCode &code, llvm::ArrayRef<int64_t> valid, Value from,
                                     Value weightsFrom, int64_t count, KernelBuilder::Values acc) {
    const int64_t V = code.vectors, together = packed().inputsTogether();
    const bool pairs = together == 2;
    KernelBuilder::Values part;
    for (int64_t p : valid)
      part.append(acc.begin() + p * V, acc.begin() + (p + 1) * V);
    const auto step = [&](Value c, mlir::ValueRange carried, int64_t before) {
      KernelBuilder::Values next(carried);
      llvm::SmallVector<Value> w;
      Value at = k.add(weightsFrom, k.mul(c, V * k.lanes()));
      for (int64_t v = 0; v < V; ++v) {
        Value from = k.add(at, v * together * k.lanes());
        w.push_back(pairs ? loadPairs(k, weights, from) : k.load(weights, from, k.lanes()));
      }
      Value channelIn = k.add(from, c);
      for (size_t i = 0; i < valid.size(); ++i) {
        const int64_t offset = valid[i] * spec.columns.inStep * spec.in.pixel;
        Value from = k.add(channelIn, offset - before);
        Value a = !pairs       ? k.splat(k.loadScalar(input, from))
                  : count == 1 ? broadcastSecond(k, input, from)
                               : broadcastPair(k, input, from);
        for (int64_t v = 0; v < V; ++v) {
          Value &sum = next[i * V + v];
          sum = pairs ? dotPairs(k, a, w[v], sum) : k.fma(a, w[v], sum);
        }
      }
      if (asksAhead()) {
        const int64_t each = ceilDiv(code.pixels * spec.in.pixel, count);
        Value ahead = k.add(from, code.pixels * spec.in.pixel);
        for (int64_t i = 0; i < each * together;
             i += k.getTarget().machine.line / elementBytes(spec.in.element))
          k.prefetch(input, k.add(k.add(ahead, k.mul(c, each)), i));
      }
      return next;
    };
    const int64_t whole = count / together * together;
    const auto products = [&](Value first, Value last, KernelBuilder::Values sums) {
      return k.forLoop(first, last, together, sums,
                       [&](Value c, mlir::ValueRange carried) { return step(c, carried, 0); });
    };
    if (blocks.block && whole > blocks.block)
      k.forLoop(0, whole, blocks.block, [&](Value first) {
        const auto sums = products(first, k.min(k.add(first, blocks.block), k.index(whole)), part);
        for (size_t i = 0; i < sums.size(); ++i)
          totals.add(valid[i / V] * V + i % V, sums[i]);
      });
    else
      part = products(k.index(0), k.index(whole), std::move(part));
    if (whole < count)
      part = step(k.index(whole), part, count > 1);
    for (size_t i = 0; i < valid.size(); ++i)
      std::copy_n(part.begin() + i * V, V, acc.begin() + valid[i] * V);
    return acc;
  }

  TileCode tileCode(int64_t x, int64_t pixels, int64_t vectors, int64_t tailCount) const {
    TileCode code{pixels, vectors, tailCount, {}};
    for (int64_t s = 0; s < spec.columns.taps.count; ++s) {
      std::vector<bool> row;
      for (int64_t p = 0; p < pixels; ++p)
        row.push_back(columnInside(x + p, s));
      code.inside.push_back(row);
    }
    return code;
  }

  // The output row of one block of channels: runs of tiles that share their code become loops.
  void row(int64_t vectors, int64_t tailCount, Value n, Value imageIn, Value oy, Value chunk,
           Value weightBase, Value channel) {
    const int64_t P = spec.tile.pixels, columns = spec.columns.count;
    epilogue.beginSums(k.add(k.mul(n, spec.rowTasks()), chunk), channel, vectors);
    if (spec.chunk) {
      const int64_t whole = columns / P * P, rest = columns - whole;
      Value first = k.mul(chunk, spec.chunk);
      Value last = k.min(k.add(first, spec.chunk), k.index(whole));
      if (whole > 0)
        k.forLoop(first, last, P, [&](Value x) {
          tile(tileCode(0, P, vectors, tailCount), n, imageIn, oy, x, weightBase, channel);
        });
      if (rest > 0)
        k.ifThen(k.equal(chunk, k.index(ceilDiv(columns, spec.chunk) - 1)), [&] {
          tile(tileCode(whole, rest, vectors, tailCount), n, imageIn, oy, k.index(whole), weightBase,
               channel);
        });
      return;
    }
    for (int64_t x = 0; x < columns;) {
      TileCode code = tileCode(x, std::min(P, columns - x), vectors, tailCount);
      int64_t end = x + code.pixels;
      while (end + P <= columns && code.pixels == P &&
             tileCode(end, P, vectors, tailCount).inside == code.inside)
        end += P;
      k.forLoop(x, end, P, [&](Value at) { tile(code, n, imageIn, oy, at, weightBase, channel); });
      x = end;
    }
  }
};

// Of an axis along which the output has `extent` positions.
std::string axisName(const Axis &axis, int64_t extent) {
  const Taps &t = axis.taps;
  const auto text = [](int64_t value) {
    return value < 0 ? "m" + std::to_string(-value) : std::to_string(value);
  };
  return std::to_string(t.count) + "s" + std::to_string(axis.inStep) + "p" + text(-t.offset) + "d" +
         text(t.offsetStep) +
         (t.index || t.indexStep != 1 ? "i" + text(t.index) + "_" + text(t.indexStep) : std::string()) +
         (axis.outStep != 1 || axis.outStart ? "o" + text(axis.outStart) + "_" + text(axis.outStep)
                                             : std::string()) +
         (axis.coversAll(extent) ? std::string() : "n" + std::to_string(axis.count));
}

} // namespace

std::string PackedWeights::name() const {
  return (groups > 1 ? "g" + std::to_string(groups) + "_" : std::string()) + std::to_string(outputs) + "x" +
         std::to_string(inputs) + "x" + std::to_string(rows) + "x" + std::to_string(columns) + "_b" +
         std::to_string(block()) + elementSuffix(element);
}

ConvolutionSpec convolutionForward(const View &in, const View &out, std::array<int64_t, 2> kernel,
                                   std::array<int64_t, 2> stride, std::array<int64_t, 2> padding,
                                   std::array<int64_t, 2> dilation, int64_t groups, const Target &target) {
  ConvolutionSpec spec;
  spec.in = in;
  spec.out = out;
  spec.rows = {out.h, 0, 1, stride[0], {kernel[0], -padding[0], dilation[0], 0, 1}};
  spec.columns = {out.w, 0, 1, stride[1], {kernel[1], -padding[1], dilation[1], 0, 1}};
  spec.weights = {groups, out.c / groups, in.c / groups, kernel[0], kernel[1], 1, target.lanes};
  const bool pointwise = isPointwise(in, out, kernel, stride, padding);
  if (pointwise) {
    spec.in = pixelsInOneRow(in);
    spec.out = pixelsInOneRow(out);
    spec.rows.count = 1;
    spec.columns.count = spec.out.w;
  }
  chooseTile(spec, target);
  spec.weights.vectors = spec.tile.vectors;
  if (pointwise) {
    const int64_t pixels = spec.columns.count, P = spec.tile.pixels;
    const int64_t blocks = groups * ceilDiv(spec.weights.outputs, spec.weights.block());
    const int64_t byCache =
        target.machine.chunkBytes / (elementBytes(in.element) * (spec.weights.inputs + spec.weights.block()));
    const int64_t byTasks = ceilDiv(pixels * blocks, target.machine.wantedTasks);
    spec.chunk = std::max<int64_t>(1, std::min(byCache, byTasks) / P) * P;
  }
  chooseOrder(spec, target.machine);
  return spec;
}

std::vector<ConvolutionSpec>
convolutionInputGradient(const View &dy, const View &dx, std::array<int64_t, 2> kernel,
                         std::array<int64_t, 2> stride, std::array<int64_t, 2> padding,
                         std::array<int64_t, 2> dilation, int64_t groups, const Target &target) {
  if (isPointwise(dy, dx, kernel, stride, padding))
    return {convolutionForward(dy, dx, kernel, stride, padding, dilation, groups, target)};
  std::vector<ConvolutionSpec> specs;
  int64_t vectors = 0;
  for (int64_t py = 0; py < std::min(stride[0], dx.h); ++py)
    for (int64_t px = 0; px < std::min(stride[1], dx.w); ++px) {
      ConvolutionSpec spec;
      spec.in = dy;
      spec.out = dx;
      spec.rows = {ceilDiv(dx.h - py, stride[0]), py, stride[0], 1,
                   transposedTaps(py, kernel[0], stride[0], padding[0], dilation[0])};
      spec.columns = {ceilDiv(dx.w - px, stride[1]), px, stride[1], 1,
                      transposedTaps(px, kernel[1], stride[1], padding[1], dilation[1])};
      spec.weights = {groups, dx.c / groups, dy.c / groups, kernel[0], kernel[1], 1, target.lanes};
      chooseTile(spec, target);
      // All residues read the same packed weights.
      vectors = vectors ? std::min(vectors, spec.tile.vectors) : spec.tile.vectors;
      specs.push_back(spec);
    }
  for (ConvolutionSpec &spec : specs) {
    spec.tile.vectors = vectors;
    spec.tile.pixels = std::min({spec.columns.count, mostPixels(vectors, dy.element, target),
                                 cachedPixels(inputStride(spec), target.machine)});
    spec.weights.vectors = vectors;
    chooseOrder(spec, target.machine);
  }
  return specs;
}

KernelCode convolution(const ConvolutionSpec &spec, const Target &target) {
  const PackedWeights &w = spec.weights;
  const int64_t rowTasks = spec.rowTasks();
  const int64_t wholeBlocks = w.outputs / w.block(), rest = w.outputs % w.block();
  const int64_t blocks = wholeBlocks + (rest ? 1 : 0);

  KernelCode kernel;
  kernel.tasks = spec.in.n * w.groups * blocks * rowTasks;
  kernel.definition.name =
      "conv" + axisName(spec.rows, spec.out.h) + "x" + axisName(spec.columns, spec.out.w) + "_" +
      spec.in.name() + "_to_" + spec.out.name() + "_w" + w.name() +
      (w.element == Element::BF16 ? "_bf16_" : "_f32_") + std::to_string(spec.tile.pixels) + "x" +
      std::to_string(w.block()) + (spec.chunk ? "_row" + std::to_string(spec.chunk) : "") +
      (spec.weightsOuter           ? "_wo"
       : spec.rowGroup == rowTasks ? ""
                                   : "_of" + std::to_string(spec.rowGroup)) +
      spec.epilogue.name();
  kernel.definition.operands =
      EpilogueCode::operands({spec.in.operand(), w.operand()}, spec.epilogue, spec.out, spec.parts(), target);
  kernel.definition.build = [spec, rowTasks, blocks, wholeBlocks, rest, name = kernel.definition.name,
                             operands = kernel.definition.operands](KernelBuilder &k) {
    const PackedWeights &w = spec.weights;
    k.begin(name, operands);
    EpilogueCode epilogue(k, spec.epilogue, 2, spec.out.c, spec.columns.outStep == 1 ? spec.tile.pixels : 1);
    const SumBlocks cut =
        sumBlocks(w.inputs * spec.rows.taps.count * spec.columns.taps.count, kUncutConvolution);
    const TileTotals totals(k, cut, spec.tile.pixels * w.vectors);
    Emitter emit{spec, k, epilogue, k.operand(0), k.operand(1), epilogue.output(), cut, totals};
    k.forTasks([&](Value task) {
      Value n, group, block, row;
      if (spec.weightsOuter) {
        auto digits = k.split(task, {w.groups, blocks, spec.in.n, rowTasks});
        group = digits[0], block = digits[1], n = digits[2], row = digits[3];
      } else {
        auto digits = k.split(task, {spec.in.n, w.groups, rowTasks / spec.rowGroup, blocks, spec.rowGroup});
        n = digits[0], group = digits[1], block = digits[3];
        row = k.add(k.mul(digits[2], spec.rowGroup), digits[4]);
      }
      Value imageIn = k.add(k.mul(n, spec.in.image()), k.mul(group, w.inputs));
      Value channel = k.add(k.mul(group, w.outputs), k.mul(block, w.block()));
      Value weightBase = k.add(k.mul(group, w.groupElements()),
                               k.mul(block, w.block() * w.paddedInputs() * w.rows * w.columns));
      Value oy = spec.chunk ? k.index(0) : row;
      const auto whole = [&] { emit.row(w.vectors, w.lanes, n, imageIn, oy, row, weightBase, channel); };
      const auto partial = [&] {
        const int64_t vectors = ceilDiv(rest, w.lanes);
        emit.row(vectors, rest - (vectors - 1) * w.lanes, n, imageIn, oy, row, weightBase, channel);
      };
      if (rest == 0)
        whole();
      else if (wholeBlocks == 0)
        partial();
      else
        k.ifThen(k.less(block, k.index(wholeBlocks)), whole, partial);
    });
    k.end();
  };
  return kernel;
}

// Weights of single pixels, block `block` of a group, whose weights begin at `from`, to `to`: squares of
// outputs and inputs are transposed in registers. One number after the other, an output apart, numbers would
// push each other out of the cache where the inputs are a power of two.
static void packPointwise(KernelBuilder &k, const PackedWeights &packed, bool transposed, Value block,
                          Value from, Value to) {
  const int64_t lanes = packed.lanes, C = packed.inputs;
  Value first = k.mul(block, packed.block());
  const auto vectors = [&](int64_t count, int64_t outputs) {
    for (int64_t v = 0; v < count; ++v) {
      const int64_t ofVector = std::min(lanes, outputs - v * lanes);
      Value output = k.add(first, v * lanes);
      const auto store = [&](Value row, Value c) {
        k.store(row, k.operand(1), k.add(k.add(to, k.mul(c, count * lanes)), v * lanes), lanes);
      };
      if (transposed) {
        k.forLoop(0, C, 1, [&](Value c) {
          Value at = k.add(k.add(from, k.mul(c, packed.outputs)), output);
          store(k.load(k.operand(0), at, ofVector), c);
        });
        continue;
      }
      k.forChannels(C, [&](Value c, int64_t inputs) {
        llvm::SmallVector<Value> rows(lanes, k.constant(0.0f));
        for (int64_t j = 0; j < ofVector; ++j)
          rows[j] = k.load(k.operand(0), k.add(k.add(from, k.mul(k.add(output, j), C)), c), inputs);
        transposeSquare(k, rows);
        for (int64_t i = 0; i < inputs; ++i)
          store(rows[i], k.add(c, i));
      });
    }
  };
  const int64_t wholeBlocks = packed.outputs / packed.block(), rest = packed.outputs % packed.block();
  const auto whole = [&] { vectors(packed.vectors, packed.block()); };
  const auto partial = [&] { vectors(ceilDiv(rest, lanes), rest); };
  if (rest == 0)
    whole();
  else if (wholeBlocks == 0)
    partial();
  else
    k.ifThen(k.less(block, k.index(wholeBlocks)), whole, partial);
}

KernelCode packWeights(const PackedWeights &packed, bool transposed) {
  const int64_t blocks = ceilDiv(packed.outputs, packed.block());
  KernelCode kernel;
  kernel.tasks = packed.groups * blocks * packed.rows;
  kernel.definition.name = std::string("pack") + (transposed ? "_transposed_" : "_") + packed.name() + "x" +
                           std::to_string(packed.lanes);
  const int64_t spatial = packed.rows * packed.columns;
  kernel.definition.operands = {{packed.groups * packed.outputs * packed.inputs * spatial}, packed.operand()};
  kernel.definition.build = [=, name = kernel.definition.name,
                             operands = kernel.definition.operands](KernelBuilder &k) {
    const int64_t together = packed.inputsTogether();
    // Strides of the weight as stored: O x I/groups x R x S of the forward convolution.
    const int64_t outputStride = transposed ? spatial : packed.inputs * spatial;
    const int64_t inputStride = transposed ? packed.outputs * spatial : spatial;
    const int64_t groupStride = packed.outputs * packed.inputs * spatial;
    k.begin(name, operands);
    Value from = k.operand(0), to = k.operand(1);
    k.forTasks([&](Value task) {
      auto digits = k.split(task, {packed.groups, blocks, packed.rows});
      Value group = digits[0], block = digits[1], r = digits[2];
      Value first = k.mul(block, packed.block());
      Value width = k.min(k.index(packed.block()), k.sub(k.index(packed.paddedOutputs()), first));
      Value blockTo =
          k.add(k.mul(group, packed.groupElements()), k.mul(first, packed.paddedInputs() * spatial));
      Value blockFrom = k.mul(group, groupStride);
      if (spatial == 1 && together == 1)
        return packPointwise(k, packed, transposed, block, blockFrom, blockTo);
      k.forLoop(0, packed.columns, 1, [&](Value s) {
        k.forLoop(0, packed.paddedInputs(), 1, [&](Value c) {
          Value tap = k.add(k.mul(r, packed.columns), s);
          Value within = k.rem(c, together), firstTogether = k.sub(c, within);
          Value rowTo = k.add(
              k.add(blockTo, k.mul(k.add(k.mul(tap, packed.paddedInputs()), firstTogether), width)), within);
          // Of an odd number of inputs the last is the second of its pair. The one before it is in two pairs,
          // with half of its weight in each: in one of them with 0, infinity would become NaN.
          const bool odd = packed.paddedInputs() > packed.inputs;
          Value last = k.equal(c, k.index(packed.inputs - 1));
          Value input = k.min(c, k.index(packed.inputs - 1)), share = k.scalar(1.0f);
          if (odd && packed.inputs > 1) {
            Value before = k.index(packed.inputs - 2);
            input = k.choose(last, before, input);
            share = k.choose(k.equal(input, before), k.scalar(0.5f), share);
          }
          Value rowFrom = k.add(k.add(blockFrom, tap), k.mul(input, inputStride));
          k.forLoop(k.index(0), width, 1, [&](Value j) {
            Value o = k.add(first, j);
            Value at = k.add(rowFrom, k.mul(k.min(o, k.index(packed.outputs - 1)), outputStride));
            Value value =
                k.choose(k.less(o, k.index(packed.outputs)), k.loadScalar(from, at), k.scalar(0.0f));
            if (odd && packed.inputs > 1)
              value = mulFloat(k, value, share);
            else if (odd) // the only one is paired with 0
              value = k.choose(last, k.scalar(0.0f), value);
            k.storeScalar(value, to, k.add(rowTo, k.mul(j, together)));
          });
        });
      });
    });
    k.end();
  };
  return kernel;
}

} // namespace vernier::codegen
