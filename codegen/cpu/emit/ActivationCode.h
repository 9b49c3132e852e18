// Activations and their derivatives on vectors.
#ifndef VERNIER_CODEGEN_CPU_EMIT_ACTIVATIONCODE_H
#define VERNIER_CODEGEN_CPU_EMIT_ACTIVATIONCODE_H

#include "codegen/cpu/emit/KernelBuilder.h"
#include "codegen/cpu/kernels/Kernels.h"

namespace vernier::codegen {

Value applyActivation(KernelBuilder &k, Value x, Activation activation);
// dy times the derivative, which all of these can tell from their output y.
Value activationGradient(KernelBuilder &k, Value y, Value dy, Activation activation);

Value exponential(KernelBuilder &k, Value x);
Value logarithm(KernelBuilder &k, Value x);

} // namespace vernier::codegen

#endif
