// Between the layouts of callers, N x C x H x W, and of maps, N x H x W x C. Squares of as many pixels as
// channels are transposed in registers, so that whole vectors are read and written: single numbers, a plane
// apart, would push each other out of a cache where planes are a power of two.
#include "codegen/cpu/emit/MapLoops.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

// The pixels of a map as blocks of lanes(), several to a task: they stay in a first-level cache with all
// their channels, and leave tasks to divide.
struct PixelBlocks {
  int64_t pixels, lanes, each;

  PixelBlocks(const View &map, const Target &target) : pixels(map.h * map.w), lanes(target.lanes) {
    const int64_t byCache = target.machine.layoutBytes / (4 * map.c * lanes),
                  byTasks = map.n * blocks() / target.machine.wantedTasks;
    each = std::max<int64_t>(1, std::min(byCache, byTasks));
  }
  int64_t blocks() const { return ceilDiv(pixels, lanes); }
  int64_t tasks() const { return ceilDiv(blocks(), each); } // of an image

  // Calls body(first, count) for each block of pixels of a task.
  void forBlocks(KernelBuilder &k, Value task, llvm::function_ref<void(Value, int64_t)> body) const {
    const int64_t whole = pixels / lanes, rest = pixels % lanes;
    Value first = k.mul(task, each);
    if (whole > 0)
      k.forLoop(first, k.min(k.add(first, each), k.index(whole)), 1,
                [&](Value block) { body(k.mul(block, lanes), lanes); });
    if (rest > 0)
      k.ifThen(k.equal(task, k.index(tasks() - 1)), [&] { body(k.index(whole * lanes), rest); });
  }
};

} // namespace

KernelCode fromChannelsFirst(const View &y, const Target &target) {
  const PixelBlocks pixels(y, target);
  // Where stores of part of a vector are slow, single numbers are.
  const bool partsAreFast = target.lanes == 16;
  return makeKernel("from_channels_first_" + y.name(), y.n * pixels.tasks(), {{y.size()}, y.operand()},
                    [=](KernelBuilder &k, Value task) {
                      auto digits = k.split(task, {y.n, pixels.tasks()});
                      const int64_t plane = y.h * y.w;
                      Value from = k.mul(digits[0], y.c * plane), to = k.mul(digits[0], y.image());
                      k.forChannels(y.c, [&](Value c, int64_t count) {
                        pixels.forBlocks(k, digits[1], [&](Value first, int64_t pixelCount) {
                          Value fromBlock = k.add(k.add(from, k.mul(c, plane)), first);
                          Value toBlock = k.add(k.add(to, k.mul(first, y.pixel)), c);
                          if (count < k.lanes() && !partsAreFast) {
                            k.forLoop(0, pixelCount, 1, [&](Value p) {
                              for (int64_t j = 0; j < count; ++j)
                                k.storeScalar(
                                    k.loadScalar(k.operand(0), k.add(k.add(fromBlock, p), j * plane)),
                                    k.operand(1), k.add(k.add(toBlock, k.mul(p, y.pixel)), j));
                            });
                            return;
                          }
                          llvm::SmallVector<Value> rows(k.lanes(), k.constant(0.0f));
                          for (int64_t j = 0; j < count; ++j)
                            rows[j] = k.load(k.operand(0), k.add(fromBlock, j * plane), pixelCount);
                          transposeSquare(k, rows);
                          for (int64_t p = 0; p < pixelCount; ++p)
                            k.store(rows[p], k.operand(1), k.add(toBlock, p * y.pixel), count);
                        });
                      });
                    });
}

KernelCode toChannelsFirst(const View &x, const Target &target) {
  const PixelBlocks pixels(x, target);
  return makeKernel("to_channels_first_" + x.name(), x.n * pixels.tasks(), {x.operand(), {x.size()}},
                    [=](KernelBuilder &k, Value task) {
                      auto digits = k.split(task, {x.n, pixels.tasks()});
                      const int64_t plane = x.h * x.w;
                      Value from = k.mul(digits[0], x.image()), to = k.mul(digits[0], x.c * plane);
                      k.forChannels(x.c, [&](Value c, int64_t count) {
                        pixels.forBlocks(k, digits[1], [&](Value first, int64_t pixelCount) {
                          Value fromBlock = k.add(k.add(from, k.mul(first, x.pixel)), c);
                          llvm::SmallVector<Value> rows(k.lanes(), k.constant(0.0f));
                          for (int64_t p = 0; p < pixelCount; ++p)
                            rows[p] = k.load(k.operand(0), k.add(fromBlock, p * x.pixel), count);
                          transposeSquare(k, rows);
                          for (int64_t j = 0; j < count; ++j)
                            k.store(rows[j], k.operand(1),
                                    k.add(k.add(k.add(to, k.mul(c, plane)), first), j * plane), pixelCount);
                        });
                      });
                    });
}

} // namespace vernier::codegen
