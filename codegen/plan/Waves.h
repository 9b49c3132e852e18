// Which steps of a program may run at the same time.
#ifndef VERNIER_CODEGEN_PLAN_WAVES_H
#define VERNIER_CODEGEN_PLAN_WAVES_H

#include "codegen/program/Program.h"

namespace vernier::codegen {

// Puts steps that do not depend on each other into waves: the branches of a block, the gradients of an input
// and of a weight. What runs a program has to wait only between waves. A step moves forward at most a few
// waves, because what it writes then lives longer, and not at all where it costs `largeStep` (Step::cost) or
// more: alone it keeps the machine busy. Before the memory is planned; steps stay inside or outside a
// repeated part.
void formWaves(Program &program, int64_t largeStep);

} // namespace vernier::codegen

#endif
