#ifndef VERNIER_RUNTIME_CORE_CHECKMODEL_H
#define VERNIER_RUNTIME_CORE_CHECKMODEL_H

#include "vernier/abi.h"

namespace vernier::runtime {

/// Refuses a model of another ABI, and one whose tables point outside its spaces. What passes may be indexed
/// without further checks.
void checkModel(const vn_model &model);

} // namespace vernier::runtime

#endif
