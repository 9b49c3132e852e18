// The network as a graph that Graphviz lays out.
#ifndef VERNIER_TOOLS_DESCRIBEDOT_H
#define VERNIER_TOOLS_DESCRIBEDOT_H

#include "tools/LoadModel.h"

#include <string>

namespace vernier::tools {

// A node for each op, in boxes for the block calls around it; parameters are left out. For `dot -Tsvg`.
std::string drawDot(const LoadedModel &model);

} // namespace vernier::tools

#endif
