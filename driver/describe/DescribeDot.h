// The network as a graph that Graphviz lays out.
#ifndef VERNIER_DRIVER_DESCRIBE_DESCRIBEDOT_H
#define VERNIER_DRIVER_DESCRIBE_DESCRIBEDOT_H

#include "driver/LoadModel.h"

#include <string>

namespace vernier::driver {

// A node for each op, in boxes for the block calls around it; parameters are left out. For `dot -Tsvg`.
std::string drawDot(const LoadedModel &model);

} // namespace vernier::driver

#endif
