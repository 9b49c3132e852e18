// Two sums over all pixels for each channel of a map: in chunks of rows, each a task's own partial sums,
// which a second kernel adds in a fixed order.
#ifndef VERNIER_CODEGEN_CPU_EMIT_PIXELSUMS_H
#define VERNIER_CODEGEN_CPU_EMIT_PIXELSUMS_H

#include "codegen/cpu/emit/MapLoops.h"

#include <array>

namespace vernier::codegen {

inline Value pixelPosition(KernelBuilder &k, const View &view, Value pixel, Value c) {
  return k.add(k.mul(pixel, view.pixel), c);
}

// Adds `sums` terms, vectors of doubles, over pixels `first` to before `last` for each vector of channels,
// into part `part` of partial [part][sum][channels], whose channels are whole vectors.
void sumPixels(
    KernelBuilder &k, Value first, Value last, const View &x, int64_t sums, Value partial, Value part,
    llvm::function_ref<KernelBuilder::Values(Value pixel, Value c, int64_t count, Value prepared)> terms,
    llvm::function_ref<Value(Value c, int64_t count)> prepare);

// Adds two terms, vectors of doubles, over the pixels of chunk `task` for each vector of channels, into
// partial [chunk][2][channels]. In double: gradients through a batch norm over few pixels magnify what
// float32 sums lose. `prepare` gives what the terms of these channels share.
void chunkSums(
    KernelBuilder &k, Value task, const View &x, Value partial,
    llvm::function_ref<std::array<Value, 2>(Value pixel, Value c, int64_t count, Value prepared)> terms,
    llvm::function_ref<Value(Value c, int64_t count)> prepare);

// The two sums over all parts, in double.
std::pair<Value, Value> addParts(KernelBuilder &k, Value partial, const View &x, int64_t parts, Value c);

KernelOperand partialSums(const View &x, int64_t parts, const Target &target);

// A kernel that finishes sums, one vector of channels a task: there may be thousands of parts.
KernelCode finishKernel(std::string name, int64_t channels, std::vector<KernelOperand> operands,
                        const Target &target,
                        std::function<void(KernelBuilder &, Value c, int64_t count)> body);

} // namespace vernier::codegen

#endif
