#include "runtime/device/cpu/CpuFeatures.h"

#include "runtime/Error.h"

#include <algorithm>
#include <fmt/core.h>

namespace vernier::runtime {

static bool cpuHas(std::string_view feature) {
#if defined(__x86_64__)
#define VERNIER_FEATURE(name)                                                                                \
  if (feature == name)                                                                                       \
  return __builtin_cpu_supports(name)
  VERNIER_FEATURE("sse2");
  VERNIER_FEATURE("sse3");
  VERNIER_FEATURE("ssse3");
  VERNIER_FEATURE("sse4.1");
  VERNIER_FEATURE("sse4.2");
  VERNIER_FEATURE("popcnt");
  VERNIER_FEATURE("avx");
  VERNIER_FEATURE("avx2");
  VERNIER_FEATURE("fma");
  VERNIER_FEATURE("bmi");
  VERNIER_FEATURE("bmi2");
  VERNIER_FEATURE("avx512f");
  VERNIER_FEATURE("avx512dq");
  VERNIER_FEATURE("avx512cd");
  VERNIER_FEATURE("avx512bw");
  VERNIER_FEATURE("avx512vl");
  VERNIER_FEATURE("avx512vnni");
  VERNIER_FEATURE("avx512bf16");
#undef VERNIER_FEATURE
  return feature == "sse" || feature == "x86-64"; // part of every 64-bit x86
#elif defined(__aarch64__)
  return feature == "neon" || feature == "fp-armv8" || feature == "aarch64";
#else
  return false;
#endif
}

std::vector<std::string> missingCpuFeatures(std::string_view target) {
  std::vector<std::string> missing;
  while (!target.empty()) {
    const size_t comma = std::min(target.find(','), target.size());
    const std::string_view feature = target.substr(0, comma);
    if (!feature.empty() && !cpuHas(feature))
      missing.emplace_back(feature);
    target.remove_prefix(std::min(comma + 1, target.size()));
  }
  return missing;
}

void requireCpuFeatures(const vn_model &model) {
  const auto missing = missingCpuFeatures(model.target);
  if (!missing.empty()) {
    std::string list;
    for (const std::string &feature : missing)
      list += (list.empty() ? "`" : ", `") + feature + "`";
    throw Error(VN_ERROR_CPU, fmt::format("this CPU lacks {}, which model `{}` needs", list, model.name))
        .note(fmt::format("the model was built for `{}`", model.target))
        .help("build it again for this CPU, or for an older one with `vernier build --cpu`");
  }
}

} // namespace vernier::runtime
