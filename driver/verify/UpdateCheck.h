// Whether the optimizer's step, and what it says of numbers that are not finite, are right.
#ifndef VERNIER_DRIVER_VERIFY_UPDATECHECK_H
#define VERNIER_DRIVER_VERIFY_UPDATECHECK_H

#include "driver/verify/Report.h"
#include "runtime/core/Session.h"

#include <cstdint>

namespace vernier::driver {

// Runs the model's `update` with random numbers, plain and with Nesterov's momentum, and compares parameters
// and momentum with the formula of abi.h in double precision; then with a number in each tensor that is not
// finite. Leaves weights that are worth nothing.
void checkUpdate(runtime::Session &session, uint64_t seed, Report &report);

} // namespace vernier::driver

#endif
