#include "codegen/onnx/ReadOnnx.h"

#include "codegen/onnx/OnnxTensorData.h"
#include "runtime/Error.h"
#include "runtime/io/File.h"

#include <onnx/onnx_pb.h>

#include <limits>
#include <queue>
#include <set>
#include <stdexcept>

namespace vernier::codegen {
namespace {

// Of ONNX's own operators; older ones mean other things in places.
constexpr int64_t kOldestOpset = 7, kNewestOpset = 25;

// As many as a specification may have.
constexpr int kMostNodes = 100'000;

class Reader {
public:
  explicit Reader(const std::string &path) : path(path), data(path) {}

  OnnxModel run() {
    const std::vector<unsigned char> bytes = runtime::readFile(path);
    onnx::ModelProto proto;
    if (bytes.size() > size_t(std::numeric_limits<int32_t>::max()) ||
        !proto.ParseFromArray(bytes.data(), int(bytes.size())) || !proto.has_graph())
      fail("the file is no ONNX model, or only a part of one");
    readVersion(proto);
    for (const onnx::StringStringEntryProto &entry : proto.metadata_props())
      model.metadata[entry.key()] = entry.value();
    const onnx::GraphProto &graph = proto.graph();
    model.name = graph.name();
    if (graph.node_size() > kMostNodes)
      fail("the model has " + std::to_string(graph.node_size()) + " nodes; at most " +
           std::to_string(kMostNodes) + " are read");
    if (graph.sparse_initializer_size() > 0)
      fail("the model has sparse constants, which are not read");
    readConstants(graph);
    readInputs(graph);
    for (const onnx::ValueInfoProto &output : graph.output())
      model.outputs.push_back(readValue(output));
    readNodes(graph);
    checkOutputs();
    return std::move(model);
  }

private:
  [[noreturn]] void fail(const std::string &what, const std::string &help = "") {
    runtime::Error error(VN_ERROR_FORMAT, what);
    error.at(path);
    if (!help.empty())
      error.help(help);
    throw error;
  }

  void define(const std::string &value) {
    if (!defined.insert(value).second)
      fail("the value `" + printable(value) + "` is defined twice");
  }

  void readVersion(const onnx::ModelProto &proto) {
    for (const onnx::OperatorSetIdProto &set : proto.opset_import())
      if (set.domain().empty() || set.domain() == "ai.onnx")
        model.opset = set.version();
    if (model.opset < kOldestOpset || model.opset > kNewestOpset)
      fail("the model is of ONNX's opset " + std::to_string(model.opset) + "; read are " +
               std::to_string(kOldestOpset) + " to " + std::to_string(kNewestOpset),
           "onnx.version_converter rewrites a model for another opset");
  }

  OnnxConstant readTensor(const onnx::TensorProto &tensor, const std::string &what) {
    try {
      return data.read(tensor);
    } catch (const std::exception &error) {
      fail(what + ": " + error.what());
    }
  }

  void readConstants(const onnx::GraphProto &graph) {
    for (const onnx::TensorProto &tensor : graph.initializer()) {
      define(tensor.name());
      model.constants[tensor.name()] = readTensor(tensor, "constant `" + printable(tensor.name()) + "`");
    }
  }

  OnnxValue readValue(const onnx::ValueInfoProto &info) {
    OnnxValue value;
    value.name = info.name();
    if (!info.type().has_tensor_type())
      return value;
    const onnx::TypeProto::Tensor &type = info.type().tensor_type();
    value.ranked = type.has_shape();
    for (const auto &dimension : type.shape().dim())
      value.shape.push_back(dimension.has_dim_value() && dimension.dim_value() > 0 ? dimension.dim_value()
                                                                                   : -1);
    return value;
  }

  // Before IR version 4 constants were listed among the inputs, too.
  void readInputs(const onnx::GraphProto &graph) {
    for (const onnx::ValueInfoProto &input : graph.input()) {
      if (model.constants.count(input.name()))
        continue;
      define(input.name());
      model.inputs.push_back(readValue(input));
      const auto type = input.type().tensor_type().elem_type();
      if (type != onnx::TensorProto::FLOAT && type != onnx::TensorProto::FLOAT16 &&
          type != onnx::TensorProto::BFLOAT16)
        fail("input `" + printable(input.name()) + "` is no tensor of float32, float16 or bfloat16");
    }
  }

  OnnxAttribute readAttribute(const onnx::AttributeProto &attribute, const std::string &node) {
    switch (attribute.type()) {
    case onnx::AttributeProto::INT:
      return attribute.i();
    case onnx::AttributeProto::FLOAT:
      return attribute.f();
    case onnx::AttributeProto::STRING:
      return attribute.s();
    case onnx::AttributeProto::INTS:
      return std::vector<int64_t>(attribute.ints().begin(), attribute.ints().end());
    case onnx::AttributeProto::FLOATS:
      return std::vector<float>(attribute.floats().begin(), attribute.floats().end());
    case onnx::AttributeProto::TENSOR:
      return readTensor(attribute.t(), "node `" + printable(node) + "`");
    default:
      return std::monostate();
    }
  }

  OnnxNode readNode(const onnx::NodeProto &proto) {
    OnnxNode node;
    node.name = !proto.name().empty() ? proto.name() : proto.output_size() > 0 ? proto.output(0) : "";
    const bool own = proto.domain().empty() || proto.domain() == "ai.onnx";
    node.operation = own ? proto.op_type() : proto.domain() + "." + proto.op_type();
    node.inputs.assign(proto.input().begin(), proto.input().end());
    node.outputs.assign(proto.output().begin(), proto.output().end());
    for (const onnx::AttributeProto &attribute : proto.attribute())
      node.attributes[attribute.name()] = readAttribute(attribute, node.name);
    return node;
  }

  // In an order of computation: that of the file, which ONNX demands to be one, where it is.
  void readNodes(const onnx::GraphProto &graph) {
    std::map<std::string, int> producers;
    for (int i = 0; i < graph.node_size(); ++i)
      for (const std::string &output : graph.node(i).output())
        if (!output.empty()) {
          define(output);
          producers[output] = i;
        }
    std::vector<int> missing(graph.node_size());
    std::vector<std::vector<int>> users(graph.node_size());
    for (int i = 0; i < graph.node_size(); ++i)
      for (const std::string &input : graph.node(i).input()) {
        if (input.empty())
          continue;
        if (!defined.count(input))
          fail("node `" + printable(readNode(graph.node(i)).name) + "` takes `" + printable(input) +
               "`, which is defined nowhere");
        if (const auto producer = producers.find(input); producer != producers.end()) {
          users[producer->second].push_back(i);
          ++missing[i];
        }
      }
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (int i = 0; i < graph.node_size(); ++i)
      if (missing[i] == 0)
        ready.push(i);
    while (!ready.empty()) {
      const int next = ready.top();
      ready.pop();
      model.nodes.push_back(readNode(graph.node(next)));
      for (int user : users[next])
        if (--missing[user] == 0)
          ready.push(user);
    }
    for (int i = 0; i < graph.node_size(); ++i)
      if (missing[i] > 0)
        fail("the model has a cycle: node `" + printable(readNode(graph.node(i)).name) +
             "` depends on its own result");
  }

  void checkOutputs() {
    if (model.outputs.empty())
      fail("the model has no outputs");
    std::set<std::string> names;
    for (const OnnxValue &output : model.outputs) {
      if (!defined.count(output.name))
        fail("the output `" + printable(output.name) + "` is computed nowhere");
      if (!names.insert(output.name).second)
        fail("the output `" + printable(output.name) + "` is listed twice");
    }
  }

  const std::string path;
  OnnxTensorData data;
  OnnxModel model;
  std::set<std::string> defined;
};

} // namespace

OnnxModel readOnnx(const std::string &path) { return Reader(path).run(); }

std::string printable(const std::string &name) {
  constexpr size_t most = 80;
  std::string text;
  for (const char c : name.substr(0, most))
    text += (c >= 0 && c < ' ') || c == 127 ? '?' : c;
  return name.size() > most ? text + "..." : text;
}

size_t onnxElements(const std::vector<int64_t> &shape) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0)
      throw std::overflow_error("a size of " + std::to_string(size));
    if (size > 0 && count > most / size)
      throw std::overflow_error("more than 2^31 elements");
    count *= size;
  }
  return size_t(count);
}

} // namespace vernier::codegen
