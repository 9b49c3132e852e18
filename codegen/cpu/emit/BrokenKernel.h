// A fault for the tests of `vernier verify`: what it must find.
#ifndef VERNIER_CODEGEN_CPU_EMIT_BROKENKERNEL_H
#define VERNIER_CODEGEN_CPU_EMIT_BROKENKERNEL_H

#include "codegen/cpu/emit/Emit.h"

namespace vernier::codegen {

// Lets a kernel leave out its multiply-adds, or else another operation on floats, or a store.
void breakKernel(KernelDefinition &kernel);

} // namespace vernier::codegen

#endif
