// The image size that a network is verified at.
#ifndef VERNIER_DRIVER_VERIFY_REDUCEDSIZE_H
#define VERNIER_DRIVER_VERIFY_REDUCEDSIZE_H

#include "driver/LoadModel.h"

namespace vernier::driver {

// The smallest of a few sizes, as HxW and in the proportions of the network's own, at which the network is
// valid and no batch norm loses the pixels that its statistics need. The network's own size otherwise.
std::string reducedInput(const ModelOptions &options);

} // namespace vernier::driver

#endif
