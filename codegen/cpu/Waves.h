// Which steps of a program may run at the same time.
#ifndef VERNIER_CODEGEN_CPU_WAVES_H
#define VERNIER_CODEGEN_CPU_WAVES_H

#include "codegen/cpu/MachineModel.h"
#include "codegen/program/Program.h"

namespace vernier::codegen {

// Puts steps that do not depend on each other into waves: the branches of a block, the gradients of an input
// and of a weight. The threads divide the tasks of a whole wave, and wait for each other only between waves.
// A step moves forward at most a few waves, because what it writes then lives longer. Before the memory is
// planned; steps stay inside or outside a repeated part.
void formWaves(Program &program, const MachineModel &machine = {});

} // namespace vernier::codegen

#endif
