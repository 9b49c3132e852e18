// Measures what neurons cost in time on this machine.
//
// The seed network is compiled as it is and, for each scale, with half of that scale's neurons; what the
// steps take less, divided by the neurons that are gone, is the cost of one. Steps of ops whose shapes change
// with a hole are that hole's: its convolutions, what resizes and normalises their results, and what reads
// them. Holes that no op shares are changed at the same time, so that a network needs as many programs as its
// holes have scales, and one more.
#ifndef VERNIER_DRIVER_LATENCY_NEURONLATENCY_H
#define VERNIER_DRIVER_LATENCY_NEURONLATENCY_H

#include "compiler/analysis/LearnedHoles.h"
#include "compiler/lower/Configuration.h"
#include "driver/CodeOptions.h"
#include "driver/latency/LatencyTable.h"

namespace vernier::driver {

struct TimingOptions {
  int64_t threads = 0; // 0: as a built program's
  int64_t runs = 30;
};

// Of all learned holes of `model`, which is loaded without a configuration. Refuses what cannot be compiled
// for this machine.
LatencyTable measureNeurons(const LoadedModel &model, const ModelOptions &options, const CodeOptions &code,
                            const TimingOptions &timing);

// Milliseconds per image of the seed network and of a configuration, run in turn.
struct SeedAndAllocated {
  double seed = 0, allocated = 0;
};
SeedAndAllocated measureAllocated(const LoadedModel &model, const compiler::Configuration &configuration,
                                  const ModelOptions &options, const CodeOptions &code,
                                  const TimingOptions &timing);

} // namespace vernier::driver

#endif
