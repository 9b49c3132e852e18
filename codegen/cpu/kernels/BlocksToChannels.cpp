// Squares of pixels as runs of channels of one pixel, and the way back.
#include "codegen/cpu/emit/MapLoops.h"

namespace vernier::codegen {

KernelCode blocksToChannels(const BlocksToChannelsProblem &p, const Target &) {
  const View in = p.in, out = p.out;
  const bool toChannels = p.toChannels();
  const View fine = toChannels ? in : out, coarse = toChannels ? out : in;
  const int64_t f = p.factor;
  // in, out; a task has a row of the fine map
  return makeKernel(std::string(toChannels ? "blocks_to_channels_" : "channels_to_blocks_") + in.name() +
                        "_" + out.name() + "_by" + std::to_string(f),
                    rowTasks(fine), {in.operand(), out.operand()}, [=](KernelBuilder &k, Value row) {
                      // Rows of both maps are counted through all images: f divides the fine one's.
                      Value inFine = k.mul(row, fine.row()), inCoarse = k.mul(k.div(row, f), coarse.row());
                      Value first = k.mul(k.rem(row, f), f * fine.c);
                      k.forLoop(0, coarse.w, 1, [&](Value x) {
                        for (int64_t i = 0; i < f; ++i) {
                          Value atFine = k.add(inFine, k.mul(k.add(k.mul(x, f), i), fine.pixel));
                          Value atCoarse =
                              k.add(k.add(k.add(inCoarse, k.mul(x, coarse.pixel)), first), i * fine.c);
                          k.forChannels(fine.c, [&](Value c, int64_t count) {
                            Value from = k.add(toChannels ? atFine : atCoarse, c),
                                  to = k.add(toChannels ? atCoarse : atFine, c);
                            k.store(k.load(k.operand(0), from, count), k.operand(1), to, count);
                          });
                        }
                      });
                    });
}

} // namespace vernier::codegen
