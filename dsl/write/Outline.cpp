#include "dsl/write/Outline.h"

#include "dsl/ShapeRules.h"
#include "dsl/write/Numbers.h"

#include <algorithm>
#include <map>

namespace vernier::dsl {
namespace {

OutlineArgument number(std::string name, int64_t value, std::optional<int64_t> otherwise = {}) {
  OutlineArgument argument;
  argument.name = std::move(name);
  argument.number = value;
  argument.otherwise = otherwise;
  argument.named = otherwise.has_value();
  return argument;
}

OutlineArgument word(std::string name, std::string text, bool named = true) {
  OutlineArgument argument;
  argument.name = std::move(name);
  argument.text = std::move(text);
  argument.named = named;
  return argument;
}

std::string list(const int64_t *values, int count) {
  std::string text = "[";
  for (int i = 0; i < count; ++i)
    text += (i > 0 ? ", " : "") + std::to_string(values[i]);
  return text + "]";
}

class Writer {
public:
  Writer(const Graph &graph, const Node &node) : graph(graph), node(node) {}

  OutlineItem run() {
    item.operands = node.operands;
    item.result = int(&node - graph.nodes.data());
    if (!node.scopes.empty())
      item.module = node.scopes.back().place;
    call();
    return std::move(item);
  }

private:
  const Shape &input() const { return graph.nodes[size_t(node.operands[0])].shape; }

  void add(OutlineArgument argument) { item.arguments.push_back(std::move(argument)); }

  // One number where both sides have the same.
  void pair(const char *name, const int64_t (&sides)[2], std::optional<int64_t> otherwise = {}) {
    if (sides[0] == sides[1])
      add(number(name, sides[0], otherwise));
    else
      add(word(name, list(sides, 2), otherwise.has_value()));
  }

  void padding(bool sameIsDefault) {
    const int64_t *p = node.padding;
    const bool one = p[0] == p[1] && p[0] == p[2] && p[0] == p[3];
    if (sameIsDefault) {
      bool same = true;
      for (int axis : {0, 1})
        same = same && node.kernel[axis] % 2 == 1 && p[2 * axis] == p[2 * axis + 1] &&
               p[2 * axis] == samePadding(node.kernel[axis], node.dilation[axis]);
      if (!same)
        add(word("padding", one ? std::to_string(p[0]) : list(p, 4)));
    } else if (one) {
      add(number("padding", p[0], 0));
    } else {
      add(word("padding", list(p, 4)));
    }
  }

  void flag(const char *name, bool value, bool otherwise) {
    if (value != otherwise)
      add(word(name, value ? "true" : "false"));
  }

  void real(const char *name, double value, double otherwise) {
    if (value != otherwise)
      add(word(name, realText(value)));
  }

  void layer(const char *callee) {
    item.callee = callee;
    item.label = node.place;
  }

  void call() {
    switch (node.kind) {
    case OpKind::Convolution:
      layer("conv");
      add(number("channels", node.channels));
      pair("kernel", node.kernel);
      pair("stride", node.stride, 1);
      padding(true);
      pair("dilation", node.dilation, 1);
      add(number("groups", node.groups, 1));
      flag("bias", node.bias, false);
      break;
    case OpKind::TransposedConvolution:
      layer("conv_transpose");
      add(number("channels", node.channels));
      pair("kernel", node.kernel);
      pair("stride", node.stride, 1);
      padding(false);
      pair("output_padding", node.outputPadding, 0);
      pair("dilation", node.dilation, 1);
      add(number("groups", node.groups, 1));
      flag("bias", node.bias, false);
      break;
    case OpKind::Linear:
      layer("linear");
      add(number("features", node.channels));
      flag("bias", node.bias, true);
      break;
    case OpKind::BatchNorm:
      layer("batch_norm");
      real("epsilon", node.epsilon, 1e-5);
      real("momentum", node.momentum, 0.1);
      break;
    case OpKind::LayerNorm:
      layer("layer_norm");
      real("epsilon", node.epsilon, 1e-5);
      break;
    case OpKind::GroupNorm:
      layer("group_norm");
      add(number("groups", node.groups));
      real("epsilon", node.epsilon, 1e-5);
      break;
    case OpKind::Parameter:
      layer("parameter");
      add(number("channels", node.channels));
      real("initial", node.initial, 1);
      break;
    case OpKind::Prelu:
      layer("prelu");
      flag("per_channel", node.perChannel, false);
      real("initial", node.initial, 0.25);
      break;
    case OpKind::LayerScale:
      layer("layer_scale");
      real("initial", node.initial, 1e-6);
      break;
    case OpKind::Dropout:
      item.callee = node.part == DroppedPart::Element   ? "dropout"
                    : node.part == DroppedPart::Channel ? "channel_dropout"
                                                        : "drop_path";
      add(word("rate", realText(node.rate), false));
      break;
    case OpKind::Activate:
      activate();
      break;
    case OpKind::MaxPool:
    case OpKind::AvgPool:
      pool();
      break;
    case OpKind::GlobalAvgPool:
      item.callee = "global_avg_pool";
      break;
    case OpKind::ChannelMean:
      item.callee = "channel_mean";
      break;
    case OpKind::ChannelMax:
      item.callee = "channel_max";
      break;
    case OpKind::Resize:
      resize(node.mode == ResizeMode::Nearest ? "nearest" : "bilinear");
      break;
    case OpKind::Resample:
      resample();
      break;
    case OpKind::Pad: {
      item.callee = "pad";
      const int64_t *p = node.padding;
      const bool one = p[0] == p[1] && p[0] == p[2] && p[0] == p[3];
      add(one ? number("padding", p[0]) : word("padding", list(p, 4), false));
      if (node.replicate)
        add(word("mode", "replicate"));
      break;
    }
    case OpKind::Crop: {
      item.callee = "crop";
      const int64_t size[] = {node.shape.height, node.shape.width};
      add(word("size", list(size, 2)));
      if (node.offset[0] != 0 || node.offset[1] != 0)
        add(word("offset", list(node.offset, 2)));
      break;
    }
    case OpKind::Slice:
      item.callee = "slice";
      add(number("begin", node.begin));
      add(number("count", node.shape.channels));
      break;
    case OpKind::ChannelShuffle:
      item.callee = "channel_shuffle";
      add(number("groups", node.groups));
      break;
    case OpKind::PixelShuffle:
    case OpKind::PixelUnshuffle:
      item.callee = node.kind == OpKind::PixelShuffle ? "pixel_shuffle" : "pixel_unshuffle";
      add(number("factor", node.factor));
      break;
    case OpKind::Softmax:
      item.callee = node.logarithm ? "channel_log_softmax" : "channel_softmax";
      if (node.groups != node.shape.channels)
        add(number("runs", node.groups));
      break;
    case OpKind::SpatialSoftmax:
      item.callee = "spatial_softmax";
      break;
    case OpKind::Matmul:
      item.callee = "matmul";
      flag("transpose_a", node.transposed[0], false);
      flag("transpose_b", node.transposed[1], false);
      break;
    case OpKind::Concat:
      item.form = OutlineItem::Form::List;
      item.callee = "concat";
      break;
    case OpKind::Add:
    case OpKind::Subtract:
    case OpKind::Multiply:
    case OpKind::Divide:
      item.form = OutlineItem::Form::Binary;
      item.callee = node.kind == OpKind::Add        ? "add"
                    : node.kind == OpKind::Subtract ? "subtract"
                    : node.kind == OpKind::Multiply ? "multiply"
                                                    : "divide";
      break;
    case OpKind::Input:
    case OpKind::Target:
    case OpKind::SoftmaxCrossEntropy:
    case OpKind::PointwiseLoss:
      break; // the network's own
    }
  }

  void activate() {
    const Activation &function = node.activation;
    item.callee = nameOf(function.kind);
    if (function.kind == Activation::LeakyRelu)
      real("slope", function.slope, 0.01);
    if (function.kind != Activation::ScaleShift)
      return;
    item.form = OutlineItem::Form::Scale;
    std::string text = "@";
    const double slope = function.slope, offset = function.offset;
    if (slope == -1) {
      text = offset != 0 ? realText(offset) + " - @" : "-@";
    } else {
      if (const double whole = 1 / slope; slope > 0 && slope < 1 && whole < 1e6 && whole == int64_t(whole))
        text += " / " + std::to_string(int64_t(whole));
      else if (slope != 1 || offset == 0)
        text += " * " + (slope < 0 ? "(" + realText(slope) + ")" : realText(slope));
      if (offset != 0)
        text += (offset < 0 ? " - " : " + ") + realText(offset < 0 ? -offset : offset);
    }
    add(word("", text));
  }

  void pool() {
    const bool mean = node.kind == OpKind::AvgPool;
    const bool all = node.kernel[0] == input().height && node.kernel[1] == input().width &&
                     node.shape.height == 1 && node.shape.width == 1;
    const bool plain =
        !node.ceil && std::all_of(node.padding, node.padding + 4, [](int64_t side) { return side == 0; });
    if (!mean && all && plain && node.stride[0] == node.kernel[0] && node.stride[1] == node.kernel[1]) {
      item.callee = "global_max_pool";
      return;
    }
    item.callee = mean ? "avg_pool" : "max_pool";
    pair("kernel", node.kernel);
    if (node.stride[0] != node.kernel[0] || node.stride[1] != node.kernel[1]) {
      pair("stride", node.stride);
      item.arguments.back().named = true;
    }
    padding(false);
    flag("ceil", node.ceil, false);
    flag("count_padding", node.countPadding, true);
  }

  void resample() {
    if (node.resampling == Resampling::AdaptiveAverage) {
      item.callee = "adaptive_avg_pool";
      const int64_t size[] = {node.shape.height, node.shape.width};
      pair("size", size);
      return;
    }
    resize(node.resampling == Resampling::NearestExact        ? "nearest_exact"
           : node.resampling == Resampling::BilinearAntialias ? "bilinear"
                                                              : "bicubic");
    flag("antialias",
         node.resampling == Resampling::BilinearAntialias || node.resampling == Resampling::BicubicAntialias,
         false);
  }

  void resize(const char *mode) {
    item.callee = "resize";
    add(word("mode", mode, false));
    const int64_t height = node.shape.height / input().height, width = node.shape.width / input().width;
    const int64_t size[] = {node.shape.height, node.shape.width};
    if (node.scale > 0)
      add(word("scale", realText(node.scale)));
    else if (height == width && height > 1 && size[0] % input().height == 0 && size[1] % input().width == 0)
      add(word("scale", std::to_string(height)));
    else
      add(word("size", list(size, 2)));
    flag("align_corners", node.alignCorners, false);
  }

  const Graph &graph;
  const Node &node;
  OutlineItem item;
};

} // namespace

Outline outlineOf(const Graph &graph) {
  Outline outline;
  std::map<std::string, bool> shared;
  for (const Node &node : graph.nodes)
    if (!node.parametersOf.empty())
      shared[node.parametersOf] = false;
  for (const Node &node : graph.nodes) {
    if (node.kind == OpKind::Input) {
      outline.network.inputs.push_back(int(&node - graph.nodes.data()));
      continue;
    }
    OutlineItem item = Writer(graph, node).run();
    const std::string &place = node.parametersOf.empty() ? node.place : node.parametersOf;
    if (const auto found = shared.find(place); found != shared.end() && !place.empty()) {
      if (!found->second) {
        outline.shared.push_back(item);
        outline.shared.back().operands.clear();
        found->second = true;
      }
      item.callee = place;
      item.label.clear();
      item.module.clear();
      item.arguments.clear();
    }
    outline.network.items.push_back(std::move(item));
  }
  if (graph.outputs.size() == 1)
    outline.network.result = graph.outputs[0].node;
  return outline;
}

} // namespace vernier::dsl
