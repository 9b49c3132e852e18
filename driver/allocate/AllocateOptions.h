// What `vernier allocate` is told.
#ifndef VERNIER_DRIVER_ALLOCATE_ALLOCATEOPTIONS_H
#define VERNIER_DRIVER_ALLOCATE_ALLOCATEOPTIONS_H

#include "driver/CodeOptions.h"
#include "driver/latency/NeuronLatency.h"

#include <string>
#include <vector>

namespace vernier::driver {

struct AllocateOptions : ModelOptions, CodeOptions, TimingOptions {
  std::string weights;   // of the trained seed network; empty where `even`
  std::string output;    // the configuration; "-": to the terminal
  std::string latencies; // a table that was measured before; empty: measure where a budget needs it
  std::vector<std::string> budgets; // as AllocationBudget::parse reads them; none: each hole's own limit
  double exponent = 0;              // b of a neuron's importance, |gamma| / multiply-adds^b
  bool countFollowing = false;      // a neuron also costs what the layers after it spend on it
  bool even = false;                // the same number of channels at each scale
};

} // namespace vernier::driver

#endif
