// Static placement of a program's buffers in one arena.
#ifndef VERNIER_CODEGEN_PLAN_MEMORYPLAN_H
#define VERNIER_CODEGEN_PLAN_MEMORYPLAN_H

#include "codegen/program/Program.h"

namespace vernier::codegen {

// Gives every arena buffer that `program` uses an offset and the program its bound. Two buffers that are
// alive in the same step do not overlap, except where a step may overwrite an operand that dies in it
// (Step::mayReuse).
void planMemory(std::vector<Buffer> &buffers, Program &program);

// Programs of which one runs: the variants of a segment.
struct Alternatives {
  int segment = 0; // several groups of one segment run the same variant
  std::vector<const Program *> variants;
};

// The same for programs that run one after the other, one of each group; what several segments use keeps its
// place from the first to the last. Returns the bound.
int64_t planMemory(std::vector<Buffer> &buffers, const std::vector<Alternatives> &groups);

// The same without sharing: every buffer from `begin` on, one after the other.
void placeApart(std::vector<Buffer> &buffers, Program &program, int64_t begin = 0);

// Writes out the repeated steps. After planning: the runs of a repeated part share their memory.
void expandRepeats(Program &program);

} // namespace vernier::codegen

#endif
