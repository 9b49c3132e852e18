// How many CPUs this process may use: what its affinity mask allows and its control groups pay for.
#ifndef VERNIER_RUNTIME_CORE_CPUS_H
#define VERNIER_RUNTIME_CORE_CPUS_H

#include <cstdint>
#include <optional>
#include <string>

namespace vernier::runtime {

/// CPUs of the affinity mask, as `taskset` sets it.
int64_t affinityCpus();

/// CPUs' worth of time that the control groups of this process (version 1 or 2) and those above them grant,
/// the least of them: 1.5 is three halves of a CPU. Nothing: there is no limit, or none that can be read.
/// `root` stands before every path that is read, for tests.
std::optional<double> cpuQuota(const std::string &root = "");

/// The lesser of both, rounded up, at least 1: what more threads than this would only wait for.
int64_t usableCpus(const std::string &root = "");

} // namespace vernier::runtime

#endif
