// Warnings of what a file names and nothing reads.
#ifndef VERNIER_DSL_UNUSED_H
#define VERNIER_DSL_UNUSED_H

#include "dsl/Diagnostics.h"
#include "dsl/Program.h"

namespace vernier::dsl {

// Values, parameters and imports of the program's first file. The program has been checked without errors.
// Names that begin with `_`, and the variables of loops, may stay unused.
void warnOfUnused(const Program &program, Diagnostics &diagnostics);

} // namespace vernier::dsl

#endif
