// Specifications: any bytes are parsed, checked, formatted and elaborated. Beyond not crashing: a formatted
// file has the same tokens and comments and is formatted already, and a graph is well formed.
#include "dsl/Format.h"
#include "dsl/Frontend.h"
#include "dsl/Lexer.h"
#include "dsl/ShapeRules.h"

#include <cmath>
#include <cstdlib>
#include <set>

using namespace vernier::dsl;

namespace {

void demand(bool condition) {
  if (!condition)
    std::abort();
}

// What a text says, without its layout.
std::vector<std::string> pieces(const std::string &text) {
  SourceSet sources;
  Diagnostics diagnostics;
  LexResult lexed = lex(sources, sources.add("m.vn", text), diagnostics);
  std::vector<std::string> out;
  for (const Token &token : lexed.tokens)
    if (token.kind != Tok::Newline)
      out.emplace_back(sources.slice(token.span));
  for (Span comment : lexed.comments)
    out.emplace_back(sources.slice(comment));
  return out;
}

std::optional<std::string> formatted(const std::string &text) {
  SourceSet sources;
  Diagnostics diagnostics;
  auto out = format(sources, sources.add("m.vn", text), diagnostics);
  demand(out.has_value() == diagnostics.empty());
  demand(render(diagnostics, sources).empty() == diagnostics.empty());
  return out;
}

void checkGraph(const Graph &graph) {
  std::set<std::string> places;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node &node = graph.nodes[i];
    demand(places.insert(node.place).second);
    demand(node.shape.channels >= 0 && node.shape.height >= 1 && node.shape.width >= 1);
    demand(elementCount(node.shape) <= int64_t(1) << 31);
    for (int operand : node.operands)
      demand(operand >= 0 && operand < static_cast<int>(i));
    if (node.channelsFrom)
      demand(graph.holes.at(node.channelsFrom->hole).seed.at(node.channelsFrom->index) == node.channels);
  }
  for (const LossTerm &term : graph.losses) {
    const OpKind kind = graph.nodes.at(term.node).kind;
    demand(kind == OpKind::SoftmaxCrossEntropy || kind == OpKind::PointwiseLoss);
    demand(std::isfinite(static_cast<float>(term.weight)));
  }
  demand(!graph.outputs.empty());
  for (const Output &output : graph.outputs)
    demand(output.node >= 0 && output.node < static_cast<int>(graph.nodes.size()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text(reinterpret_cast<const char *>(data), size);
  if (auto once = formatted(text)) {
    demand(pieces(*once) == pieces(text));
    auto twice = formatted(*once);
    demand(twice && *twice == *once);
  }

  LoadOptions options;
  options.read = [&](const std::string &path) -> std::optional<std::string> {
    if (path == "m.vn")
      return text;
    if (path == "blocks/conv_bn.vn")
      return "block conv_bn(x, channels: int) {\n  x |> conv(channels, 3) |> batch_norm\n}\n";
    return std::nullopt;
  };
  Diagnostics diagnostics;
  Program program = load("m.vn", options, diagnostics);
  if (diagnostics.empty()) {
    // Sanitizers make frames larger and everything slower.
    ElaborateOptions elaborate;
    elaborate.limits.steps = 20'000;
    elaborate.limits.nodes = 2'000;
    elaborate.limits.memory = 32;
    elaborate.limits.evalDepth = 300;
    constexpr size_t enough = 3;
    std::vector<std::string> models = modelNames(program);
    for (size_t i = 0; i < models.size() && i < enough; ++i) {
      size_t before = diagnostics.size() + diagnostics.dropped();
      std::optional<Graph> graph = elaborateModel(program, models[i], elaborate, diagnostics);
      demand(!graph || diagnostics.size() + diagnostics.dropped() == before);
      if (graph)
        checkGraph(*graph);
      else
        demand(!diagnostics.empty());
    }
  }
  demand(render(diagnostics, program.sources).empty() == diagnostics.empty());
  return 0;
}
