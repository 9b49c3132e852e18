// Gradients that are scattered over a map: each element of a finer one is added to some of its elements.
// Where one element may get many terms they are added up in double, in a scratch, and rounded once.
#ifndef VERNIER_CODEGEN_CPU_EMIT_SCATTERSUMS_H
#define VERNIER_CODEGEN_CPU_EMIT_SCATTERSUMS_H

#include "codegen/cpu/emit/MapLoops.h"

namespace vernier::codegen {

// What one task of a kernel adds to: `places`, each a vector of channels, `step` elements from the next.
struct ScatterMap {
  int64_t tasks, places, step;
  int64_t terms; // the most that one element gets

  bool inDouble() const {
    constexpr int64_t kTermsInPlace = 64;
    return terms > kTermsInPlace;
  }
  // Doubles of a kernel's scratch, its last operand; 0 where it has none.
  int64_t scratch(const Target &target) const { return inDouble() ? tasks * places * target.lanes : 0; }
  std::vector<KernelOperand> operands(std::vector<KernelOperand> operands, const Target &target) const {
    if (const int64_t doubles = scratch(target))
      operands.push_back({doubles, Element::F64});
    return operands;
  }
};
// A task for each vector of channels of each image (overChannelTask).
inline ScatterMap scatterMap(const View &map, int64_t terms, const Target &target) {
  return {channelTasks(map, target), map.h * map.w, map.pixel, terms};
}

// One task's sums.
class ScatterSums {
public:
  // `start`: position of the first place in operand `output`. The elements become 0.
  ScatterSums(KernelBuilder &k, const ScatterMap &map, unsigned output, Value task, Value start,
              int64_t count)
      : k(k), map(map), output(k.operand(output)), start(start), count(count) {
    if (!map.inDouble()) {
      k.forLoop(0, map.places, 1,
                [&](Value place) { k.store(k.constant(0.0f), this->output, mapAt(place), this->count); });
      return;
    }
    scratch = k.operand(output + 1);
    scratchStart = k.mul(task, map.places * k.lanes());
    k.forLoop(0, map.places, 1,
              [&](Value place) { k.storeWide(k.wideConstant(0.0), scratch, scratchAt(place)); });
  }

  void add(Value place, Value value) {
    Value at = map.inDouble() ? scratchAt(place) : mapAt(place);
    if (map.inDouble())
      k.storeWide(addFloat(k, k.loadWide(scratch, at), k.wide(value)), scratch, at);
    else
      k.store(addFloat(k, k.load(output, at, count), value), output, at, count);
  }

  // After the last term.
  void finish() {
    if (map.inDouble())
      k.forLoop(0, map.places, 1, [&](Value place) {
        k.store(k.narrow(k.loadWide(scratch, scratchAt(place))), output, mapAt(place), count);
      });
  }

private:
  Value mapAt(Value place) { return k.add(start, k.mul(place, map.step)); }
  Value scratchAt(Value place) { return k.add(scratchStart, k.mul(place, k.lanes())); }

  KernelBuilder &k;
  const ScatterMap map;
  Value output, start;
  const int64_t count;
  Value scratch, scratchStart;
};

} // namespace vernier::codegen

#endif
