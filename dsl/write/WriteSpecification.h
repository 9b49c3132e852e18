// A graph as text of the language.
#ifndef VERNIER_DSL_WRITE_WRITESPECIFICATION_H
#define VERNIER_DSL_WRITE_WRITESPECIFICATION_H

#include "dsl/Graph.h"

#include <string>

namespace vernier::dsl {

struct SpecificationText {
  std::string model;   // its name; the network's is the same with `_network` behind it
  std::string comment; // one line, what the file begins with
  bool blocks = true;  // blocks and loops for what is repeated; otherwise a line for each layer
};

// A network with one model, in canonical form, whose elaboration is `graph` but for the order of nodes. The
// graph has one input, and no holes, targets or losses.
std::string writeSpecification(const Graph &graph, const SpecificationText &options);

} // namespace vernier::dsl

#endif
