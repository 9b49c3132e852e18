#include "codegen/onnx/OnnxImporter.h"

#include "codegen/onnx/FoldConstants.h"
#include "codegen/onnx/ImportNames.h"

#include "dsl/ShapeRules.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

// Of all constants that are computed while importing: 1 GiB.
constexpr size_t kMostFolded = size_t(1) << 28;

constexpr int64_t kMostElements = int64_t(1) << 31;

bool calledAlike(const dsl::Node &a, const dsl::Node &b) {
  return std::equal(a.stride, a.stride + 2, b.stride) && std::equal(a.padding, a.padding + 4, b.padding) &&
         std::equal(a.dilation, a.dilation + 2, b.dilation) && a.groups == b.groups &&
         a.epsilon == b.epsilon && std::equal(a.outputPadding, a.outputPadding + 2, b.outputPadding);
}

} // namespace

const std::map<std::string, OnnxImporter::Handler> &OnnxImporter::handlers() {
  using I = OnnxImporter;
  static const std::map<std::string, Handler> table = {
      {"Conv", &I::convolution},
      {"ConvTranspose", &I::transposedConvolution},
      {"Gemm", &I::gemm},
      {"MatMul", &I::matMul},
      {"BatchNormalization", &I::batchNorm},
      {"LayerNormalization", &I::layerNorm},
      {"GroupNormalization", &I::groupNorm},
      {"InstanceNormalization", &I::groupNorm},
      {"PRelu", &I::prelu},
      {"Expand", &I::parameter},
      {"Softmax", &I::softmax},
      {"LogSoftmax", &I::softmax},
      {"DepthToSpace", &I::depthToSpace},
      {"SpaceToDepth", &I::depthToSpace},
      {"MaxPool", &I::pool},
      {"AveragePool", &I::pool},
      {"GlobalAveragePool", &I::globalPool},
      {"GlobalMaxPool", &I::globalPool},
      {"ReduceMean", &I::reduce},
      {"ReduceMax", &I::reduce},
      {"Relu", &I::activation},
      {"LeakyRelu", &I::activation},
      {"Sigmoid", &I::activation},
      {"HardSigmoid", &I::activation},
      {"Tanh", &I::activation},
      {"Exp", &I::activation},
      {"HardSwish", &I::activation},
      {"Swish", &I::activation},
      {"Gelu", &I::activation},
      {"Neg", &I::activation},
      {"Clip", &I::clip},
      {"Add", &I::binary},
      {"Sub", &I::binary},
      {"Mul", &I::binary},
      {"Div", &I::binary},
      {"Sum", &I::sum},
      {"Pow", &I::power},
      {"Erf", &I::errorFunction},
      {"Sqrt", &I::squareRoot},
      {"Reshape", &I::reshape},
      {"Flatten", &I::flatten},
      {"Squeeze", &I::squeeze},
      {"Unsqueeze", &I::unsqueeze},
      {"Transpose", &I::transpose},
      {"Shape", &I::shape},
      {"Identity", &I::identity},
      {"Dropout", &I::identity},
      {"Cast", &I::identity},
      {"Pad", &I::pad},
      {"Slice", &I::slice},
      {"Split", &I::split},
      {"Concat", &I::concat},
      {"Gather", &I::gather},
      {"Resize", &I::resize},
      {"Upsample", &I::resize},
  };
  return table;
}

ImportedNetwork OnnxImporter::run() {
  for (const OnnxNode &node : model.nodes)
    for (const std::string &input : node.inputs)
      ++uses[input];
  for (const OnnxValue &output : model.outputs)
    ++uses[output.name];
  for (const auto &[name, constant] : model.constants) {
    Value value;
    value.kind = Value::Kind::Constant;
    value.constant = constant;
    value.source = name;
    values[name] = value;
  }
  try {
    readInput();
  } catch (const Unsupported &problem) {
    result.problems.push_back({"", "", problem.what(), problem.help});
    return std::move(result);
  }
  for (const OnnxNode &node : model.nodes)
    translate(node);
  if (result.problems.empty())
    giveOutputs();
  if (!result.problems.empty())
    return std::move(result);
  removeUnused();
  checkFactors();
  shareLayers();
  if (!result.problems.empty())
    return std::move(result);
  ImportNames(result.graph, modules).run();
  for (size_t i = 0; i < weights.size(); ++i) {
    const dsl::Node &node = result.graph.nodes[i];
    if (node.parametersOf.empty())
      for (LayerWeight &weight : weights[i])
        result.weights.push_back({node.place + "." + weight.suffix, weight.shape, std::move(weight.values)});
  }
  return std::move(result);
}

//===- The image
//------------------------------------------------------------------------------------------===//

void OnnxImporter::readInput() {
  if (model.inputs.size() != 1) {
    std::string names;
    for (const OnnxValue &input : model.inputs)
      names += (names.empty() ? " (`" : ", `") + printable(input.name) + "`";
    throw Unsupported("the model has " + std::to_string(model.inputs.size()) + " inputs" + names +
                          (names.empty() ? "" : ")") + "; a network has one, its image",
                      "cut the model to a part that has one input");
  }
  const OnnxValue &input = model.inputs[0];
  const std::string name = "the input `" + printable(input.name) + "` ";
  if (input.shape.size() != 4)
    throw Unsupported(name + "is no batch of images, N x C x H x W");
  if (input.shape[1] < 0)
    throw Unsupported(name + "does not say how many channels an image has");
  std::array<int64_t, 2> sides = {input.shape[2], input.shape[3]};
  const std::array<int64_t, 2> given = {options.height, options.width};
  for (size_t i = 0; i < 2; ++i) {
    if (sides[i] < 0 && given[i] == 0)
      throw Unsupported(name + "does not say how large an image is", "give --input HxW");
    if (sides[i] >= 0 && given[i] > 0 && given[i] != sides[i])
      throw Unsupported(name + "is of images of " + std::to_string(sides[0]) + "x" +
                            std::to_string(sides[1]) + " pixels",
                        "leave out --input; a build may give another size");
    if (sides[i] < 0)
      sides[i] = given[i];
  }
  batch = std::max<int64_t>(1, input.shape[0]);
  dsl::Node image;
  image.kind = dsl::OpKind::Input;
  image.place = "image";
  image.shape = {input.shape[1], sides[0], sides[1]};
  image.channels = image.shape.channels;
  OnnxNode source;
  source.outputs = {input.name};
  giveMap(source, add(source, image));
}

//===- Nodes
//----------------------------------------------------------------------------------------------===//

void OnnxImporter::translate(const OnnxNode &node) {
  for (const std::string &output : node.outputs)
    values[output]; // unknown until it is given
  for (const std::string &input : node.inputs)
    if (!input.empty() && values[input].kind == Value::Kind::Unknown)
      return; // what made it was refused
  try {
    if (fold(node))
      return;
    const auto handler = handlers().find(node.operation);
    if (handler == handlers().end())
      throw Unsupported("the language has no such operation");
    (this->*handler->second)(node);
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (uses.count(node.outputs[i]) && !node.outputs[i].empty() &&
          values[node.outputs[i]].kind == Value::Kind::Unknown)
        throw Unsupported("its result number " + std::to_string(i + 1) + " is used");
  } catch (const Unsupported &problem) {
    result.problems.push_back(
        {printable(node.name), printable(node.operation), problem.what(), problem.help});
  } catch (const std::overflow_error &problem) {
    result.problems.push_back({printable(node.name), printable(node.operation),
                               std::string("a tensor would have ") + problem.what(), ""});
  }
}

// Computes what depends on constants alone.
bool OnnxImporter::fold(const OnnxNode &node) {
  std::vector<OnnxConstant> operands;
  for (const std::string &input : node.inputs) {
    if (input.empty()) {
      operands.push_back(nullptr);
      continue;
    }
    const Value &value = valueOf(input);
    if (value.kind != Value::Kind::Constant)
      return false;
    operands.push_back(value.constant);
  }
  const OnnxConstant folded = foldConstant(node, operands);
  if (!folded || node.outputs.empty())
    return false;
  foldedElements += folded->size();
  if (foldedElements > kMostFolded)
    throw Unsupported("the model computes too much of constants alone");
  Value value;
  value.kind = Value::Kind::Constant;
  value.constant = folded;
  static const std::set<std::string> laysOut = {"Identity", "Cast",      "Reshape",
                                                "Squeeze",  "Unsqueeze", "Transpose"};
  if (laysOut.count(node.operation))
    value.source = valueOf(node.inputs[0]).source;
  // Of equal weights PyTorch writes one, and the others by their names as its copies.
  if (node.operation == "Identity" && !layerOf(node.outputs[0]).empty())
    value.source = node.outputs[0];
  give(node, value);
  return true;
}

const ImportedValue &OnnxImporter::operand(const OnnxNode &node, size_t i) const {
  if (!has(node, i))
    throw Unsupported("operand " + std::to_string(i + 1) + " is missing");
  return valueOf(node.inputs[i]);
}

OnnxConstant OnnxImporter::constant(const OnnxNode &node, size_t i) const {
  const Value &value = operand(node, i);
  if (value.kind != Value::Kind::Constant)
    throw Unsupported("operand " + std::to_string(i + 1) + ", `" + printable(node.inputs[i]) +
                      "`, depends on the image; here it is a constant");
  return value.constant;
}

// Newer operators take as an operand what older ones have as an attribute.
std::vector<int64_t> OnnxImporter::integers(const OnnxNode &node, size_t i, const char *attribute) const {
  if (!has(node, i))
    return integersOf(node, attribute);
  const OnnxConstant value = constant(node, i);
  if (value->real)
    throw Unsupported("operand " + std::to_string(i + 1) + " is not of integers");
  return value->integers;
}

bool OnnxImporter::usedOnce(const OnnxNode &node, size_t i) const {
  const auto use = uses.find(node.inputs[i]);
  return use != uses.end() && use->second == 1;
}

OnnxImporter::Sizes OnnxImporter::sizesOf(int node) const {
  const dsl::Shape &shape = result.graph.nodes[size_t(node)].shape;
  return {batch, shape.channels, shape.height, shape.width};
}

const ImportedValue &OnnxImporter::anyLayout(const OnnxNode &node, size_t i) const {
  const Value &value = operand(node, i);
  switch (value.kind) {
  case Value::Kind::Map:
    return value;
  case Value::Kind::Erf:
  case Value::Kind::OnePlusErf:
  case Value::Kind::TimesErf:
    throw Unsupported("operand " + std::to_string(i + 1) +
                      " is computed by Erf, which is known as a part of GELU only");
  case Value::Kind::SquareRoot:
    throw Unsupported("operand " + std::to_string(i + 1) +
                      " is a square root, which is known as a part of a layer normalisation only");
  default:
    throw Unsupported("operand " + std::to_string(i + 1) + ", `" + printable(node.inputs[i]) +
                      "`, is a constant; here it depends on the image");
  }
}

int OnnxImporter::map(const Value &value) {
  const Sizes sizes = sizesOf(value.node);
  if (value.view.isMap(sizes) || value.view.isMatrix(sizes))
    return value.node;
  if (const std::optional<int64_t> groups = value.view.shuffledGroups(sizes)) {
    dsl::Node shuffle = like(value.node, dsl::OpKind::ChannelShuffle);
    shuffle.groups = *groups;
    return add({}, shuffle);
  }
  if (const std::optional<int64_t> side = value.view.squaresInChannels(sizes)) {
    dsl::Node unshuffle = like(value.node, dsl::OpKind::PixelUnshuffle);
    unshuffle.factor = *side;
    unshuffle.shape = {sizes[1] * *side * *side, sizes[2] / *side, sizes[3] / *side};
    unshuffle.channels = unshuffle.shape.channels;
    return add({}, unshuffle);
  }
  // A product the other way round.
  if (dsl::Node product = result.graph.nodes[size_t(value.node)];
      product.kind == dsl::OpKind::Matmul && !product.transposed[1] && value.view.isExchanged(sizes)) {
    std::swap(product.operands[0], product.operands[1]);
    std::swap(product.transposed[0], product.transposed[1]);
    for (bool &transposed : product.transposed)
      transposed = !transposed;
    product.shape = {sizes[2] * sizes[3], sizes[1], 1};
    product.channels = product.shape.channels;
    return add({}, product);
  }
  std::string shape;
  for (const int64_t size : value.view.shape())
    shape += (shape.empty() ? "" : " x ") + std::to_string(size);
  throw Unsupported("an operand of shape " + shape + " is laid out otherwise than N x C x H x W",
                    "maps have channels, height and width, and what is computed keeps to them");
}

int OnnxImporter::map(const OnnxNode &node, size_t i) { return map(anyLayout(node, i)); }

dsl::Node OnnxImporter::like(int node, dsl::OpKind kind) const {
  dsl::Node made;
  made.kind = kind;
  made.operands = {node};
  made.shape = result.graph.nodes[size_t(node)].shape;
  made.channels = made.shape.channels;
  return made;
}

int OnnxImporter::add(const OnnxNode &from, dsl::Node node, std::vector<LayerWeight> layerWeights) {
  const dsl::Shape &shape = node.shape;
  if (shape.channels < 1 || shape.height < 1 || shape.width < 1)
    throw Unsupported("nothing is left of the map");
  if (dsl::elementCount(shape) > kMostElements)
    throw Unsupported("a map of " + std::to_string(shape.channels) + " x " + std::to_string(shape.height) +
                      " x " + std::to_string(shape.width) + " is too large");
  // The name by which weights are known beats that of the node.
  std::string name = from.name;
  for (size_t i = layerWeights.size(); i > 0; --i)
    if (const std::string layer = layerOf(layerWeights[i - 1].source); !layer.empty())
      name = layer;
  result.graph.nodes.push_back(std::move(node));
  weights.push_back(std::move(layerWeights));
  modules.push_back(name == from.name ? moduleName(name, from.operation) : name);
  return int(result.graph.nodes.size()) - 1;
}

void OnnxImporter::give(const OnnxNode &node, Value value) {
  if (node.outputs.empty())
    throw Unsupported("it has no result");
  values[node.outputs[0]] = std::move(value);
}

void OnnxImporter::giveMap(const OnnxNode &node, int made) {
  giveLaidOut(node, made, ChannelView::ofMap(sizesOf(made)));
}

void OnnxImporter::giveLaidOut(const OnnxNode &node, int made, const ChannelView &view) {
  Value value;
  value.kind = Value::Kind::Map;
  value.node = made;
  value.view = view;
  give(node, value);
}

//===- The end
//--------------------------------------------------------------------------------------------===//

void OnnxImporter::giveOutputs() {
  for (const OnnxValue &output : model.outputs) {
    OnnxNode end;
    end.inputs = {output.name};
    try {
      const int node = map(end, 0);
      const std::vector<int64_t> shape = valueOf(output.name).view.shape();
      bool same = !output.ranked || output.shape.size() == shape.size();
      for (size_t i = 1; same && output.ranked && i < shape.size(); ++i)
        same = output.shape[i] < 0 || output.shape[i] == shape[i];
      if (!same)
        throw Unsupported("the file says that it has another shape than its nodes give it");
      result.graph.outputs.push_back({output.name, node});
    } catch (const Unsupported &problem) {
      result.problems.push_back({printable(output.name), "output", problem.what(), problem.help});
    }
  }
}

// Of a resize by rows and columns in two nodes, the second may be missing.
void OnnxImporter::checkFactors() {
  for (size_t i = 0; i < result.graph.nodes.size(); ++i) {
    const dsl::Node &node = result.graph.nodes[i];
    if (node.kind != dsl::OpKind::Resize || node.scale == 0)
      continue;
    const dsl::Shape &from = result.graph.nodes[size_t(node.operands[0])].shape;
    if (dsl::scaledSize(from.height, node.scale) != node.shape.height ||
        dsl::scaledSize(from.width, node.scale) != node.shape.width)
      result.problems.push_back({printable(modules[i]), "Gather",
                                 "it resizes rows or columns alone by a factor that is no quotient of sizes",
                                 ""});
  }
}

// Layers that read the same constants are one layer that is called several times.
void OnnxImporter::shareLayers() {
  std::map<std::vector<std::string>, size_t> first;
  for (size_t i = 0; i < weights.size(); ++i) {
    std::vector<std::string> sources = {std::to_string(int(result.graph.nodes[i].kind))};
    for (const LayerWeight &weight : weights[i])
      sources.push_back(weight.suffix + " " + weight.source);
    if (weights[i].empty() || weights[i][0].source.empty() ||
        result.graph.nodes[i].kind == dsl::OpKind::BatchNorm) // of which each call has its own statistics
      continue;
    const auto [known, added] = first.emplace(sources, i);
    const auto same = [](const LayerWeight &a, const LayerWeight &b) {
      return a.shape == b.shape && a.values == b.values;
    };
    const std::vector<LayerWeight> &other = weights[known->second];
    if (added || !std::equal(other.begin(), other.end(), weights[i].begin(), weights[i].end(), same))
      continue;
    dsl::Node &node = result.graph.nodes[i];
    if (!calledAlike(node, result.graph.nodes[known->second]))
      result.problems.push_back(
          {printable(modules[i]), "shared weights",
           "its weights are those of another layer that has another stride, padding or dilation",
           "a `shared` operation has the same arguments in all calls"});
    node.parametersOf = std::to_string(known->second); // a place when it has its name
  }
}

// What patterns have left behind.
void OnnxImporter::removeUnused() {
  std::vector<dsl::Node> &nodes = result.graph.nodes;
  std::vector<bool> used(nodes.size());
  used[0] = true;
  for (const dsl::Output &output : result.graph.outputs)
    used[size_t(output.node)] = true;
  for (size_t i = nodes.size(); i > 0; --i)
    if (used[i - 1])
      for (const int operand : nodes[i - 1].operands)
        used[size_t(operand)] = true;
  std::vector<int> place(nodes.size());
  size_t kept = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    place[i] = int(kept);
    if (!used[i])
      continue;
    for (int &operand : nodes[i].operands)
      operand = place[size_t(operand)];
    if (kept != i) {
      nodes[kept] = std::move(nodes[i]);
      weights[kept] = std::move(weights[i]);
      modules[kept] = std::move(modules[i]);
    }
    ++kept;
  }
  nodes.resize(kept);
  weights.resize(kept);
  modules.resize(kept);
  for (dsl::Output &output : result.graph.outputs)
    output.node = place[size_t(output.node)];
}

ImportedNetwork importOnnx(const OnnxModel &model, const ImportOptions &options) {
  return OnnxImporter(model, options).run();
}

} // namespace vernier::codegen
