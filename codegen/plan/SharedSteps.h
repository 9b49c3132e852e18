// Packed weights that several segments of a program, or inference and evaluation, prepare alike.
#ifndef VERNIER_CODEGEN_PLAN_SHAREDSTEPS_H
#define VERNIER_CODEGEN_PLAN_SHAREDSTEPS_H

#include "codegen/program/Program.h"

namespace vernier::codegen {

// Keeps of the buffers that `prepare` fills in the same way, from the same parameters by the same kernels,
// one each, and the steps that fill it; `infer` and `evaluate` read that one.
void shareEqualSteps(Compilation &compilation);

} // namespace vernier::codegen

#endif
