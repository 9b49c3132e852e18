// Whether two graphs are one network, whatever the order of their nodes.
#ifndef VERNIER_DSL_WRITE_SAMENETWORK_H
#define VERNIER_DSL_WRITE_SAMENETWORK_H

#include "dsl/Graph.h"

namespace vernier::dsl {

// The same outputs, computed by the same operations of the same parameters. Places of operations without
// parameters and what is of no meaning in inference do not count; numbers are compared as float32 has them.
bool sameNetwork(const Graph &a, const Graph &b);

} // namespace vernier::dsl

#endif
