// Loops over the channels of one pixel, where a pixel's numbers depend on all of them.
#ifndef VERNIER_CODEGEN_CPU_EMIT_CHANNELLOOPS_H
#define VERNIER_CODEGEN_CPU_EMIT_CHANNELLOOPS_H

#include "codegen/cpu/emit/MapLoops.h"

namespace vernier::codegen {

// Calls body(pixel) for each pixel of a row, a task.
void overPixels(KernelBuilder &k, const View &x, Value row, llvm::function_ref<void(Value pixel)> body);

// Folds vectors of channels into `values`: next(values, c, count) gives the new ones, of whole vectors in a
// loop, then of a tail.
KernelBuilder::Values
foldChannels(KernelBuilder &k, int64_t channels, KernelBuilder::Values values,
             llvm::function_ref<KernelBuilder::Values(mlir::ValueRange, Value c, int64_t count)> next);

// Sums over channels, in double: as many as `terms` gives, which are vectors of doubles, 0 beyond the last
// channel.
KernelBuilder::Values sumChannels(KernelBuilder &k, int64_t channels, unsigned sums,
                                  llvm::function_ref<KernelBuilder::Values(Value c, int64_t count)> terms);

} // namespace vernier::codegen

#endif
