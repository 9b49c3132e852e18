// The image size that a network is verified at.
#ifndef VERNIER_TOOLS_VERIFY_REDUCEDSIZE_H
#define VERNIER_TOOLS_VERIFY_REDUCEDSIZE_H

#include "tools/LoadModel.h"

namespace vernier::tools {

// The smallest of a few sizes, as HxW and in the proportions of the network's own, at which the network is
// valid and no batch norm loses the pixels that its statistics need. The network's own size otherwise.
std::string reducedInput(const ModelOptions &options);

} // namespace vernier::tools

#endif
