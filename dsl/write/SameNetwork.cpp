#include "dsl/write/SameNetwork.h"

#include "dsl/write/Numbers.h"

#include <map>
#include <vector>

namespace vernier::dsl {
namespace {

bool hasParameters(const Node &node) {
  return node.kind == OpKind::Convolution || node.kind == OpKind::TransposedConvolution ||
         node.kind == OpKind::Linear || node.kind == OpKind::BatchNorm || node.kind == OpKind::LayerNorm ||
         node.kind == OpKind::GroupNorm || node.kind == OpKind::LayerScale ||
         node.kind == OpKind::Parameter || node.kind == OpKind::Prelu;
}

// Numbers computations: equal ones of both graphs have one number.
class Computations {
public:
  std::vector<int> outputsOf(const Graph &graph) {
    std::vector<int> values;
    for (const Node &node : graph.nodes) {
      std::string text = describe(node);
      for (const int operand : node.operands)
        text += " " + std::to_string(values[size_t(operand)]);
      values.push_back(known.emplace(text, int(known.size())).first->second);
    }
    std::vector<int> outputs;
    for (const Output &output : graph.outputs)
      outputs.push_back(values[size_t(output.node)]);
    return outputs;
  }

private:
  static std::string describe(const Node &node) {
    std::string text;
    const auto integer = [&](int64_t value) { text += std::to_string(value) + ","; };
    const auto real = [&](double value) { text += realText(float(value)) + ","; };
    integer(int(node.kind));
    for (const int64_t value :
         {node.shape.channels, node.shape.height, node.shape.width, node.groups, node.begin, node.factor})
      integer(value);
    for (const auto *sides : {&node.kernel, &node.stride, &node.dilation, &node.outputPadding, &node.offset})
      for (const int64_t side : *sides)
        integer(side);
    for (const int64_t side : node.padding)
      integer(side);
    for (const bool flag : {node.bias, node.ceil, node.countPadding, node.replicate, node.alignCorners,
                            node.perChannel, node.transposed[0], node.transposed[1], node.logarithm})
      integer(flag);
    integer(int(node.activation.kind));
    integer(node.kind == OpKind::Resample ? int(node.resampling) : int(node.mode));
    integer(int(node.part));
    for (const double value :
         {node.activation.slope, node.activation.offset, node.epsilon, node.scale, node.rate})
      real(value);
    if (hasParameters(node))
      text += node.parametersOf.empty() ? node.place : node.parametersOf;
    return text;
  }

  std::map<std::string, int> known;
};

} // namespace

bool sameNetwork(const Graph &a, const Graph &b) {
  if (a.outputs.size() != b.outputs.size())
    return false;
  for (size_t i = 0; i < a.outputs.size(); ++i)
    if (a.outputs[i].name != b.outputs[i].name)
      return false;
  Computations computations;
  return computations.outputsOf(a) == computations.outputsOf(b);
}

} // namespace vernier::dsl
