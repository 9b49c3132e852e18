// Problems solved by the interpreter's code, on operands in memory.
#ifndef VERNIER_TESTS_CODEGEN_REFERENCESOLVER_H
#define VERNIER_TESTS_CODEGEN_REFERENCESOLVER_H

#include "codegen/program/Problems.h"

namespace vernier::tests {

// `operands`: what the problem reads, then what it writes, at the addresses where they begin. Weights in the
// layout that a WeightLayoutProblem asks for are those of the parameter, the last one first; sums are [2][C]
// in double.
void solve(const codegen::Problem &problem, void *const *operands);

} // namespace vernier::tests

#endif
