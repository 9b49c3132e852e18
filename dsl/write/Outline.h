// A graph as a person would write it down: calls of operations and blocks. Between dsl/Graph.h, which has
// nothing but operations, and text.
#ifndef VERNIER_DSL_WRITE_OUTLINE_H
#define VERNIER_DSL_WRITE_OUTLINE_H

#include "dsl/Graph.h"

#include <optional>
#include <string>
#include <vector>

namespace vernier::dsl {

struct OutlineArgument {
  std::string name;
  std::string text;                 // as it is written; of a number: empty unless an expression stands for it
  std::optional<int64_t> number;    // that it is
  std::optional<int64_t> otherwise; // where it is left out
  bool named = true;                // `stride = 2`, not `2`
};

// A call, or an expression of tensors. A value is the number of the node of the graph that computes it.
struct OutlineItem {
  enum class Form {
    Call,   // `x |> label: callee(arguments)`
    Binary, // `a + b`; callee is the operation's name
    Scale,  // `x * 2`; `text` of the one argument, with @ for x
    List,   // `concat([a, b])`
  } form = Form::Call;
  std::string callee, label;
  std::vector<OutlineArgument> arguments;
  std::vector<int> operands;
  int result = 0;
  std::string module; // that it lies in: "layer1.0"
};

struct OutlineParameter {
  std::string name;
  std::optional<int64_t> otherwise;
};

struct OutlineBody {
  std::vector<int> inputs;        // values that come from outside
  std::vector<OutlineItem> items; // operands before users
  int result = 0;
};

struct OutlineBlock {
  std::string name;
  std::vector<OutlineParameter> parameters; // behind its inputs
  OutlineBody body;
};

struct Outline {
  std::vector<OutlineBlock> blocks; // what they call comes before
  std::vector<OutlineItem> shared;  // operations that are called several times, without operands
  OutlineBody network;
};

// One item for each node.
Outline outlineOf(const Graph &graph);

// The same with blocks for modules (Node::scopes) that occur several times, equal but for numbers.
void findBlocks(const Graph &graph, Outline &outline);

} // namespace vernier::dsl

#endif
