// Interleaving groups of channels, pixel by pixel. Two groups, and the groups of two that undo them, take
// whole vectors.
#include "codegen/cpu/emit/MapLoops.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

// The lanes of one vector out of the 2 * lanes of two: lane(0), lane(1), ...
llvm::SmallVector<int64_t> pick(KernelBuilder &k, llvm::function_ref<int64_t(int64_t)> lane) {
  llvm::SmallVector<int64_t> lanes;
  for (int64_t i = 0; i < k.lanes(); ++i)
    lanes.push_back(lane(i));
  return lanes;
}

void interleaveTwo(KernelBuilder &k, Value from, Value to, int64_t perGroup) {
  const int64_t lanes = k.lanes();
  k.forChannels(perGroup, [&](Value c, int64_t count) {
    Value first = k.load(k.operand(0), k.add(from, c), count),
          second = k.load(k.operand(0), k.add(k.add(from, c), perGroup), count);
    for (int64_t done = 0; done < 2 * count; done += lanes) {
      Value mixed =
          k.shuffle(first, second, pick(k, [&](int64_t i) { return (done + i) / 2 + i % 2 * lanes; }));
      k.store(mixed, k.operand(1), k.add(k.add(to, k.mul(c, 2)), done), std::min(lanes, 2 * count - done));
    }
  });
}

void separateTwo(KernelBuilder &k, Value from, Value to, int64_t groups) {
  const int64_t lanes = k.lanes();
  k.forChannels(groups, [&](Value c, int64_t count) {
    Value at = k.add(from, k.mul(c, 2));
    Value first = k.load(k.operand(0), at, std::min(lanes, 2 * count));
    Value second = 2 * count > lanes ? k.load(k.operand(0), k.add(at, lanes), 2 * count - lanes) : first;
    for (int64_t part : {0, 1})
      k.store(k.shuffle(first, second, pick(k, [&](int64_t i) { return 2 * i + part; })), k.operand(1),
              k.add(k.add(to, c), part * groups), count);
  });
}

} // namespace

KernelCode channelShuffle(const View &in, const View &out, int64_t groups, const Target &target) {
  const std::string name = "channel_shuffle" + std::to_string(groups) + "_" + in.name() + "_to_" + out.name();
  return makeKernel(name, rowTasks(out), {in.operand(), out.operand()}, [=](KernelBuilder &k, Value row) {
    const int64_t perGroup = in.c / groups;
    k.forLoop(0, in.w, 1, [&](Value x) {
      Value from = k.add(k.mul(row, in.row()), k.mul(x, in.pixel)),
            to = k.add(k.mul(row, out.row()), k.mul(x, out.pixel));
      if (groups == 2)
        return interleaveTwo(k, from, to, perGroup);
      if (perGroup == 2)
        return separateTwo(k, from, to, groups);
      k.forLoop(0, perGroup, 1, [&](Value i) {
        k.forLoop(0, groups, 1, [&](Value group) {
          Value value = k.loadScalar(k.operand(0), k.add(k.add(from, i), k.mul(group, perGroup)));
          k.storeScalar(value, k.operand(1), k.add(k.add(to, k.mul(i, groups)), group));
        });
      });
    });
  });
}

} // namespace vernier::codegen
