// The times of configurations, and of the kernels that all of them consist of.
#ifndef VERNIER_RUNTIME_CLI_TABULATETIMES_H
#define VERNIER_RUNTIME_CLI_TABULATETIMES_H

#include "runtime/cli/KernelTimes.h"
#include "runtime/core/Session.h"

#include <functional>
#include <string>
#include <vector>

namespace vernier::runtime {

struct TimingOptions {
  int64_t runs = 10;
  std::string kernels; ///< the file of the kernels' times; empty: they are not measured
};

/// Times each configuration and calls `report` with the seconds of its runs, in ascending order.
void timeConfigurations(Session &session, const std::vector<Choices> &configurations,
                        const TimingOptions &options,
                        const std::function<void(const Choices &, std::vector<double>)> &report);

} // namespace vernier::runtime

#endif
