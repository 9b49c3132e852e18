#include "codegen/cpu/emit/PixelSums.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

// Enough chunks to divide among threads and to keep each float32 sum short.
constexpr int64_t kChunks = 32;

int64_t rowsPerChunk(const View &x) { return (x.n * x.h + kChunks - 1) / kChunks; }

// Channels of one row of partial sums: whole vectors.
int64_t paddedChannels(const View &x, int64_t lanes) { return (x.c + lanes - 1) / lanes * lanes; }

// Vectors of channels whose sums are in registers together.
constexpr int64_t kVectorsAtOnce = 4;
// Maps with more blocks of so many vectors loop over them: unrolled, 10,000 channels take half a minute to
// compile.
constexpr int64_t kUnrolledBlocks = 16;

} // namespace

int64_t statisticsChunks(const View &x) { return (x.n * x.h + rowsPerChunk(x) - 1) / rowsPerChunk(x); }

void sumPixels(
    KernelBuilder &k, Value first, Value last, const View &x, int64_t sums, Value partial, Value part,
    llvm::function_ref<KernelBuilder::Values(Value pixel, Value c, int64_t count, Value prepared)> terms,
    llvm::function_ref<Value(Value c, int64_t count)> prepare) {
  const int64_t channels = paddedChannels(x, k.lanes());
  // Several vectors of a pixel at once, so that each cache line is visited once.
  const int64_t lanes = k.lanes(), together = std::max<int64_t>(1, 2 * kVectorsAtOnce / sums) * lanes;
  const auto block = [&](Value begin, int64_t width) {
    const int64_t vectors = ceilDiv(width, lanes);
    const auto channel = [&](int64_t v) { return k.add(begin, v * lanes); };
    const auto count = [&](int64_t v) { return std::min(lanes, width - v * lanes); };
    llvm::SmallVector<Value> constants;
    for (int64_t v = 0; v < vectors; ++v)
      constants.push_back(prepare(channel(v), count(v)));
    KernelBuilder::Values zeros(sums * vectors, k.wideConstant(0.0));
    auto totals = k.forLoop(first, last, 1, zeros, [&](Value pixel, mlir::ValueRange carried) {
      KernelBuilder::Values next;
      for (int64_t v = 0; v < vectors; ++v)
        for (auto [i, term] : llvm::enumerate(terms(pixel, channel(v), count(v), constants[v])))
          next.push_back(addFloat(k, carried[sums * v + i], term));
      return next;
    });
    for (int64_t v = 0; v < vectors; ++v)
      for (int64_t i = 0; i < sums; ++i)
        k.storeWide(totals[sums * v + i], partial,
                    k.add(k.add(k.mul(part, sums * channels), i * channels), channel(v)));
  };
  const int64_t blocks = x.c / together;
  if (blocks > kUnrolledBlocks)
    k.forLoop(0, blocks * together, together, [&](Value begin) { block(begin, together); });
  else
    for (int64_t i = 0; i < blocks; ++i)
      block(k.index(i * together), together);
  if (x.c % together)
    block(k.index(blocks * together), x.c % together);
}

void chunkSums(
    KernelBuilder &k, Value task, const View &x, Value partial,
    llvm::function_ref<std::array<Value, 2>(Value pixel, Value c, int64_t count, Value prepared)> terms,
    llvm::function_ref<Value(Value c, int64_t count)> prepare) {
  const int64_t rows = rowsPerChunk(x);
  Value first = k.mul(task, rows * x.w);
  Value last = k.min(k.add(first, rows * x.w), k.index(x.n * x.h * x.w));
  sumPixels(
      k, first, last, x, 2, partial, task,
      [&](Value pixel, Value c, int64_t count, Value prepared) {
        const std::array<Value, 2> both = terms(pixel, c, count, prepared);
        return KernelBuilder::Values(both.begin(), both.end());
      },
      prepare);
}

std::pair<Value, Value> addParts(KernelBuilder &k, Value partial, const View &x, int64_t parts, Value c) {
  const int64_t channels = paddedChannels(x, k.lanes());
  auto sums = k.forLoop(
      k.index(0), k.index(parts), 1, mlir::ValueRange{k.wideConstant(0.0), k.wideConstant(0.0)},
      [&](Value chunk, mlir::ValueRange carried) {
        Value at = k.add(k.mul(chunk, 2 * channels), c);
        return KernelBuilder::Values{addFloat(k, carried[0], k.loadWide(partial, at)),
                                     addFloat(k, carried[1], k.loadWide(partial, k.add(at, channels)))};
      });
  return {sums[0], sums[1]};
}

KernelOperand partialSums(const View &x, int64_t parts, const Target &target) {
  return {sumsElements(parts, x.c, target), Element::F64};
}

KernelCode finishKernel(std::string name, int64_t channels, std::vector<KernelOperand> operands,
                        const Target &target,
                        std::function<void(KernelBuilder &, Value c, int64_t count)> body) {
  const View view = denseView(1, 1, 1, channels);
  return makeKernel(
      std::move(name), channelTasks(view, target), std::move(operands), [=](KernelBuilder &k, Value task) {
        overChannelTask(k, task, view, [&](Value, Value c, int64_t count) { body(k, c, count); });
      });
}

} // namespace vernier::codegen
