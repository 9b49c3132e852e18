// Prints a model's graph as text, to try a specification without the compiler:
//   vn-dump FILE [MODEL] [--input HxW] [--set NAME=VALUE] [-I ROOT]
// Without a model it lists those of the file; `--all` elaborates each of them; `--fmt` prints the file's
// canonical form.
#include "dsl/Frontend.h"
#include "dsl/ShapeRules.h"

#include <cstdio>
#include <cstring>
#include <set>

using namespace vernier::dsl;

namespace {

const char *nameOf(const Node &node) {
  if (node.kind == OpKind::Activate)
    return vernier::nameOf(node.activation.kind);
  static const char *const names[] = {"input",
                                      "convolution",
                                      "transposed_convolution",
                                      "linear",
                                      "batch_norm",
                                      "layer_norm",
                                      "group_norm",
                                      "layer_scale",
                                      "parameter",
                                      "prelu",
                                      "dropout",
                                      "activate",
                                      "max_pool",
                                      "avg_pool",
                                      "global_avg_pool",
                                      "channel_mean",
                                      "channel_max",
                                      "resize",
                                      "resample",
                                      "pad",
                                      "crop",
                                      "slice",
                                      "concat",
                                      "channel_shuffle",
                                      "pixel_shuffle",
                                      "pixel_unshuffle",
                                      "softmax",
                                      "spatial_softmax",
                                      "matmul",
                                      "add",
                                      "subtract",
                                      "multiply",
                                      "divide",
                                      "target",
                                      "softmax_cross_entropy",
                                      "pointwise_loss"};
  return names[static_cast<int>(node.kind)];
}

std::string parametersOf(const Node &node) {
  char text[256];
  std::string out;
  auto pair = [&](const char *name, const int64_t(&value)[2]) {
    snprintf(text, sizeof text, " %s=%ldx%ld", name, long(value[0]), long(value[1]));
    out += text;
  };
  const bool convolution = node.kind == OpKind::Convolution || node.kind == OpKind::TransposedConvolution;
  bool window = convolution || node.kind == OpKind::MaxPool || node.kind == OpKind::AvgPool;
  if (window) {
    pair("kernel", node.kernel);
    pair("stride", node.stride);
  }
  if (node.kind == OpKind::TransposedConvolution)
    pair("output_padding", node.outputPadding);
  if (convolution) {
    pair("dilation", node.dilation);
    snprintf(text, sizeof text, " groups=%ld", long(node.groups));
    out += text;
  }
  if (window || node.kind == OpKind::Pad) {
    snprintf(text, sizeof text, " padding=%ld,%ld,%ld,%ld", long(node.padding[0]), long(node.padding[1]),
             long(node.padding[2]), long(node.padding[3]));
    out += text;
  }
  if (node.kind == OpKind::SoftmaxCrossEntropy) {
    snprintf(text, sizeof text, " smoothing=%g", node.smoothing);
    out += text;
    if (node.ignored)
      out += " ignored=" + std::to_string(*node.ignored);
  }
  if (node.kind == OpKind::PointwiseLoss) {
    out += std::string(" ") + vernier::nameOf(node.pointwise);
    if (node.pointwise == vernier::Pointwise::Focal || node.pointwise == vernier::Pointwise::SmoothL1) {
      snprintf(text, sizeof text, " sharpness=%g", node.sharpness);
      out += text;
    }
    if (node.pointwise == vernier::Pointwise::Focal) {
      snprintf(text, sizeof text, " share=%g", node.share);
      out += text;
    }
  }
  if (node.kind == OpKind::Resize)
    out += node.mode == ResizeMode::Nearest ? " nearest" : " bilinear";
  if (node.kind == OpKind::Resample)
    out += std::string(" ") + nameOf(node.resampling);
  if (node.kind == OpKind::ChannelShuffle || node.kind == OpKind::GroupNorm || node.kind == OpKind::Softmax)
    out += " groups=" + std::to_string(node.groups);
  if (node.kind == OpKind::Slice)
    out += " begin=" + std::to_string(node.begin);
  if (node.kind == OpKind::Crop)
    pair("offset", node.offset);
  if (node.activation.hasSlope()) {
    snprintf(text, sizeof text, " slope=%g", node.activation.slope);
    out += text;
  }
  if (node.activation.hasOffset()) {
    snprintf(text, sizeof text, " offset=%g", node.activation.offset);
    out += text;
  }
  for (auto [flag, name] :
       {std::pair(node.bias, " bias"), std::pair(node.ceil, " ceil"), std::pair(node.replicate, " replicate"),
        std::pair(node.labels, " labels"), std::pair(node.alignCorners, " align_corners")})
    if (flag)
      out += name;
  if (node.channelsFrom)
    out += " hole=" + std::to_string(node.channelsFrom->hole) + "[" +
           std::to_string(node.channelsFrom->index) + "]";
  return out;
}

void print(const Graph &graph, bool summary) {
  int64_t macs = 0, parameters = 0;
  std::set<std::string> counted; // parameters of shared blocks once
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node &node = graph.nodes[i];
    const Shape input = node.operands.empty() ? Shape() : graph.nodes[node.operands[0]].shape;
    macs += multiplyAdds(node, input);
    if (counted.insert(node.parametersOf.empty() ? node.place : node.parametersOf).second)
      parameters += parameterCount(node, input.channels);
    if (summary)
      continue;
    printf("%%%zu %s %s", i, node.place.c_str(), nameOf(node));
    for (int operand : node.operands)
      printf(" %%%d", operand);
    printf(" -> %ldx%ldx%ld%s\n", long(node.shape.channels), long(node.shape.height), long(node.shape.width),
           parametersOf(node).c_str());
  }
  for (const Hole &hole : graph.holes) {
    if (summary)
      break;
    printf("hole %s", hole.place.c_str());
    for (int64_t value : hole.seed)
      printf(" %ld", long(value));
    for (double value : hole.choices)
      printf(" %g", value);
    static const char *const budgets[] = {"", " macs", " params", " neurons"};
    printf("%s %ld\n", budgets[static_cast<int>(hole.budget)], long(hole.limit));
  }
  for (const Output &output : graph.outputs)
    if (!summary)
      printf("output %s = %%%d\n", output.name.c_str(), output.node);
  for (const LossTerm &term : graph.losses)
    if (!summary)
      printf("loss %s%s%g * %%%d\n", term.name.c_str(), term.name.empty() ? "" : " = ", term.weight,
             term.node);
  printf("%s: %zu operations, %ld parameters, %ld multiply-adds\n", graph.model.c_str(), graph.nodes.size(),
         long(parameters), long(macs));
}

} // namespace

int main(int argc, char **argv) {
  std::string file, model;
  LoadOptions load_options;
  ElaborateOptions options;
  bool all = false, formatted = false;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "-I" && i + 1 < argc) {
      load_options.roots.push_back(argv[++i]);
    } else if (argument == "--input" && i + 1 < argc) {
      long height = 0, width = 0;
      if (sscanf(argv[++i], "%ldx%ld", &height, &width) != 2)
        return 2;
      options.height = height;
      options.width = width;
    } else if (argument == "--set" && i + 1 < argc) {
      std::string setting = argv[++i];
      size_t equals = setting.find('=');
      if (equals == std::string::npos)
        return 2;
      options.overrides.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
    } else if (argument == "--all") {
      all = true;
    } else if (argument == "--fmt") {
      formatted = true;
    } else {
      (file.empty() ? file : model) = argument;
    }
  }
  Diagnostics diagnostics;
  if (formatted) {
    SourceSet sources;
    std::optional<std::string> text = formatFile(file, readFile, sources, diagnostics);
    fputs(text ? text->c_str() : render(diagnostics, sources).c_str(), text ? stdout : stderr);
    return text ? 0 : 1;
  }
  Program program = load(file, load_options, diagnostics);
  if (diagnostics.empty()) {
    if (all) {
      for (const std::string &name : modelNames(program))
        if (auto graph = elaborateModel(program, name, options, diagnostics))
          print(*graph, true);
    } else if (model.empty()) {
      for (const std::string &name : modelNames(program))
        printf("%s\n", name.c_str());
    } else if (auto graph = elaborateModel(program, model, options, diagnostics)) {
      print(*graph, false);
    }
  }
  fputs(render(diagnostics, program.sources).c_str(), stderr);
  return diagnostics.empty() ? 0 : 1;
}
