// What a kernel's machine code consists of, counted without running it: a measure of speed that noise cannot
// move.
#ifndef VERNIER_TESTS_CODEGEN_STATICCOUNTS_H
#define VERNIER_TESTS_CODEGEN_STATICCOUNTS_H

#include "codegen/cpu/Target.h"

#include "llvm/Support/Error.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vernier::tests {

// All of vector registers. An instruction that multiplies with a memory operand is a load as well. A spill is
// a load or store of the stack inside a loop. Dot products, of bfloat16 pairs, are multiply-adds as well.
enum Count { MultiplyAdds, DotProducts, Loads, Stores, Spills, CodeBytes, NumCounts };
using StaticCounts = std::array<int64_t, NumCounts>;

// Of all code in an x86 object file.
llvm::Expected<StaticCounts> countInstructions(const std::string &object, const codegen::Target &target);

// The instructions of an object file that a CPU of the target's architecture with these features alone
// ("avx2", "fma") does not have.
llvm::Expected<std::vector<std::string>> foreignInstructions(const std::string &object,
                                                             const codegen::Target &target,
                                                             const std::vector<std::string> &features);

} // namespace vernier::tests

#endif
