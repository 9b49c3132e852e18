// Budgets in time: what a neuron takes, and what an allocation saves.
#ifndef VERNIER_DRIVER_ALLOCATE_LATENCIES_H
#define VERNIER_DRIVER_ALLOCATE_LATENCIES_H

#include "driver/allocate/AllocateOptions.h"
#include "driver/latency/LatencyTable.h"

#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace vernier::driver {

constexpr double kPicoseconds = 1e9; // in a millisecond

// "0.01230 ms"
std::string milliseconds(double time);

// The table that `options.latencies` names. Refuses one that was not measured of this network, at this size
// and in this way.
LatencyTable readLatencies(const AllocateOptions &options, const LoadedModel &model,
                           const std::vector<compiler::LearnedHole> &holes);

// Where a table that was measured is left: allocated.toml -> allocated.latency.toml
std::string tablePath(const AllocateOptions &options);

// Of one neuron at each scale.
std::vector<int64_t> picoseconds(const HoleLatency &measured);

// Warns of neurons that take no time: a difference that other work of the machine swallowed.
void warnOfNoTime(const HoleLatency &measured, llvm::raw_ostream &warnings);

// The time of an image in the seed network and in the one that `configuration` makes of it, as predicted;
// where the table was measured by this call, as measured too.
void reportLatency(const LatencyTable &table, const std::vector<compiler::LearnedHole> &holes,
                   const compiler::Configuration &configuration, const LoadedModel &model,
                   const AllocateOptions &options, llvm::raw_ostream &out);

} // namespace vernier::driver

#endif
