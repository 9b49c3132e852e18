// From loop nests to object files: MLIR to the LLVM dialect, LLVM's optimiser, machine code. All in process.
#ifndef VERNIER_CODEGEN_CPU_EMIT_EMIT_H
#define VERNIER_CODEGEN_CPU_EMIT_EMIT_H

#include "codegen/cpu/Target.h"
#include "codegen/program/Element.h"

#include "llvm/Support/Error.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vernier::codegen {

class KernelBuilder;

struct KernelDefinition {
  std::string name; // of the symbol, of type vn_kernel, behind the prefix
  std::vector<KernelOperand> operands;
  std::function<void(KernelBuilder &)> build; // begin() ... end()
};

// One object file per shard; the shards are compiled by as many threads. The symbols of the kernels begin
// with `prefix`: what is linked into one program needs one of its own, because two targets' kernels share
// names.
llvm::Expected<std::vector<std::string>> emitKernels(const std::vector<KernelDefinition> &kernels,
                                                     const Target &target, unsigned shards,
                                                     const std::string &prefix = "");

} // namespace vernier::codegen

#endif
