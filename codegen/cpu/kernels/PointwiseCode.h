// Functions of one element and its target, and their derivatives, on vectors.
#ifndef VERNIER_CODEGEN_CPU_KERNELS_POINTWISECODE_H
#define VERNIER_CODEGEN_CPU_KERNELS_POINTWISECODE_H

#include "codegen/cpu/emit/MapLoops.h"

namespace vernier::codegen {

// `target` is null where the function has none.
Value pointwiseValue(KernelBuilder &k, const PointwiseFunction &function, Value x, Value target);
Value pointwiseDerivative(KernelBuilder &k, const PointwiseFunction &function, Value x, Value target);

// 0 in all but the first `count` lanes.
Value firstLanes(KernelBuilder &k, Value vector, int64_t count);

} // namespace vernier::codegen

#endif
