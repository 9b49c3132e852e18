#include "codegen/onnx/ImportNames.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace vernier::codegen {
namespace {

using dsl::OpKind;

std::vector<std::string> parts(const std::string &text, char separator) {
  std::vector<std::string> result(1);
  for (const char c : text)
    if (c == separator)
      result.emplace_back();
    else
      result.back() += c;
  return result;
}

bool isDigits(const std::string &text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

std::string parent(const std::string &place) {
  const size_t dot = place.rfind('.');
  return dot == std::string::npos ? "" : place.substr(0, dot);
}

bool hasParameters(const dsl::Node &node) {
  return node.kind == OpKind::Convolution || node.kind == OpKind::TransposedConvolution ||
         node.kind == OpKind::Linear || node.kind == OpKind::BatchNorm || node.kind == OpKind::LayerNorm ||
         node.kind == OpKind::GroupNorm || node.kind == OpKind::LayerScale ||
         node.kind == OpKind::Parameter || node.kind == OpKind::Prelu;
}

const char *kindOf(const dsl::Node &node) {
  switch (node.kind) {
  case OpKind::Linear:
    return "linear";
  case OpKind::BatchNorm:
    return "norm";
  case OpKind::LayerNorm:
    return "layer_norm";
  case OpKind::GroupNorm:
    return "group_norm";
  case OpKind::LayerScale:
    return "layer_scale";
  case OpKind::Parameter:
    return "parameter";
  case OpKind::Prelu:
    return "prelu";
  default:
    return "conv";
  }
}

// One element of a place: a name or a number, of at most 60 characters.
std::string element(const std::string &text) {
  if (isDigits(text) && text.size() <= 9 && (text.size() == 1 || text[0] != '0'))
    return text;
  std::string result;
  for (const unsigned char c : text.substr(0, 60))
    result += c < 128 && std::isalnum(c) ? char(c) : '_';
  if (result.empty() || std::isdigit(static_cast<unsigned char>(result[0])) ||
      result.find_first_not_of('_') == std::string::npos)
    result = "n" + result;
  return result;
}

std::string placeOf(const std::string &name) {
  constexpr int most =
      32; // elements; the modules of a deeper name would take memory by the square of its length
  std::string place;
  int count = 0;
  for (const std::string &part : parts(name, '.'))
    if (count++ < most)
      place += (place.empty() ? "" : ".") + element(part);
  return place;
}

// Ends as the place of an operation without parameters that has no label may: "relu1".
bool looksCounted(const std::string &place) {
  static const std::set<std::string> kinds = {"relu",
                                              "relu6_",
                                              "leaky_relu",
                                              "sigmoid",
                                              "hard_sigmoid",
                                              "tanh",
                                              "exp",
                                              "silu",
                                              "hard_swish",
                                              "gelu",
                                              "gelu_tanh",
                                              "max_pool",
                                              "avg_pool",
                                              "global_avg_pool",
                                              "resize",
                                              "pad",
                                              "crop",
                                              "slice",
                                              "split",
                                              "concat",
                                              "channel_shuffle",
                                              "pixel_shuffle",
                                              "pixel_unshuffle",
                                              "channel_softmax",
                                              "channel_log_softmax",
                                              "spatial_softmax",
                                              "matmul",
                                              "add",
                                              "subtract",
                                              "multiply",
                                              "divide",
                                              "scale_shift",
                                              "channel_mean",
                                              "channel_max",
                                              "global_max_pool"};
  std::string last = place.substr(parent(place).empty() ? 0 : parent(place).size() + 1);
  const size_t digits = last.find_last_not_of("0123456789") + 1;
  return digits < last.size() && kinds.count(last.substr(0, digits)) > 0;
}

std::string unique(std::string wanted, std::set<std::string> &taken) {
  std::string place = wanted;
  for (int number = 2; !taken.insert(place).second; ++number)
    place = wanted + "_" + std::to_string(number);
  return place;
}

} // namespace

std::string layerOf(const std::string &constant) {
  if (constant.empty() || isDigits(constant) || constant.find("::") != std::string::npos ||
      constant.find('/') != std::string::npos)
    return "";
  for (const std::string suffix : {".weight", ".bias"})
    if (constant.size() > suffix.size() &&
        constant.compare(constant.size() - suffix.size(), suffix.size(), suffix) == 0)
      return constant.substr(0, constant.size() - suffix.size());
  // A parameter that is no layer's: its name is the layer's here.
  return constant;
}

std::string moduleName(const std::string &node, const std::string &operation) {
  if (node.find('/') == std::string::npos) {
    const std::string begin = operation + "_";
    const bool counted = node.compare(0, begin.size(), begin) == 0 && isDigits(node.substr(begin.size()));
    return counted || isDigits(node) || node == operation ? "" : node;
  }
  std::vector<std::string> path = parts(node, '/');
  path.pop_back(); // the operator
  std::string name, before;
  for (const std::string &part : path) {
    if (part.empty())
      continue;
    // "layer1", "layer1.0": an element of a sequence repeats its sequence's name.
    if (!before.empty() && part.compare(0, before.size() + 1, before + ".") == 0)
      name += part.substr(before.size());
    else
      name += (name.empty() ? "" : ".") + part;
    before = part;
  }
  return name;
}

void ImportNames::run() {
  nameLayers();
  nameShared();
  nameOutputs();
  findModules();
}

void ImportNames::nameLayers() {
  std::set<std::string> taken, modules;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (hasParameters(graph.nodes[i]))
      for (std::string place = parent(placeOf(names[i])); !place.empty(); place = parent(place))
        modules.insert(place);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    dsl::Node &node = graph.nodes[i];
    if (node.kind == OpKind::Input || !hasParameters(node) || !node.parametersOf.empty())
      continue;
    std::string place = names[i].empty() ? std::string(kindOf(node)) + std::to_string(i) : placeOf(names[i]);
    if (modules.count(place)) // the operation that a module begins or ends with
      place += std::string(".") + kindOf(node);
    if (looksCounted(place))
      place += "_layer";
    node.place = unique(place, taken);
  }
}

// A shared layer is declared by a name of its own.
void ImportNames::nameShared() {
  std::set<std::string> taken;
  for (const dsl::Node &node : graph.nodes)
    taken.insert(node.place);
  std::set<size_t> renamed;
  for (dsl::Node &node : graph.nodes) {
    if (node.parametersOf.empty())
      continue;
    const size_t first = size_t(std::stoul(node.parametersOf));
    std::string &place = graph.nodes[first].place;
    if (renamed.insert(first).second) {
      std::string name = place;
      std::replace(name.begin(), name.end(), '.', '_');
      if (isDigits(name.substr(0, 1)))
        name = "n" + name;
      if (name != place)
        place = unique(name, taken);
    }
    node.parametersOf = place;
    node.place = unique(place, taken);
  }
}

void ImportNames::nameOutputs() {
  std::set<std::string> taken;
  for (dsl::Output &output : graph.outputs) {
    std::string name = element(output.name);
    if (isDigits(name))
      name = "output" + name;
    output.name = unique(name, taken);
  }
  if (graph.outputs.size() == 1)
    graph.outputs[0].name = "logits";
}

// The modules that a node lies in: those that hold parameters, too. A node without parameters and without a
// name of its own is taken to be where its operand is; a pool, where those who read it are, too.
void ImportNames::findModules() {
  std::set<std::string> containers;
  for (const dsl::Node &node : graph.nodes)
    if (hasParameters(node) && node.parametersOf.empty())
      for (std::string place = parent(node.place); !place.empty(); place = parent(place))
        containers.insert(place);
  std::vector<std::string> module(graph.nodes.size());
  for (size_t i = 1; i < graph.nodes.size(); ++i) {
    dsl::Node &node = graph.nodes[i];
    std::string found;
    if (hasParameters(node)) {
      found = node.parametersOf.empty() ? parent(node.place) : "";
    } else if (!names[i].empty()) {
      found = placeOf(names[i]);
      while (!found.empty() && !containers.count(found))
        found = parent(found);
    } else {
      found = module[size_t(*std::max_element(node.operands.begin(), node.operands.end()))];
      if (node.kind == OpKind::MaxPool || node.kind == OpKind::AvgPool || node.kind == OpKind::GlobalAvgPool)
        found = parent(found);
    }
    module[i] = found;
    std::vector<std::string> chain;
    for (; !found.empty(); found = parent(found))
      chain.push_back(found);
    for (auto place = chain.rbegin(); place != chain.rend(); ++place)
      node.scopes.push_back({*place, "", {}});
  }
}

} // namespace vernier::codegen
