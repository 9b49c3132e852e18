// Activations and their derivatives on vectors.
#ifndef VERNIER_CODEGEN_CPU_EMIT_ACTIVATIONCODE_H
#define VERNIER_CODEGEN_CPU_EMIT_ACTIVATIONCODE_H

#include "codegen/cpu/emit/KernelBuilder.h"
#include "codegen/cpu/kernels/Kernels.h"

namespace vernier::codegen {

Value applyActivation(KernelBuilder &k, Value x, Activation activation);
// dy times the derivative, by the activation's result or, with derivativeNeedsInput, by what it was applied
// to.
Value activationGradient(KernelBuilder &k, Value of, Value dy, Activation activation);

Value exponential(KernelBuilder &k, Value x);
Value logarithm(KernelBuilder &k, Value x);

} // namespace vernier::codegen

#endif
