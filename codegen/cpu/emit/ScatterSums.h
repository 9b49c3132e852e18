// Gradients that are scattered over a map: each element of a finer one is added to some of its elements.
// Where one element may get many terms they are added up in double, in a scratch, and rounded once.
#ifndef VERNIER_CODEGEN_CPU_EMIT_SCATTERSUMS_H
#define VERNIER_CODEGEN_CPU_EMIT_SCATTERSUMS_H

#include "codegen/cpu/emit/MapLoops.h"

namespace vernier::codegen {

// `terms`: the most that one element gets.
inline bool scattersInDouble(int64_t terms) {
  constexpr int64_t kTermsInPlace = 64;
  return terms > kTermsInPlace;
}
// Doubles of a kernel's scratch, its last operand; 0 where it has none.
inline int64_t scatterScratch(const View &map, int64_t terms, const Target &target) {
  return scattersInDouble(terms) ? channelTasks(map, target) * map.h * map.w * target.lanes : 0;
}
inline std::vector<KernelOperand> scatterOperands(std::vector<KernelOperand> operands, const View &map,
                                                  int64_t terms, const Target &target) {
  if (const int64_t doubles = scatterScratch(map, terms, target))
    operands.push_back({doubles, Element::F64});
  return operands;
}

// One task's vector of channels of one image (overChannelTask).
class ScatterSums {
public:
  // The map is operand `output`; its elements become 0.
  ScatterSums(KernelBuilder &k, const View &map, unsigned output, int64_t terms, Value task, Value n, Value c,
              int64_t count)
      : k(k), map(map), output(k.operand(output)), inDouble(scattersInDouble(terms)),
        start(k.add(k.mul(n, map.image()), c)), count(count) {
    if (!inDouble) {
      clearChannels(k, this->output, map, n, c, count);
      return;
    }
    scratch = k.operand(output + 1);
    scratchStart = k.mul(task, map.h * map.w * k.lanes());
    overPixels([&](Value, Value at) { k.storeWide(k.wideConstant(0.0), scratch, at); });
  }

  void add(Value y, Value x, Value value) {
    Value pixel = k.add(k.mul(y, map.w), x);
    Value at = inDouble ? scratchAt(pixel) : mapAt(pixel);
    if (inDouble)
      k.storeWide(addFloat(k, k.loadWide(scratch, at), k.wide(value)), scratch, at);
    else
      k.store(addFloat(k, k.load(output, at, count), value), output, at, count);
  }

  // After the last term.
  void finish() {
    if (inDouble)
      overPixels([&](Value pixel, Value at) {
        k.store(k.narrow(k.loadWide(scratch, at)), output, mapAt(pixel), count);
      });
  }

private:
  Value mapAt(Value pixel) { return k.add(start, k.mul(pixel, map.pixel)); }
  Value scratchAt(Value pixel) { return k.add(scratchStart, k.mul(pixel, k.lanes())); }
  void overPixels(llvm::function_ref<void(Value pixel, Value at)> body) {
    k.forLoop(0, map.h * map.w, 1, [&](Value pixel) { body(pixel, scratchAt(pixel)); });
  }

  KernelBuilder &k;
  const View map;
  Value output;
  const bool inDouble;
  Value start;
  const int64_t count;
  Value scratch, scratchStart;
};

} // namespace vernier::codegen

#endif
