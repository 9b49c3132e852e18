// bfloat16 in kernels: the upper half of a float32, stored as 16-bit integers. All arithmetic is float32's.
//
// Loading widens by a shift and is exact. Storing rounds to nearest, ties to even; NaN stays NaN. Where the
// target has AVX512-BF16, storing is vcvtneps2bf16 and the sum of two products vdpbf16ps; elsewhere both are
// written out in integer and float32 operations, in the same order. Three differences remain: those
// instructions take subnormal numbers as 0 and flush subnormal results to 0, they round to nearest whatever
// the caller's mode, and without fused multiply-add (SSE) each product is rounded before it is added, which
// changes nothing, as the product of two bfloat16 numbers is exact in float32.
#ifndef VERNIER_CODEGEN_CPU_EMIT_BFLOAT16CODE_H
#define VERNIER_CODEGEN_CPU_EMIT_BFLOAT16CODE_H

#include "codegen/cpu/emit/KernelBuilder.h"

namespace vernier::codegen {

// 16-bit integers to float32 and back; scalars or vectors.
Value widenBFloat16(KernelBuilder &k, Value bits);
Value roundToBFloat16(KernelBuilder &k, Value value);

// A pair is two bfloat16 numbers side by side in memory, held as one 32-bit lane.

// lanes() pairs from `position` on.
Value loadPairs(KernelBuilder &k, Value buffer, Value position);
// The pair at `position` in every lane; or the number there as the second of a pair with 0.
Value broadcastPair(KernelBuilder &k, Value buffer, Value position);
Value broadcastSecond(KernelBuilder &k, Value buffer, Value position);
// Lane i gets pair pairs[i] of `count` numbers from `position` on; what lies beyond them is 0.
Value loadPermutedPairs(KernelBuilder &k, Value buffer, Value position, int64_t count,
                        llvm::ArrayRef<int64_t> pairs);
// accumulator + a.second * c.second + a.first * c.first in each lane, rounded after each of the two.
Value dotPairs(KernelBuilder &k, Value a, Value c, Value accumulator);

} // namespace vernier::codegen

#endif
