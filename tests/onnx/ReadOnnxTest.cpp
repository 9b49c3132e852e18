// ONNX files as others write them, and as nobody should: what contradicts itself is refused with a message.
#define BOOST_TEST_MODULE ReadOnnx
#include <boost/test/included/unit_test.hpp>

#include "codegen/onnx/ReadOnnx.h"
#include "runtime/Error.h"

#include <onnx/onnx_pb.h>

#include <filesystem>
#include <fstream>

using namespace vernier;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "vernier-onnx-XXXXXX").string();
    BOOST_TEST_REQUIRE(mkdtemp(name.data()));
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
};

onnx::NodeProto &addNode(onnx::ModelProto &model, const std::string &operation,
                         const std::vector<std::string> &inputs, const std::string &output) {
  onnx::NodeProto &node = *model.mutable_graph()->add_node();
  node.set_op_type(operation);
  node.set_name("node_" + output);
  for (const std::string &input : inputs)
    node.add_input(input);
  node.add_output(output);
  return node;
}

onnx::TensorProto &addConstant(onnx::ModelProto &model, const std::string &name, std::vector<int64_t> shape,
                               const std::string &bytes) {
  onnx::TensorProto &tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t size : shape)
    tensor.add_dims(size);
  tensor.set_raw_data(bytes);
  return tensor;
}

void addExternal(onnx::TensorProto &tensor, const std::string &key, const std::string &value) {
  onnx::StringStringEntryProto &entry = *tensor.add_external_data();
  entry.set_key(key);
  entry.set_value(value);
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  tensor.clear_raw_data();
}

// x -> Relu -> y
onnx::ModelProto plainModel() {
  onnx::ModelProto model;
  model.set_ir_version(10);
  model.add_opset_import()->set_version(17);
  onnx::ValueInfoProto &input = *model.mutable_graph()->add_input();
  input.set_name("x");
  onnx::TypeProto::Tensor &type = *input.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("N");
  for (const int64_t size : {3, 8, 8})
    type.mutable_shape()->add_dim()->set_dim_value(size);
  model.mutable_graph()->add_output()->set_name("y");
  addNode(model, "Relu", {"x"}, "y");
  return model;
}

fs::path write(const Folder &folder, const std::string &bytes) {
  const fs::path path = folder.path / "m.onnx";
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

codegen::OnnxModel read(const onnx::ModelProto &model) {
  const Folder folder;
  return codegen::readOnnx(write(folder, model.SerializeAsString()).string());
}

void refusedBytes(const Folder &folder, const std::string &bytes, const std::string &message) {
  const fs::path path = write(folder, bytes);
  try {
    codegen::readOnnx(path.string());
  } catch (const runtime::Error &error) {
    const std::string text = error.what();
    BOOST_TEST(text.find(message) != std::string::npos, text + "\nlacks " + message);
    BOOST_TEST(text.find(path.string()) != std::string::npos, text);
    return;
  }
  BOOST_ERROR("not refused: " + message);
}

void refused(const onnx::ModelProto &model, const std::string &message) {
  const Folder folder;
  refusedBytes(folder, model.SerializeAsString(), message);
}

} // namespace

BOOST_AUTO_TEST_CASE(plain) {
  const codegen::OnnxModel model = read(plainModel());
  BOOST_TEST(model.opset == 17);
  BOOST_TEST(model.inputs.at(0).shape == (std::vector<int64_t>{-1, 3, 8, 8}),
             boost::test_tools::per_element());
  BOOST_TEST(model.nodes.at(0).operation == "Relu");
  BOOST_TEST(model.nodes.at(0).name == "node_y");
}

BOOST_AUTO_TEST_CASE(nodes_in_any_order) {
  onnx::ModelProto model = plainModel();
  model.mutable_graph()->mutable_node(0)->set_input(0, "z");
  addNode(model, "Sigmoid", {"x"}, "z");
  const codegen::OnnxModel found = read(model);
  BOOST_TEST(found.nodes.at(0).operation == "Sigmoid");
  BOOST_TEST(found.nodes.at(1).operation == "Relu");
}

BOOST_AUTO_TEST_CASE(types_of_elements) {
  onnx::ModelProto model = plainModel();
  onnx::TensorProto &half = addConstant(model, "half", {2}, std::string("\x00\x3c\x00\xc0", 4));
  half.set_data_type(onnx::TensorProto::FLOAT16);
  onnx::TensorProto &brain = addConstant(model, "brain", {1}, std::string("\x80\x3f", 2));
  brain.set_data_type(onnx::TensorProto::BFLOAT16);
  onnx::TensorProto &fields = addConstant(model, "fields", {2}, "");
  fields.clear_raw_data();
  fields.add_float_data(0.5f);
  fields.add_float_data(-3);
  onnx::TensorProto &integers = addConstant(model, "integers", {}, std::string("\xff\xff\xff\xff", 4));
  integers.set_data_type(onnx::TensorProto::INT32);
  const codegen::OnnxModel found = read(model);
  BOOST_TEST(found.constants.at("half")->floats == (std::vector<float>{1, -2}),
             boost::test_tools::per_element());
  BOOST_TEST(found.constants.at("brain")->floats == std::vector<float>{1}, boost::test_tools::per_element());
  BOOST_TEST(found.constants.at("fields")->floats == (std::vector<float>{0.5f, -3}),
             boost::test_tools::per_element());
  BOOST_TEST(found.constants.at("integers")->integers == std::vector<int64_t>{-1},
             boost::test_tools::per_element());
  integers.set_data_type(onnx::TensorProto::COMPLEX64);
  refused(model, "constant `integers`: elements of type COMPLEX64 are not read");
}

BOOST_AUTO_TEST_CASE(no_model) {
  const Folder folder;
  refusedBytes(folder, "", "no ONNX model");
  refusedBytes(folder, "neither text nor pictures", "no ONNX model");
  std::string bytes = plainModel().SerializeAsString();
  refusedBytes(folder, bytes.substr(0, bytes.size() - 3), "no ONNX model");
  BOOST_CHECK_THROW(codegen::readOnnx((folder.path / "missing.onnx").string()), runtime::Error);
}

BOOST_AUTO_TEST_CASE(opsets) {
  for (const int64_t opset : {0, 6, 1000}) {
    onnx::ModelProto model = plainModel();
    model.mutable_opset_import(0)->set_version(opset);
    refused(model, "of ONNX's opset " + std::to_string(opset));
  }
}

BOOST_AUTO_TEST_CASE(cycles) {
  onnx::ModelProto model = plainModel();
  model.mutable_graph()->mutable_node(0)->set_input(0, "z");
  addNode(model, "Sigmoid", {"y"}, "z");
  refused(model, "the model has a cycle: node `node_y` depends on its own result");
}

BOOST_AUTO_TEST_CASE(values_without_definition) {
  onnx::ModelProto model = plainModel();
  model.mutable_graph()->mutable_node(0)->set_input(0, "missing\n");
  refused(model, "node `node_y` takes `missing?`, which is defined nowhere");
  model = plainModel();
  model.mutable_graph()->mutable_output(0)->set_name("z");
  refused(model, "the output `z` is computed nowhere");
}

BOOST_AUTO_TEST_CASE(values_defined_twice) {
  onnx::ModelProto model = plainModel();
  addNode(model, "Relu", {"x"}, "y");
  refused(model, "the value `y` is defined twice");
  model = plainModel();
  addConstant(model, "y", {1}, "abcd");
  refused(model, "the value `y` is defined twice");
  model = plainModel();
  model.mutable_graph()->add_output()->set_name("y");
  refused(model, "the output `y` is listed twice");
}

BOOST_AUTO_TEST_CASE(sizes_that_contradict) {
  onnx::ModelProto model = plainModel();
  addConstant(model, "w", {2, 3}, std::string(20, '\0'));
  refused(model, "constant `w`: its data has 20 bytes, its shape 24");
  model = plainModel();
  addConstant(model, "w", {int64_t(1) << 40, int64_t(1) << 40}, "");
  refused(model, "constant `w`: more than 2^31 elements");
  model = plainModel();
  addConstant(model, "w", {-4}, "");
  refused(model, "constant `w`: a size of -4");
  model = plainModel();
  addConstant(model, "w", {1 << 30}, "").clear_raw_data(); // nothing is allocated for it
  refused(model, "constant `w`: it has 0 elements, its shape 1073741824");
}

BOOST_AUTO_TEST_CASE(external_data) {
  const Folder folder;
  fs::create_directory(folder.path / "inside");
  std::ofstream(folder.path / "inside" / "w.data", std::ios::binary) << std::string("....\0\0\x80\x3f", 8);
  onnx::ModelProto model = plainModel();
  onnx::TensorProto &tensor = addConstant(model, "w", {1}, "");
  addExternal(tensor, "location", "inside/w.data");
  addExternal(tensor, "offset", "4");
  const codegen::OnnxModel found = codegen::readOnnx(write(folder, model.SerializeAsString()).string());
  BOOST_TEST(found.constants.at("w")->floats == std::vector<float>{1}, boost::test_tools::per_element());

  addExternal(tensor, "offset", "6");
  refusedBytes(folder, model.SerializeAsString(), "its data ends behind `inside/w.data`");
  addExternal(tensor, "offset", "18446744073709551615");
  refusedBytes(folder, model.SerializeAsString(), "its data ends behind");
  addExternal(tensor, "offset", "four");
  refusedBytes(folder, model.SerializeAsString(), "`four` is no number of bytes");
  tensor.clear_external_data();
  addExternal(tensor, "location", "inside/w.data");
  addExternal(tensor, "length", "8");
  refusedBytes(folder, model.SerializeAsString(), "its data has 8 bytes, its shape 4");
}

BOOST_AUTO_TEST_CASE(external_data_outside) {
  const Folder folder, outside;
  std::ofstream(outside.path / "secret") << "abcd";
  fs::create_symlink(outside.path / "secret", folder.path / "link");
  fs::create_directory_symlink(outside.path, folder.path / "linked");
  const std::string up = "../" + outside.path.filename().string() + "/secret";
  for (const std::string &location : {(outside.path / "secret").string(), up, std::string("x/../") + up,
                                      std::string("link"), std::string("linked/secret"), std::string("")}) {
    onnx::ModelProto model = plainModel();
    addExternal(addConstant(model, "w", {1}, ""), "location", location);
    refusedBytes(folder, model.SerializeAsString(), "outside of the model's folder");
  }
  onnx::ModelProto model = plainModel();
  addExternal(addConstant(model, "w", {1}, ""), "location", "absent");
  refusedBytes(folder, model.SerializeAsString(), "`absent`, which cannot be opened");
  model = plainModel();
  addExternal(addConstant(model, "w", {1}, ""), "location", ".");
  refusedBytes(folder, model.SerializeAsString(), "which is no file");
}
