// Loops that kernels over whole maps share.
#ifndef VERNIER_CODEGEN_CPU_EMIT_MAPLOOPS_H
#define VERNIER_CODEGEN_CPU_EMIT_MAPLOOPS_H

#include "codegen/cpu/emit/KernelBuilder.h"
#include "codegen/cpu/kernels/Kernels.h"

#include <algorithm>

namespace vernier::codegen {

// Over one row (n, y), a task, of maps of the same N x H x W x C: calls body(positions, c, count) with each
// map's position of `count` channels from channel c. Where every map is dense the row is one run of w * c
// elements (c is then no channel).
inline void overRow(KernelBuilder &k, Value row, llvm::ArrayRef<View> views,
                    llvm::function_ref<void(llvm::ArrayRef<Value>, Value, int64_t)> body,
                    bool mayFlatten = true) {
  const View &first = views.front();
  bool flat = mayFlatten;
  for (const View &view : views)
    flat &= view.dense();
  llvm::SmallVector<Value> starts;
  for (const View &view : views)
    starts.push_back(k.mul(row, view.row()));
  const auto channels = [&](Value x, int64_t count) {
    k.forChannels(count, [&](Value c, int64_t lanes) {
      llvm::SmallVector<Value> positions;
      for (size_t i = 0; i < views.size(); ++i)
        positions.push_back(k.add(k.add(starts[i], k.mul(x, views[i].pixel)), c));
      body(positions, c, lanes);
    });
  };
  if (flat)
    channels(k.index(0), first.w * first.c);
  else
    k.forLoop(0, first.w, 1, [&](Value x) { channels(x, first.c); });
}

// Rows of a map: one task each.
inline int64_t rowTasks(const View &view) { return view.n * view.h; }

// Position of pixel (n, y, x), channel c.
inline Value position(KernelBuilder &k, const View &view, Value n, Value y, Value x, Value c) {
  return k.add(k.add(k.add(k.mul(n, view.image()), k.mul(y, view.row())), k.mul(x, view.pixel)), c);
}

// Calls body(n, c, count) for a task that owns one vector of channels of one image: kernels that scatter into
// a map.
inline int64_t channelTasks(const View &view, const Target &target) {
  return view.n * ceilDiv(view.c, target.lanes);
}
inline void overChannelTask(KernelBuilder &k, Value task, const View &view,
                            llvm::function_ref<void(Value n, Value c, int64_t count)> body) {
  const int64_t vectors = ceilDiv(view.c, k.lanes()), rest = view.c - (vectors - 1) * k.lanes();
  auto digits = k.split(task, {view.n, vectors});
  Value c = k.mul(digits[1], k.lanes());
  if (rest == k.lanes())
    body(digits[0], c, k.lanes());
  else if (vectors == 1)
    body(digits[0], c, rest);
  else
    k.ifThen(
        k.less(digits[1], k.index(vectors - 1)), [&] { body(digits[0], c, k.lanes()); },
        [&] { body(digits[0], c, rest); });
}

// `elements` numbers in a row as runs of a few vectors.
struct Runs {
  int64_t elements, lanes, vectors;
  int64_t count() const { return ceilDiv(elements, vectors * lanes); }
};
// Calls body(start, counts) for one of them: its vector v holds counts[v] numbers.
inline void overRun(KernelBuilder &k, const Runs &runs, Value run,
                    llvm::function_ref<void(Value start, llvm::ArrayRef<int64_t> counts)> body) {
  Value start = k.mul(run, runs.vectors * runs.lanes);
  const auto vectorsOf = [&](int64_t elements) {
    llvm::SmallVector<int64_t> counts;
    for (; elements > 0; elements -= runs.lanes)
      counts.push_back(std::min(elements, runs.lanes));
    body(start, counts);
  };
  const int64_t whole = runs.vectors * runs.lanes, rest = runs.elements - (runs.count() - 1) * whole;
  if (rest == whole || runs.count() == 1)
    vectorsOf(rest);
  else
    k.ifThen(
        k.less(run, k.index(runs.count() - 1)), [&] { vectorsOf(whole); }, [&] { vectorsOf(rest); });
}

inline Value addFloat(KernelBuilder &k, Value a, Value b) {
  return mlir::arith::AddFOp::create(k.builder(), k.location(), a, b);
}
inline Value subFloat(KernelBuilder &k, Value a, Value b) {
  return mlir::arith::SubFOp::create(k.builder(), k.location(), a, b);
}
inline Value mulFloat(KernelBuilder &k, Value a, Value b) {
  return mlir::arith::MulFOp::create(k.builder(), k.location(), a, b);
}
inline Value divFloat(KernelBuilder &k, Value a, Value b) {
  return mlir::arith::DivFOp::create(k.builder(), k.location(), a, b);
}
inline Value isNaN(KernelBuilder &k, Value a) {
  return mlir::arith::CmpFOp::create(k.builder(), k.location(), mlir::arith::CmpFPredicate::UNO, a, a);
}
// NaN where either is.
inline Value maxFloat(KernelBuilder &k, Value a, Value b) { return k.choose(isNaN(k, a), a, k.larger(a, b)); }
Value squareRoot(KernelBuilder &k, Value x);
// An index, or an int32, as float32.
Value toFloat(KernelBuilder &k, Value index);

// A number as a part of a kernel's name, with all its digits: "1em05".
std::string numberName(double value);
// The factor of a resampling by its bits, where there is one.
std::string scaleName(double scale);

// Of as many vectors as they have lanes: row i, lane j becomes row j, lane i.
void transposeSquare(KernelBuilder &k, llvm::MutableArrayRef<Value> rows);

// A kernel whose every task is body(task).
KernelCode makeKernel(std::string name, int64_t tasks, std::vector<KernelOperand> operands,
                      std::function<void(KernelBuilder &, Value task)> body);

} // namespace vernier::codegen

#endif
