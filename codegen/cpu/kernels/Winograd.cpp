// The loops of Winograd convolutions; Winograd.h has the idea, WinogradTransforms.cpp the matrices.
#include "codegen/cpu/kernels/Winograd.h"

#include "codegen/cpu/emit/EpilogueCode.h"
#include "codegen/cpu/emit/MapLoops.h"
#include "codegen/cpu/emit/SumCode.h"

#include <algorithm>
#include <cmath>

namespace vernier::codegen {

// --- layouts
// ---------------------------------------------------------------------------------------------------------

// Negative where the convolution crops.
static std::string paddingName(int64_t top, int64_t left) {
  const auto text = [](int64_t v) { return v < 0 ? "m" + std::to_string(-v) : std::to_string(v); };
  return "_p" + text(top) + "_" + text(left);
}

std::string WinogradSpec::name() const {
  std::string text = in.name() + "_to_" + out.name() + paddingName(top, left) + "_w" + weights.name() +
                     "_f32_" + std::to_string(registerTiles) + "x" + std::to_string(weights.block()) +
                     "_group" + std::to_string(group);
  return groupsPerTask > 1 ? text + "x" + std::to_string(groupsPerTask) : text;
}

namespace {

int64_t oddLines(int64_t vectors, int64_t lanes) { return (vectors | 1) * lanes; }
int64_t channelVectors(const WinogradSpec &spec) { return ceilDiv(spec.in.c, spec.weights.lanes); }
int64_t zeroElements(const WinogradSpec &spec) { return channelVectors(spec) * spec.weights.lanes; }
// Parts of a group that the split input transform has tasks for.
constexpr int64_t kPartTiles = 8;
int64_t inputParts(const WinogradSpec &spec) { return ceilDiv(spec.group, kPartTiles); }
int64_t tasksOf(const WinogradSpec &spec) { return spec.parts() * (spec.split ? spec.weights.blocks() : 1); }
int64_t roomElements(const WinogradSpec &spec) {
  return spec.sumElements() + (spec.split ? 0 : zeroElements(spec) + spec.inputElements());
}

} // namespace

// [place][vector of channels][tile][lanes]: what one step of a register tile reads lies in a row.
int64_t WinogradSpec::inputPlace() const { return oddLines(channelVectors(*this) * group, weights.lanes); }
// [place][tile][vector][lanes]
int64_t WinogradSpec::sumPlace() const { return oddLines(group * weights.vectors, weights.lanes); }
int64_t WinogradSpec::scratchElements() const { return tasksOf(*this) * roomElements(*this); }
int64_t WinogradSpec::inputScratchElements() const {
  return groups() * inputParts(*this) * zeroElements(*this);
}

// --- loops
// -----------------------------------------------------------------------------------------------------------

namespace {

using Values = KernelBuilder::Values;

class Emitter {
public:
  Emitter(KernelBuilder &k, const WinogradSpec &spec)
      : k(k), spec(spec), transforms(spec.weights.transform) {}

  struct Place {
    Value buffer, start;
  };

  void clear(const Place &zeros) {
    k.forLoop(0, zeroElements(spec), k.lanes(),
              [&](Value c) { k.store(k.constant(0.0f), zeros.buffer, k.add(zeros.start, c), k.lanes()); });
  }

  // Transforms tiles [first, end) of a group into `to`.
  void transformInputs(Value input, const Place &zeros, Value group, Value first, Value end,
                       const Place &to) {
    const int64_t m = transforms.outputs, size = transforms.size();
    const auto inside = [&](Value first, int64_t extent) {
      return k.both(k.less(k.index(-1), first), k.less(first, k.index(extent - size + 1)));
    };
    overTiles(group, first, end, [&](Value t, Value n, Value row, Value column) {
      Value y = k.add(k.mul(row, m), -spec.top), x = k.add(k.mul(column, m), -spec.left);
      Value corner =
          k.add(k.add(k.mul(n, spec.in.image()), k.mul(y, spec.in.row())), k.mul(x, spec.in.pixel));
      const auto position = [&](int64_t i, int64_t j) {
        return k.add(corner, i * spec.in.row() + j * spec.in.pixel);
      };
      const auto whole = [&] {
        overChannels(t, to, [&](int64_t i, int64_t j, Value c, int64_t count) {
          return k.load(input, k.add(position(i, j), c), count);
        });
      };
      // What lies outside is read from a pixel of zeros. They are float32: from a bfloat16 map the first
      // pixel is read instead, and zeros take the place of what was read.
      const bool readsZeros = spec.in.element == Element::F32;
      const auto border = [&] {
        Value open = k.openBuffer(input), none = readsZeros ? k.openBuffer(zeros.buffer) : open;
        Value nowhere = readsZeros ? zeros.start : k.index(0);
        llvm::SmallVector<Value> rowInside, columnInside;
        for (int64_t i = 0; i < size; ++i) {
          const auto within = [&](Value first, int64_t extent) {
            Value at = k.add(first, i);
            return k.both(k.less(k.index(-1), at), k.less(at, k.index(extent)));
          };
          rowInside.push_back(within(y, spec.in.h));
          columnInside.push_back(within(x, spec.in.w));
        }
        llvm::SmallVector<Value> exists, buffers, positions;
        for (int64_t i = 0; i < size; ++i)
          for (int64_t j = 0; j < size; ++j) {
            Value real = k.both(rowInside[i], columnInside[j]);
            exists.push_back(real);
            buffers.push_back(k.choose(real, open, none));
            positions.push_back(k.choose(real, position(i, j), nowhere));
          }
        overChannels(t, to, [&](int64_t i, int64_t j, Value c, int64_t count) {
          const int64_t at = i * size + j;
          Value value = k.load(buffers[at], k.add(positions[at], c), count);
          return readsZeros ? value : k.choose(exists[at], value, k.constant(0.0f));
        });
      };
      if (spec.in.h < size || spec.in.w < size)
        border();
      else
        k.ifThen(k.both(inside(y, spec.in.h), inside(x, spec.in.w)), whole, border);
    });
  }

  // The sums of one block of output channels over all input channels, for every place and tile of a group.
  void multiply(const Place &inputs, Value weights, Value block, int64_t vectors, const Place &sums) {
    const int64_t C = spec.weights.inputs, width = vectors * k.lanes(), P = spec.registerTiles;
    Value blockWeights = k.mul(block, spec.weights.block() * C * spec.weights.places());
    k.forLoop(0, spec.weights.places(), 1, [&](Value place) {
      Value from = k.add(inputs.start, k.mul(place, spec.inputPlace()));
      Value w = k.add(blockWeights, k.mul(place, C * width));
      Value to = k.add(sums.start, k.mul(place, spec.sumPlace()));
      const int64_t whole = spec.group / P * P;
      const auto tile = [&](Value t, int64_t tiles) {
        registerTile(tiles, vectors, {inputs.buffer, k.add(from, k.mul(t, k.lanes()))}, {weights, w},
                     {sums.buffer, k.add(to, k.mul(t, width))});
      };
      k.forLoop(0, whole, P, [&](Value t) { tile(t, P); });
      if (whole < spec.group)
        tile(k.index(whole), spec.group - whole);
    });
  }

  // Transforms the sums of a block back and stores the outputs.
  void transformOutputs(const Place &sums, Value group, EpilogueCode &epilogue, Value block, int64_t vectors,
                        int64_t tailCount) {
    const int64_t width = vectors * k.lanes(), m = transforms.outputs;
    overTiles(group, k.index(0), k.index(spec.group), [&](Value t, Value n, Value row, Value column) {
      Value y = k.mul(row, m), x = k.mul(column, m);
      Value from = k.add(sums.start, k.mul(t, width));
      for (int64_t v = 0; v < vectors; ++v) {
        const int64_t count = v + 1 == vectors ? tailCount : k.lanes();
        Value channel = k.add(k.mul(block, spec.weights.block()), v * k.lanes());
        outputTile({sums.buffer, k.add(from, v * k.lanes())}, n, y, x, channel, count, epilogue);
      }
    });
  }

private:
  KernelBuilder &k;
  const WinogradSpec &spec;
  const WinogradTransforms transforms;

  // Those of tiles [first, end) of a group that exist.
  void overTiles(Value group, Value first, Value end,
                 llvm::function_ref<void(Value t, Value n, Value row, Value column)> body) {
    Value before = k.mul(group, spec.group);
    Value existing = k.min(end, k.sub(k.index(spec.tiles()), before));
    k.forLoop(first, existing, 1, [&](Value t) {
      auto digits = k.split(k.add(before, t), {spec.out.n, spec.tileRows(), spec.tileColumns()});
      body(t, digits[0], digits[1], digits[2]);
    });
  }

  // sum + factor * x; a missing sum is 0.
  Value plus(Value sum, double factor, Value x) {
    if (!sum)
      return factor == 1 ? x : mulFloat(k, k.constant(float(factor)), x);
    if (factor == 1)
      return addFloat(k, sum, x);
    return factor == -1 ? subFloat(k, sum, x) : k.fma(k.constant(float(factor)), x, sum);
  }

  // Coefficients, lowest first, of the product of (z - p^2) over the pairs but the one numbered `without`.
  std::vector<double> evenFactors(size_t without) const {
    std::vector<double> product = {1};
    for (size_t j = 0; j < transforms.pairs.size(); ++j) {
      if (j == without)
        continue;
      product.push_back(0);
      for (size_t i = product.size(); i-- > 0;)
        product[i] = (i ? product[i - 1] : 0) - transforms.pairs[j] * transforms.pairs[j] * product[i];
    }
    return product;
  }

  // B^T d: the rows of +p and -p share their even and their odd part.
  Values transformInput(llvm::ArrayRef<Value> d) {
    const auto everySecond = [&](const std::vector<double> &factors, size_t first) {
      Value sum;
      for (size_t i = factors.size(); i-- > 0;) // the last factor is 1
        sum = plus(sum, factors[i], d[first + 2 * i]);
      return sum;
    };
    const std::vector<double> all = evenFactors(transforms.pairs.size());
    Values result = {everySecond(all, 0)};
    for (size_t i = 0; i < transforms.pairs.size(); ++i) {
      Value even = everySecond(evenFactors(i), 2), odd = everySecond(evenFactors(i), 1);
      result.push_back(plus(even, transforms.pairs[i], odd));
      result.push_back(plus(even, -transforms.pairs[i], odd));
    }
    result.push_back(everySecond(all, 1));
    return result;
  }

  // A^T s
  Values transformOutput(llvm::ArrayRef<Value> s) {
    Values sums, differences, result;
    for (size_t i = 0; i < transforms.pairs.size(); ++i) {
      sums.push_back(addFloat(k, s[1 + 2 * i], s[2 + 2 * i]));
      differences.push_back(subFloat(k, s[1 + 2 * i], s[2 + 2 * i]));
    }
    for (int64_t row = 0; row < transforms.outputs; ++row) {
      Value value = row == 0 ? s.front() : row == transforms.outputs - 1 ? s.back() : Value();
      for (size_t i = 0; i < transforms.pairs.size(); ++i)
        value = plus(value, std::pow(transforms.pairs[i], double(row)), (row % 2 ? differences : sums)[i]);
      result.push_back(value);
    }
    return result;
  }

  // Columns, then rows, of a square of `size` values; `transform` may shorten them.
  std::vector<Values> transformSquare(llvm::function_ref<Value(int64_t, int64_t)> at, int64_t size,
                                      llvm::function_ref<Values(llvm::ArrayRef<Value>)> transform) {
    std::vector<Values> columns, rows;
    for (int64_t j = 0; j < size; ++j) {
      Values column;
      for (int64_t i = 0; i < size; ++i)
        column.push_back(at(i, j));
      columns.push_back(transform(column));
    }
    for (size_t i = 0; i < columns[0].size(); ++i) {
      Values row;
      for (const Values &column : columns)
        row.push_back(column[i]);
      rows.push_back(transform(row));
    }
    return rows;
  }

  void overChannels(Value t, const Place &to,
                    llvm::function_ref<Value(int64_t i, int64_t j, Value c, int64_t count)> read) {
    const int64_t size = transforms.size();
    k.forChannels(spec.in.c, [&](Value c, int64_t count) {
      const auto rows = transformSquare([&](int64_t i, int64_t j) { return read(i, j, c, count); }, size,
                                        [&](llvm::ArrayRef<Value> d) { return transformInput(d); });
      Value at = k.add(k.add(to.start, k.mul(c, spec.group)), k.mul(t, k.lanes()));
      for (int64_t i = 0; i < size; ++i)
        for (int64_t j = 0; j < size; ++j)
          k.store(rows[i][j], to.buffer, k.add(at, (i * size + j) * spec.inputPlace()), k.lanes());
    });
  }

  void outputTile(const Place &sums, Value n, Value y, Value x, Value channel, int64_t count,
                  EpilogueCode &epilogue) {
    const int64_t m = transforms.outputs, size = transforms.size();
    const auto rows = transformSquare(
        [&](int64_t i, int64_t j) {
          return k.load(sums.buffer, k.add(sums.start, (i * size + j) * spec.sumPlace()), k.lanes());
        },
        size, [&](llvm::ArrayRef<Value> s) { return transformOutput(s); });
    Value start = epilogue.start(channel, count);
    // The pixels that the last tiles of a row or column lack are tested for.
    const auto exists = [&](int64_t i, int64_t extent) { return extent % m == 0 || i < extent % m; };
    const auto where = [&](Value first, int64_t i, int64_t extent, llvm::function_ref<void(Value)> body) {
      Value at = k.add(first, i);
      if (exists(i, extent))
        body(at);
      else
        k.ifThen(k.less(at, k.index(extent)), [&] { body(at); });
    };
    using Pixels = llvm::SmallVector<EpilogueCode::Pixel>;
    Pixels ofTile;
    for (int64_t i = 0; i < m; ++i)
      where(y, i, spec.out.h, [&](Value toY) {
        Pixels ofRow;
        for (int64_t j = 0; j < m; ++j)
          where(x, j, spec.out.w, [&](Value toX) {
            Value value = epilogue.finish(addFloat(k, start, rows[i][j]), n, toY, x, j, channel, count);
            k.store(value, epilogue.output(), position(k, spec.out, n, toY, toX, channel), count);
            const EpilogueCode::Pixel pixel = {toY, toX, value};
            if (exists(j, spec.out.w))
              (exists(i, spec.out.h) ? ofTile : ofRow).push_back(pixel);
            else
              epilogue.addToSums(n, pixel, channel, count);
          });
        epilogue.addToSums(n, ofRow, channel, count);
      });
    epilogue.addToSums(n, ofTile, channel, count);
  }

  void registerTile(int64_t tiles, int64_t vectors, const Place &from, const Place &weights,
                    const Place &to) {
    const int64_t lanes = k.lanes(), C = spec.weights.inputs, whole = C / lanes * lanes;
    const auto multiplyAdd = [&](Value vectorFrom, Value lane, Value w, mlir::ValueRange carried) {
      Values next(carried), loaded;
      for (int64_t v = 0; v < vectors; ++v)
        loaded.push_back(k.load(weights.buffer, k.add(w, v * lanes), lanes));
      for (int64_t t = 0; t < tiles; ++t) {
        Value a = k.splat(k.loadScalar(from.buffer, k.add(k.add(vectorFrom, lane), t * lanes)));
        for (int64_t v = 0; v < vectors; ++v)
          next[t * vectors + v] = k.fma(a, loaded[v], next[t * vectors + v]);
      }
      return next;
    };
    const auto overLanes = [&](Value c, int64_t count, mlir::ValueRange carried) {
      Value vectorFrom = k.add(from.start, k.mul(c, spec.group));
      Value w = k.add(weights.start, k.mul(c, vectors * lanes));
      return k.forLoop(k.index(0), k.index(count), 1, carried, [&](Value lane, mlir::ValueRange inner) {
        return multiplyAdd(vectorFrom, lane, k.add(w, k.mul(lane, vectors * lanes)), inner);
      });
    };
    const auto overVectors = [&](Value first, Value last, mlir::ValueRange sums) {
      return k.forLoop(first, last, lanes, sums,
                       [&](Value c, mlir::ValueRange carried) { return overLanes(c, lanes, carried); });
    };
    const auto place = [&](int64_t i) { return k.add(to.start, i * lanes); };
    Values acc(tiles * vectors, k.constant(0.0f));
    const int64_t block = sumBlocks(C).block;
    if (!block) {
      if (whole > 0)
        acc = overVectors(k.index(0), k.index(whole), acc);
      if (whole < C)
        acc = overLanes(k.index(whole), C - whole, acc);
      for (int64_t i = 0; i < tiles * vectors; ++i)
        k.store(acc[i], to.buffer, place(i), lanes);
      return;
    }
    // The totals of a long sum are where the sums go.
    const auto addToTotals = [&](const Values &sums) {
      for (int64_t i = 0; i < tiles * vectors; ++i)
        k.store(addFloat(k, k.load(to.buffer, place(i), lanes), sums[i]), to.buffer, place(i), lanes);
    };
    for (int64_t i = 0; i < tiles * vectors; ++i)
      k.store(acc[i], to.buffer, place(i), lanes);
    k.forLoop(0, whole, block, [&](Value first) {
      addToTotals(overVectors(first, k.min(k.add(first, block), k.index(whole)), acc));
    });
    if (whole < C)
      addToTotals(overLanes(k.index(whole), C - whole, acc));
  }
};

} // namespace

KernelCode winogradConvolution(const WinogradSpec &spec, const Target &target) {
  KernelCode kernel;
  kernel.tasks = tasksOf(spec);
  kernel.definition.name = "winograd" + std::to_string(spec.weights.transform) +
                           (spec.split ? "_multiply_" : "_") + spec.name() + spec.epilogue.name();
  kernel.definition.operands = EpilogueCode::operands(
      {spec.split ? KernelOperand{spec.groups() * spec.inputElements()} : spec.in.operand(),
       {spec.weights.elements()}},
      spec.epilogue, spec.out, spec.parts(), target);
  kernel.definition.operands.push_back({spec.scratchElements()});
  kernel.definition.build = [spec, name = kernel.definition.name,
                             operands = kernel.definition.operands](KernelBuilder &k) {
    k.begin(name, operands);
    EpilogueCode epilogue(k, spec.epilogue, 2, spec.out.c, spec.weights.transform);
    Value input = k.operand(0), weights = k.operand(1), scratch = k.operand(operands.size() - 1);
    Emitter emit(k, spec);
    // No other call runs this call's first task, so its room is free.
    Value room = k.mul(k.firstTask(), roomElements(spec));
    const Emitter::Place sums{scratch, room}, zeros{scratch, k.add(room, spec.sumElements())},
        inputs{scratch, k.add(room, spec.sumElements() + zeroElements(spec))};

    const int64_t lanes = spec.weights.lanes, wholeBlocks = spec.weights.outputs / spec.weights.block(),
                  rest = spec.weights.outputs % spec.weights.block();
    const auto oneBlock = [&](const Emitter::Place &from, Value group, Value block, bool whole) {
      const int64_t vectors = whole ? spec.weights.vectors : ceilDiv(rest, lanes);
      if (spec.split)
        epilogue.beginSums(group, k.mul(block, spec.weights.block()), vectors);
      emit.multiply(from, weights, block, vectors, sums);
      emit.transformOutputs(sums, group, epilogue, block, vectors,
                            whole ? lanes : rest - (vectors - 1) * lanes);
    };
    if (!spec.split)
      emit.clear(zeros);
    k.forTasks([&](Value task) {
      if (spec.split) {
        auto digits = k.split(task, {spec.weights.blocks(), spec.groups()});
        Value block = digits[0], group = digits[1];
        const Emitter::Place from{input, k.mul(group, spec.inputElements())};
        if (rest == 0 || wholeBlocks == 0)
          oneBlock(from, group, block, rest == 0);
        else
          k.ifThen(
              k.less(block, k.index(wholeBlocks)), [&] { oneBlock(from, group, block, true); },
              [&] { oneBlock(from, group, block, false); });
        return;
      }
      epilogue.beginSums(task, k.index(0), ceilDiv(spec.weights.outputs, lanes));
      Value first = k.mul(task, spec.groupsPerTask);
      Value end = k.min(k.add(first, spec.groupsPerTask), k.index(spec.groups()));
      k.forLoop(first, end, 1, [&](Value group) {
        emit.transformInputs(input, zeros, group, k.index(0), k.index(spec.group), inputs);
        k.forLoop(0, wholeBlocks, 1, [&](Value block) { oneBlock(inputs, group, block, true); });
        if (rest)
          oneBlock(inputs, group, k.index(wholeBlocks), false);
      });
    });
    k.end();
  };
  return kernel;
}

KernelCode winogradInput(const WinogradSpec &spec) {
  const std::string name = "winograd" + std::to_string(spec.weights.transform) + "_input_" + spec.in.name() +
                           "_to_" + std::to_string(spec.tileRows()) + "x" +
                           std::to_string(spec.tileColumns()) + paddingName(spec.top, spec.left) + "_group" +
                           std::to_string(spec.group) + "x" + std::to_string(spec.weights.lanes);
  const auto body = [spec](KernelBuilder &k, Value task) {
    auto digits = k.split(task, {spec.groups(), inputParts(spec)});
    Value group = digits[0], first = k.mul(digits[1], kPartTiles);
    Value end = k.min(k.add(first, kPartTiles), k.index(spec.group));
    Emitter emit(k, spec);
    const Emitter::Place zeros{k.operand(2), k.mul(task, zeroElements(spec))};
    emit.clear(zeros);
    emit.transformInputs(k.operand(0), zeros, group, first, end,
                         {k.operand(1), k.mul(group, spec.inputElements())});
  };
  KernelCode kernel = makeKernel(
      name, spec.groups() * inputParts(spec),
      {spec.in.operand(), {spec.groups() * spec.inputElements()}, {spec.inputScratchElements()}}, body);
  return kernel;
}

} // namespace vernier::codegen
