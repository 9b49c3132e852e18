// A configuration of learned holes from the weights of a trained seed network (docs/allocation.md).
#ifndef VERNIER_DRIVER_ALLOCATE_ALLOCATE_H
#define VERNIER_DRIVER_ALLOCATE_ALLOCATE_H

#include "driver/Output.h"
#include "driver/allocate/AllocateOptions.h"

namespace vernier::driver {

// Writes the configuration to `options.output` and says what each hole got and spent, and in time where a
// budget is a latency; what was measured for it is left beside the configuration. Refuses holes that the
// budgets or the weights say nothing of.
void allocate(const AllocateOptions &options, const Output &output);

} // namespace vernier::driver

#endif
