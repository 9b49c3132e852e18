// Which steps of a program run for each choice of the open holes.
#ifndef VERNIER_RUNTIME_DEVICE_PARTS_H
#define VERNIER_RUNTIME_DEVICE_PARTS_H

#include "runtime/core/StepRange.h"
#include "runtime/device/Device.h"

#include <vector>

namespace vernier::runtime {

/// Of each segment the steps of its variants; of a program without segments all steps, in one part. Of
/// Task::Statistics only as far as running statistics are written: what comes after is empty.
std::vector<std::vector<StepRange>> partsOf(const vn_program &program, Task task);

} // namespace vernier::runtime

#endif
