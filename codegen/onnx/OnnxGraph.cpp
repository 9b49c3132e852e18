#include "codegen/onnx/OnnxGraph.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Endian.h"

namespace vernier::codegen {
namespace {

// ONNX keeps raw data little-endian, as every CPU does that Vernier runs on.
static_assert(llvm::endianness::native == llvm::endianness::little);

template <class T> std::string rawBytes(llvm::ArrayRef<T> values) {
  return std::string(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T));
}

void setType(onnx::ValueInfoProto &value, llvm::StringRef name, llvm::ArrayRef<int64_t> shape) {
  value.set_name(name.str());
  onnx::TypeProto::Tensor &tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  for (int64_t size : shape)
    tensor.mutable_shape()->add_dim()->set_dim_value(size);
}

void setAttribute(onnx::AttributeProto &proto, const OnnxGraph::Attribute &attribute) {
  proto.set_name(attribute.first);
  if (const auto *integer = std::get_if<int64_t>(&attribute.second)) {
    proto.set_type(onnx::AttributeProto::INT);
    proto.set_i(*integer);
  } else if (const auto *real = std::get_if<float>(&attribute.second)) {
    proto.set_type(onnx::AttributeProto::FLOAT);
    proto.set_f(*real);
  } else if (const auto *text = std::get_if<std::string>(&attribute.second)) {
    proto.set_type(onnx::AttributeProto::STRING);
    proto.set_s(*text);
  } else {
    proto.set_type(onnx::AttributeProto::INTS);
    for (int64_t value : std::get<std::vector<int64_t>>(attribute.second))
      proto.add_ints(value);
  }
}

} // namespace

std::string OnnxGraph::unique(llvm::StringRef wanted) {
  std::string name = wanted.str();
  for (unsigned number = 2; !names.insert(name).second; ++number)
    name = (wanted + "_" + llvm::Twine(number)).str();
  return name;
}

void OnnxGraph::addInput(llvm::StringRef name, llvm::ArrayRef<int64_t> shape) {
  setType(*graph.add_input(), name, shape);
}

void OnnxGraph::addOutput(llvm::StringRef name, llvm::ArrayRef<int64_t> shape) {
  setType(*graph.add_output(), name, shape);
}

std::string OnnxGraph::node(const char *operation, llvm::ArrayRef<std::string> operands,
                            const std::string &result, llvm::ArrayRef<Attribute> attributes) {
  onnx::NodeProto &node = *graph.add_node();
  node.set_op_type(operation);
  node.set_name(result);
  for (const std::string &operand : operands)
    node.add_input(operand);
  node.add_output(result);
  for (const Attribute &attribute : attributes)
    setAttribute(*node.add_attribute(), attribute);
  return result;
}

std::string OnnxGraph::weight(const std::string &name, llvm::ArrayRef<int64_t> shape,
                              llvm::ArrayRef<float> values) {
  if (!weights.insert(name).second)
    return name;
  onnx::TensorProto &tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (int64_t size : shape)
    tensor.add_dims(size);
  tensor.set_raw_data(rawBytes(values));
  return name;
}

std::string OnnxGraph::integers(llvm::ArrayRef<int64_t> values) {
  std::string raw = rawBytes(values);
  std::string &name = constants["i" + raw];
  if (!name.empty())
    return name;
  name = unique("integers");
  onnx::TensorProto &tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(int64_t(values.size()));
  tensor.set_raw_data(std::move(raw));
  return name;
}

std::string OnnxGraph::scalar(float value) {
  const std::string raw = rawBytes(llvm::ArrayRef(value));
  std::string &name = constants["s" + raw];
  if (name.empty()) {
    name = unique("scalar");
    weight(name, {}, value);
  }
  return name;
}

std::string OnnxGraph::scales(llvm::ArrayRef<float> values) {
  const std::string raw = rawBytes(values);
  std::string &name = constants["f" + raw];
  if (name.empty()) {
    name = unique("scales");
    weight(name, int64_t(values.size()), values);
  }
  return name;
}

} // namespace vernier::codegen
