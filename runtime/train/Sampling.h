// Which configurations of a model with open holes a training step runs.
#ifndef VERNIER_RUNTIME_TRAIN_SAMPLING_H
#define VERNIER_RUNTIME_TRAIN_SAMPLING_H

#include "runtime/core/Choices.h"

namespace vernier::runtime {

enum class Sampling { Fair, Random };

/// The configurations of one update (Resizable Neural Networks, algorithm 1), as many as the hole with most
/// choices has. Fair: each choice of a hole comes once, in an order that is random and independent of other
/// holes'; of a hole with fewer choices each comes as often as another, or once more. Random: each is drawn
/// by itself. A function of seed and update: a resumed run goes on with the same ones.
std::vector<Choices> sampleConfigurations(const vn_model &model, Sampling sampling, uint64_t seed,
                                          int64_t update);

} // namespace vernier::runtime

#endif
