#include "codegen/cpu/Target.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

namespace vernier::codegen {
namespace {

// 512-bit registers are wanted whole: the kernels' tiles are counted in them.
constexpr const char *kWholeRegisters = ",-prefer-256-bit";

constexpr const char *kAvx2[] = {"avx2", "fma", "bmi", "bmi2"};
constexpr const char *kAvx512[] = {"avx512f", "avx512vl", "avx512bw", "avx512dq", "fma", "bmi", "bmi2"};
constexpr const char *kBFloat16 = "avx512bf16";

// The oldest CPU of the architecture with these features and no others: what an LLVM CPU's name stands for
// includes features that nobody has asked the machine for.
Target withFeatures(Target target, llvm::ArrayRef<const char *> features) {
  target.required = llvm::join(features, ",");
  target.features = "+" + llvm::join(features, ",+");
  return target;
}

Target x86(std::string name, std::string tuning) {
  Target target;
  target.name = std::move(name);
  target.triple = "x86_64-pc-linux-gnu";
  target.cpu = "x86-64";
  target.tuning = std::move(tuning);
  return target;
}

Target avx512(bool bfloat16) {
  llvm::SmallVector<const char *> features(std::begin(kAvx512), std::end(kAvx512));
  if (bfloat16)
    features.push_back(kBFloat16);
  Target target = withFeatures(x86(bfloat16 ? "avx512bf16" : "avx512", "x86-64-v4"), features);
  target.features += kWholeRegisters;
  target.lanes = 16;
  target.registers = 32;
  target.fma = true;
  target.bfloat16Dot = bfloat16;
  return target;
}
Target avx2() {
  Target target = withFeatures(x86("avx2", "x86-64-v3"), kAvx2);
  target.lanes = 8;
  target.fma = true;
  return target;
}
Target sse() { return withFeatures(x86("sse", "generic"), {"sse2"}); }
Target aarch64() {
  Target target;
  target.name = "aarch64";
  target.triple = "aarch64-linux-gnu";
  target.cpu = target.tuning = "generic";
  target.registers = 32;
  target.fma = true;
  return withFeatures(target, {"neon"});
}

} // namespace

const std::vector<std::string> &targetNames() {
  static const std::vector<std::string> names = {"native", "avx512bf16", "avx512", "avx2", "sse", "aarch64"};
  return names;
}

Target targetOfHost(const std::string &triple, const std::string &cpu,
                    const llvm::StringMap<bool> &features) {
  const auto has = [&](llvm::ArrayRef<const char *> wanted) {
    return llvm::all_of(wanted, [&](const char *feature) { return features.lookup(feature); });
  };
  Target target;
  if (llvm::Triple(triple).isAArch64())
    target = aarch64();
  else if (has(kAvx512))
    target = avx512(has({kBFloat16}));
  else if (has(kAvx2))
    target = avx2();
  else
    target = sse();
  target.name = "native";
  target.triple = triple;
  target.tuning = cpu;
  return target;
}

std::optional<Target> makeTarget(const std::string &name) {
  if (name == "avx512bf16")
    return avx512(true);
  if (name == "avx512")
    return avx512(false);
  if (name == "avx2")
    return avx2();
  if (name == "sse")
    return sse();
  if (name == "aarch64")
    return aarch64();
  if (name != "native")
    return std::nullopt;
  return targetOfHost(llvm::sys::getDefaultTargetTriple(), llvm::sys::getHostCPUName().str(),
                      llvm::sys::getHostCPUFeatures());
}

} // namespace vernier::codegen
