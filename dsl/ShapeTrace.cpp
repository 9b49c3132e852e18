// How operands that do not fit came about: for each, the operations that made its size, from where the
// operands part.
#include "dsl/Elaborator.h"

#include "dsl/ShapeRules.h"

#include <algorithm>

namespace vernier::dsl {

std::string formatSize(int64_t height, int64_t width) {
  return std::to_string(height) + "x" + std::to_string(width);
}

namespace {

std::string size(const Shape &shape) { return formatSize(shape.height, shape.width); }

// "(23 + 2 - 3) / 2 + 1 = 12" for one axis.
std::string windowFormula(const Node &node, int axis, int64_t in, int64_t out) {
  int64_t padding = node.padding[2 * axis] + node.padding[2 * axis + 1];
  int64_t extent = windowExtent(node.kernel[axis], node.dilation[axis]);
  int64_t room = in + padding - extent;
  std::string text = "(" + std::to_string(in) + (padding ? " + " + std::to_string(padding) : "") + " - " +
                     std::to_string(extent) + ") / " + std::to_string(node.stride[axis]) +
                     " + 1 = " + std::to_string(out);
  if (room % node.stride[axis] != 0)
    text += out == room / node.stride[axis] + 1 ? ", rounded down" : ", rounded up";
  return text;
}

// "(8 - 1) * 2 + 4 - 2 = 16" for one axis of a transposed convolution.
std::string transposedFormula(const Node &node, int axis, int64_t in, int64_t out) {
  const int64_t padding = node.padding[2 * axis] + node.padding[2 * axis + 1];
  return "(" + std::to_string(in) + " - 1) * " + std::to_string(node.stride[axis]) + " + " +
         std::to_string(windowExtent(node.kernel[axis], node.dilation[axis])) +
         (padding ? " - " + std::to_string(padding) : "") +
         (node.outputPadding[axis] ? " + " + std::to_string(node.outputPadding[axis]) : "") + " = " +
         std::to_string(out);
}

std::string pair(const int64_t (&value)[2]) {
  return value[0] == value[1] ? std::to_string(value[0])
                              : "[" + std::to_string(value[0]) + ", " + std::to_string(value[1]) + "]";
}

} // namespace

// What an operation that changes the size does to it.
std::string Elaborator::sizeReason(const Node &node) const {
  if (node.kind == OpKind::Input)
    return "the input is " + size(node.shape);
  const Shape &in = graph_.nodes[node.operands[0]].shape;
  const NodeInfo &info = info_[&node - graph_.nodes.data()];
  std::string text = "`" + info.operation + "`";
  switch (node.kind) {
  case OpKind::Convolution:
  case OpKind::TransposedConvolution:
  case OpKind::MaxPool:
  case OpKind::AvgPool: {
    text += " with kernel " + pair(node.kernel) + ", stride " + pair(node.stride);
    if (node.dilation[0] != 1 || node.dilation[1] != 1)
      text += ", dilation " + pair(node.dilation);
    text += " takes " + size(in) + " to " + size(node.shape) + ": ";
    const auto formula = node.kind == OpKind::TransposedConvolution ? transposedFormula : windowFormula;
    std::string height = formula(node, 0, in.height, node.shape.height);
    std::string width = formula(node, 1, in.width, node.shape.width);
    return text + (height == width ? height : height + " and " + width);
  }
  case OpKind::Pad:
    return text + " takes " + size(in) + " to " + size(node.shape);
  case OpKind::GlobalAvgPool:
    return text + " takes " + size(in) + " to 1x1";
  default:
    return text + " takes " + size(in) + " to " + size(node.shape) + ", the size it is given";
  }
}

// The last node that all of them come from, along first operands. -1: none.
int Elaborator::commonAncestor(const std::vector<int> &nodes) const {
  std::vector<int> at = nodes;
  // Operands have smaller numbers than their users: stepping back from the largest one meets at the common
  // one.
  while (true) {
    auto largest = std::max_element(at.begin(), at.end());
    if (*largest == *std::min_element(at.begin(), at.end()))
      return *largest;
    const Node &node = graph_.nodes[*largest];
    if (node.operands.empty())
      return -1;
    *largest = node.operands[0];
  }
}

void Elaborator::traceSizes(DiagnosticBuilder &report, const std::vector<Value> &operands) {
  constexpr size_t shown = 4;
  // One operand for each size that occurs: a fifth branch of the same size explains nothing more.
  std::vector<size_t> chosen;
  for (size_t i = 0; i < operands.size() && chosen.size() < shown; ++i) {
    if (!operands[i].map())
      continue;
    const Shape &shape = shapeOf(operands[i]);
    if (std::none_of(chosen.begin(), chosen.end(), [&](size_t k) {
          return shapeOf(operands[k]).height == shape.height && shapeOf(operands[k]).width == shape.width;
        }))
      chosen.push_back(i);
  }
  std::vector<int> nodes;
  for (size_t i : chosen)
    nodes.push_back(operands[i].node());
  int ancestor = nodes.size() > 1 ? commonAncestor(nodes) : -1;
  std::string summary;
  for (size_t i : chosen) {
    const NodeInfo &info = infoOf(operands[i]);
    std::string who = "operand " + std::to_string(i + 1);
    if (info.loop && (operands.size() == 1 || loop_ != info.loop))
      who = "branch " + *info.loop;
    if (operands.size() == 1)
      who = "the operand";
    summary += (summary.empty() ? "" : ", ") + who + " is " + size(shapeOf(operands[i]));
    traceSize(report, who, operands[i].node(), ancestor);
  }
  if (chosen.size() > 1)
    report.label(summary);
}

// The operations between `ancestor` and `node` that change the size.
void Elaborator::traceSize(DiagnosticBuilder &report, const std::string &who, int node, int ancestor) {
  constexpr size_t shown = 5;
  std::vector<int> changes;
  int at = node;
  while (at != ancestor) {
    const Node &made = graph_.nodes[at];
    if (made.operands.empty())
      break;
    int from = made.operands[0];
    const Shape &in = graph_.nodes[from].shape;
    if (in.height != made.shape.height || in.width != made.shape.width)
      changes.push_back(at);
    at = from;
  }
  std::string head = who + " is " + size(graph_.nodes[node].shape);
  if (changes.empty()) {
    report.note(head + ", the size of `" + graph_.nodes[at].place + "`", info_[at].span);
    return;
  }
  size_t omitted = changes.size() > shown ? changes.size() - shown : 0;
  if (omitted) {
    const Node &first = graph_.nodes[changes[shown - 1]];
    report.note(who + ": " + std::to_string(omitted) + " earlier operations lead from " +
                size(graph_.nodes[at].shape) + " to " + size(graph_.nodes[first.operands[0]].shape));
  }
  for (size_t i = std::min(shown, changes.size()); i-- > 0;) {
    const Node &change = graph_.nodes[changes[i]];
    bool first = i + 1 == std::min(shown, changes.size());
    report.note((first ? head + " because " : "then ") + sizeReason(change), info_[changes[i]].span);
  }
}

// The operation that decided a map's number of channels.
void Elaborator::traceChannels(DiagnosticBuilder &report, const Value &tensor) {
  int at = tensor.node();
  while (true) {
    const Node &node = graph_.nodes[at];
    bool decides = node.kind == OpKind::Input || node.kind == OpKind::Target ||
                   node.kind == OpKind::Convolution || node.kind == OpKind::TransposedConvolution ||
                   node.kind == OpKind::Linear || node.kind == OpKind::Slice || node.kind == OpKind::Concat ||
                   node.kind == OpKind::ChannelMean || node.kind == OpKind::ChannelMax;
    if (decides || node.operands.empty())
      break;
    at = node.operands[0];
  }
  const Node &node = graph_.nodes[at];
  const int64_t channels = node.shape.channels;
  std::string text = std::to_string(channels) + (channels == 1 ? " channel comes" : " channels come") +
                     " from `" + node.place + "`";
  if (node.kind == OpKind::Concat) {
    text += ": ";
    constexpr size_t shown = 8;
    for (size_t i = 0; i < node.operands.size() && i < shown; ++i)
      text += (i ? " + " : "") + std::to_string(graph_.nodes[node.operands[i]].shape.channels);
    if (node.operands.size() > shown)
      text += " + ...";
  }
  report.note(text, info_[at].span);
}

} // namespace vernier::dsl
