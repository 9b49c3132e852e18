// A compilation as text, for people.
#ifndef VERNIER_CODEGEN_PROGRAM_PRINTPROGRAM_H
#define VERNIER_CODEGEN_PROGRAM_PRINTPROGRAM_H

#include "codegen/program/Program.h"

#include "llvm/Support/raw_ostream.h"

namespace vernier::codegen {

// Of each program that has steps, its arrays and, for each step, where it comes from in the specification,
// what it computes, what the backend has chosen for it, and where its operands lie. A step that may run
// beside the one before it is marked `|`.
void printPrograms(llvm::raw_ostream &out, const Compilation &compilation);

} // namespace vernier::codegen

#endif
