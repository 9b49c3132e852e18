// Where the parameters of a training build lie.
#ifndef VERNIER_CODEGEN_PROGRAM_PARAMETERLAYOUT_H
#define VERNIER_CODEGEN_PROGRAM_PARAMETERLAYOUT_H

#include "codegen/program/Program.h"

namespace vernier::codegen {

// Lays out parameters, and with them their gradients, sums and momentum, in the order of the last step of
// train_step that writes the gradient: a range of the gradients is whole, and can be sent to another machine,
// before the rest is computed.
void layOutParameters(Compilation &compilation);

} // namespace vernier::codegen

#endif
