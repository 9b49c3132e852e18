// Static placement of a program's buffers in one arena.
#ifndef VERNIER_CODEGEN_MEMORYPLAN_H
#define VERNIER_CODEGEN_MEMORYPLAN_H

#include "codegen/Program.h"

namespace vernier::codegen {

// Gives every arena buffer that `program` uses an offset and the program its bound. Two buffers that are
// alive in the same step do not overlap, except where a step may overwrite an operand that dies in it
// (Step::mayReuse).
void planMemory(std::vector<Buffer> &buffers, Program &program);

// The same without sharing: every buffer from `begin` on, one after the other.
void placeApart(std::vector<Buffer> &buffers, Program &program, int64_t begin = 0);

// Writes out the repeated steps. After planning: the runs of a repeated part share their memory.
void expandRepeats(Program &program);

} // namespace vernier::codegen

#endif
