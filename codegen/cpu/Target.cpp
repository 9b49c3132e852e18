#include "codegen/cpu/Target.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

namespace vernier::codegen {
namespace {

// 512-bit registers are wanted whole: the kernels' tiles are counted in them.
constexpr const char *kWholeRegisters = "-prefer-256-bit";

Target avx512() {
  const char *required = "avx512f,avx512vl,avx512bw,avx512dq,fma";
  return {"avx512", "x86_64-pc-linux-gnu", "x86-64-v4", kWholeRegisters, required, 16, 32, true};
}
Target avx512bf16() {
  Target target = avx512();
  target.name = "avx512bf16";
  target.features += ",+avx512bf16";
  target.required += ",avx512bf16";
  target.bfloat16Dot = true;
  return target;
}
Target avx2() { return {"avx2", "x86_64-pc-linux-gnu", "x86-64-v3", "", "avx2,fma", 8, 16, true}; }
Target sse() { return {"sse", "x86_64-pc-linux-gnu", "x86-64", "", "sse2", 4, 16, false}; }
Target aarch64() { return {"aarch64", "aarch64-linux-gnu", "generic", "+neon", "neon", 4, 32, true}; }

} // namespace

const std::vector<std::string> &targetNames() {
  static const std::vector<std::string> names = {"native", "avx512bf16", "avx512", "avx2", "sse", "aarch64"};
  return names;
}

std::optional<Target> makeTarget(const std::string &name) {
  if (name == "avx512bf16")
    return avx512bf16();
  if (name == "avx512")
    return avx512();
  if (name == "avx2")
    return avx2();
  if (name == "sse")
    return sse();
  if (name == "aarch64")
    return aarch64();
  if (name != "native")
    return std::nullopt;

  auto host = llvm::sys::getHostCPUFeatures();
  const auto has = [&](const char *feature) {
    auto it = host.find(feature);
    return it != host.end() && it->second;
  };
  Target target;
  if (llvm::sys::getDefaultTargetTriple().rfind("aarch64", 0) == 0)
    target = aarch64();
  else if (has("avx512f") && has("avx512vl") && has("avx512bw") && has("avx512dq"))
    target = has("avx512bf16") ? avx512bf16() : avx512();
  else if (has("avx2") && has("fma"))
    target = avx2();
  else
    target = sse();
  target.name = "native";
  target.triple = llvm::sys::getDefaultTargetTriple();
  target.cpu = llvm::sys::getHostCPUName().str();
  return target;
}

} // namespace vernier::codegen
