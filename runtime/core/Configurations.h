// The configurations of a model with open holes: all, or a sample.
#ifndef VERNIER_RUNTIME_CORE_CONFIGURATIONS_H
#define VERNIER_RUNTIME_CORE_CONFIGURATIONS_H

#include "runtime/core/Choices.h"

namespace vernier::runtime {

/// All configurations, the last hole's choices first; or, of more than `sample`, so many drawn with `seed`,
/// each once. Refuses to list more than about a million.
std::vector<Choices> enumerateConfigurations(const ModelOutline &model, int64_t sample = 0, int64_t seed = 1);

/// So few configurations that together have every variant of every segment of a program at least once. In
/// another round variants come together with others.
std::vector<Choices> coveringConfigurations(const vn_model &model, const vn_program &program, int64_t round);

} // namespace vernier::runtime

#endif
