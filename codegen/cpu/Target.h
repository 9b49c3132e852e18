// The CPU that kernels are generated for.
#ifndef VERNIER_CODEGEN_CPU_TARGET_H
#define VERNIER_CODEGEN_CPU_TARGET_H

#include "codegen/cpu/MachineModel.h"
#include "codegen/tables/ObjectFile.h"

#include "llvm/ADT/StringMap.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vernier::codegen {

struct Target {
  std::string name;       // as given: "native", "avx512bf16", "avx512", "avx2", "sse", "aarch64"
  std::string triple;     // LLVM target triple
  std::string cpu;        // LLVM CPU name, of the oldest CPU of the architecture
  std::string features;   // LLVM feature string: "+avx2,+fma", beyond those of `cpu`
  std::string required;   // the same for vn_model.target: what the runtime must find, comma-separated
  std::string tuning;     // LLVM CPU name whose pipeline instructions are ordered for
  int64_t lanes = 4;      // float32 per vector register
  int64_t registers = 16; // vector registers
  bool fma = false;
  MachineModel machine;
  bool bfloat16Dot = false; // AVX512-BF16: sums of products of bfloat16 pairs, and rounding to bfloat16

  ObjectTarget objects() const { return {triple, cpu, features}; }
};

// "native" reads this machine; the others name a class of machines. Nothing for an unknown name.
std::optional<Target> makeTarget(const std::string &name);
const std::vector<std::string> &targetNames();

// "native" of a machine that has these features, by LLVM's names, whatever its CPU's name promises: a
// hypervisor may hide some.
Target targetOfHost(const std::string &triple, const std::string &cpu, const llvm::StringMap<bool> &features);

} // namespace vernier::codegen

#endif
