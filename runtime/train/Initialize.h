#ifndef VERNIER_RUNTIME_TRAIN_INITIALIZE_H
#define VERNIER_RUNTIME_TRAIN_INITIALIZE_H

#include "runtime/core/Session.h"

#include <cstdint>

namespace vernier::runtime {

struct Initialization {
  uint64_t seed = 0;
  bool uniform = false; ///< He's uniform distribution instead of the normal one, of the same variance
};

/// Fresh weights, as PyTorch's ResNets have them: convolutions after He et al. with gain sqrt(2) over the
/// fan-out, linear layers and all biases uniform within 1/sqrt(fan-in), batch norm 1 and 0. Each tensor's
/// values depend on the seed and its name only, so that networks that share places start alike.
void initializeWeights(Session &session, const Initialization &options);

} // namespace vernier::runtime

#endif
