#include "codegen/cpu/emit/ChannelLoops.h"

namespace vernier::codegen {

void overPixels(KernelBuilder &k, const View &x, Value row, llvm::function_ref<void(Value)> body) {
  k.forLoop(0, x.w, 1, [&](Value column) { body(k.add(k.mul(row, x.w), column)); });
}

KernelBuilder::Values
foldChannels(KernelBuilder &k, int64_t channels, KernelBuilder::Values values,
             llvm::function_ref<KernelBuilder::Values(mlir::ValueRange, Value, int64_t)> next) {
  const int64_t whole = channels / k.lanes() * k.lanes();
  if (whole)
    values = k.forLoop(k.index(0), k.index(whole), k.lanes(), values,
                       [&](Value c, mlir::ValueRange carried) { return next(carried, c, k.lanes()); });
  if (whole < channels)
    values = next(values, k.index(whole), channels - whole);
  return values;
}

KernelBuilder::Values sumChannels(KernelBuilder &k, int64_t channels, unsigned sums,
                                  llvm::function_ref<KernelBuilder::Values(Value, int64_t)> terms) {
  KernelBuilder::Values all =
      foldChannels(k, channels, KernelBuilder::Values(sums, k.wideConstant(0.0)),
                   [&](mlir::ValueRange carried, Value c, int64_t count) {
                     KernelBuilder::Values next;
                     for (auto [sum, term] : llvm::zip_equal(carried, terms(c, count)))
                       next.push_back(addFloat(k, sum, term));
                     return next;
                   });
  for (Value &sum : all)
    sum = k.reduceAdd(sum);
  return all;
}

} // namespace vernier::codegen
