// Whether this CPU runs the code that a model was generated for.
#ifndef VERNIER_RUNTIME_DEVICE_CPU_CPUFEATURES_H
#define VERNIER_RUNTIME_DEVICE_CPU_CPUFEATURES_H

#include "vernier/abi.h"

#include <string>
#include <string_view>
#include <vector>

namespace vernier::runtime {

/// Those of `target` ("avx512f,avx512vl,fma") that this CPU lacks or this runtime does not know.
std::vector<std::string> missingCpuFeatures(std::string_view target);

/// Throws VN_ERROR_CPU where this CPU cannot run the model.
void requireCpuFeatures(const vn_model &model);

} // namespace vernier::runtime

#endif
