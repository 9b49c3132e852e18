// Where programs that a command builds run.
#ifndef VERNIER_DRIVER_DEVICE_H
#define VERNIER_DRIVER_DEVICE_H

#include "driver/CodeOptions.h"

#include <string>
#include <vector>

namespace vernier::driver {

// The name of `options`' device, as its driver calls it; empty: the CPU. Refuses where there is none, or what
// is built would not run on it: before anything that takes time.
std::string requireDevice(const CodeOptions &options);

// The same choice of a device as an option of a built program.
std::vector<std::string> deviceWords(const CodeOptions &options);

} // namespace vernier::driver

#endif
