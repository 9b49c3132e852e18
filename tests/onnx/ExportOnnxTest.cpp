// What `export-onnx` writes is valid ONNX and has the shapes that the specification has, for every operation.
// Whether it also computes the same is for compare_onnxruntime.py to say, where ONNX Runtime is installed.
#define BOOST_TEST_MODULE Onnx
#include <boost/test/included/unit_test.hpp>

#include "codegen/onnx/ExportOnnx.h"
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/TrainingForm.h"
#include "dsl/Ops.h"
#include "runtime/Error.h"
#include "tests/support/SpecificationModule.h"

#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>

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

// A program and what its export holds.
struct Exported {
  std::unique_ptr<mlir::MLIRContext> context = testing::makeContext();
  mlir::OwningOpRef<mlir::ModuleOp> module;
  codegen::OnnxFiles files;
  onnx::ModelProto model;

  mlir::func::FuncOp infer() { return module->lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction); }
};

// Element i of a parameter whose name has n characters is n + i.
std::vector<float> valuesOf(mlir::func::FuncOp infer, const std::string &name) {
  std::vector<float> values;
  infer.walk([&](vn::ParameterOp op) {
    if (op.getName() == name)
      for (int64_t i = 0; i < op.getType().getNumElements(); ++i)
        values.push_back(float(name.size()) + float(i));
  });
  return values;
}

onnx::ModelProto parse(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  onnx::ModelProto model;
  BOOST_TEST_REQUIRE(model.ParseFromIstream(&file));
  return model;
}

Exported exportModel(const testing::Specification &specification, const fs::path &path,
                     bool externalData = false) {
  Exported result;
  result.module = testing::buildModule(*result.context, specification);
  BOOST_TEST_REQUIRE(static_cast<bool>(result.module));
  compiler::dropDropout(result.infer()); // as models are loaded for inference
  codegen::OnnxOptions options;
  options.model = specification.model;
  options.metadata = {{"vernier.mean", "0.5"}};
  options.weights = [&](const std::string &name) { return valuesOf(result.infer(), name); };
  options.externalData = externalData;
  auto files = codegen::exportOnnx(result.infer(), options, path.string());
  BOOST_TEST_REQUIRE(static_cast<bool>(files), llvm::toString(files.takeError()));
  result.files = *files;
  result.model = parse(path);
  return result;
}

testing::Specification operations(const std::string &model) {
  return {VERNIER_TEST_OPERATIONS, model, "", 2};
}

const std::vector<std::string> kModels = {
    "convolutions", "transposed_convolutions", "pools", "resizes", "resampled", "borders", "channels",
    "heads"};

// The checker of this version knows IR versions up to its own; what it checks did not change. Nor does it
// know a Resize's `antialias`, of opset 18.
void check(onnx::ModelProto model) {
  model.set_ir_version(onnx::IR_VERSION);
  for (onnx::NodeProto &node : *model.mutable_graph()->mutable_node()) {
    auto &attributes = *node.mutable_attribute();
    for (int i = attributes.size(); node.op_type() == "Resize" && i-- > 0;)
      if (attributes[i].name() == "antialias")
        attributes.DeleteSubrange(i, 1);
  }
  onnx::checker::check_model(model);
}

std::vector<int64_t> shapeOf(const onnx::ValueInfoProto &value) {
  std::vector<int64_t> shape;
  for (const auto &dim : value.type().tensor_type().shape().dim())
    shape.push_back(dim.has_dim_value() ? dim.dim_value() : -1);
  return shape;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_operation_of_the_language_is_in_the_models) {
  std::ifstream file(VERNIER_TEST_OPERATIONS);
  std::string code;
  for (std::string line; std::getline(file, line);)
    code += line.substr(0, line.find("//")) + "\n";
  for (const dsl::OpSignature &operation : dsl::operations())
    if (!operation.result.is(dsl::Type::Kind::Loss)) // a model has what inference needs
      BOOST_TEST(std::regex_search(code, std::regex("\\b" + std::string(operation.name) + "\\b")),
                 operation.name);
}

BOOST_AUTO_TEST_CASE(models_are_valid_and_have_the_specified_shapes) {
  Folder folder;
  for (const std::string &name : kModels) {
    BOOST_TEST_CONTEXT(name) {
      Exported exported = exportModel(operations(name), folder.path / "m.onnx");
      check(exported.model);
      // Every map whose node carries a place, and every output, has the size that the specification gives it.
      onnx::ModelProto inferred = exported.model;
      onnx::shape_inference::InferShapes(inferred, onnx::OpSchemaRegistry::Instance(), {true, 1});
      std::map<std::string, std::vector<int64_t>> shapes;
      for (const auto &value : inferred.graph().value_info())
        shapes[value.name()] = shapeOf(value);
      for (const auto &value : inferred.graph().output())
        shapes[value.name()] = shapeOf(value);
      int compared = 0;
      exported.infer().walk([&](mlir::Operation *op) {
        const auto place = op->getAttrOfType<mlir::StringAttr>(vn::kPlaceAttr);
        if (!place || mlir::isa<vn::ParameterOp>(op) || !shapes.count(place.str()))
          return;
        const auto type = mlir::cast<mlir::RankedTensorType>(op->getResult(0).getType());
        std::vector<int64_t> expected = {vn::batchOf(type), vn::channelsOf(type), vn::heightOf(type),
                                         vn::widthOf(type)};
        const std::vector<int64_t> &found = shapes.at(place.str());
        expected.resize(found.size()); // a linear layer's matrix
        BOOST_TEST(found == expected, place.str());
        ++compared;
      });
      const auto names = exported.infer()->getAttrOfType<mlir::ArrayAttr>(vn::kOutputsAttr);
      BOOST_TEST_REQUIRE(exported.model.graph().output_size() == int(names.size()));
      for (auto [name, value] : llvm::zip_equal(names, exported.model.graph().output())) {
        BOOST_TEST(value.name() == mlir::cast<mlir::StringAttr>(name).str());
        BOOST_TEST(shapes.at(value.name()) == shapeOf(value), value.name());
        ++compared;
      }
      BOOST_TEST(compared >= int(names.size()));
    }
  }
}

namespace {

const onnx::NodeProto &nodeOf(const onnx::ModelProto &model, const std::string &output) {
  for (const onnx::NodeProto &node : model.graph().node())
    if (node.output(0) == output)
      return node;
  throw std::runtime_error("no node gives " + output);
}

template <class T> std::vector<T> constant(const onnx::ModelProto &model, const std::string &name) {
  for (const onnx::TensorProto &tensor : model.graph().initializer())
    if (tensor.name() == name) {
      std::vector<T> values(tensor.raw_data().size() / sizeof(T));
      memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
      return values;
    }
  throw std::runtime_error("no initializer " + name);
}

} // namespace

// `nearest` names its pixels, PyTorch's, wherever rounding could decide; a factor that isn't the quotient of
// the sizes is a scale, of which any way of multiplying makes the size.
BOOST_AUTO_TEST_CASE(resizes_sample_as_the_specification_does) {
  Folder folder;
  const Exported exported = exportModel(operations("resizes"), folder.path / "m.onnx");
  const onnx::NodeProto &factored = nodeOf(exported.model, "factored"); // 10x7 by 0.75
  BOOST_TEST(factored.op_type() == "Gather");
  BOOST_TEST(constant<int64_t>(exported.model, factored.input(1)) == (std::vector<int64_t>{0, 1, 2, 4, 5}),
             boost::test_tools::per_element());
  const onnx::NodeProto &unequal = nodeOf(exported.model, "repeated_unequally");
  BOOST_TEST(unequal.op_type() == "Gather");
  const auto rows = constant<int64_t>(exported.model, nodeOf(exported.model, unequal.input(0)).input(1));
  BOOST_TEST(rows.size() == 82u);
  BOOST_TEST(std::count(rows.begin(), rows.end(), 1) == 40);
  BOOST_TEST(nodeOf(exported.model, "doubled").op_type() == "Resize");
  const auto scalesOf = [&](const std::string &output) {
    const onnx::NodeProto &node = nodeOf(exported.model, output);
    BOOST_TEST(node.op_type() == "Resize");
    BOOST_TEST(node.input_size() == 3); // no sizes
    return constant<float>(exported.model, node.input(2));
  };
  BOOST_TEST(scalesOf("smooth_factored") == (std::vector<float>{1, 1, 0.65f, 0.65f}),
             boost::test_tools::per_element());
  // 10 * 0.7f is less than 7 in double.
  BOOST_TEST(scalesOf("smooth_whole")[2] == std::nextafter(0.7f, 1.0f));
  BOOST_TEST(scalesOf("smooth_enlarged") == (std::vector<float>{1, 1, 1.14f, 1}), // 7 columns stay 7
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(resampling_by_operations_or_by_products) {
  Folder folder;
  const Exported exported = exportModel(operations("resampled"), folder.path / "m.onnx");
  BOOST_TEST(nodeOf(exported.model, "alike").op_type() == "AveragePool");
  const onnx::NodeProto &regions = nodeOf(exported.model, "regions"); // of 7 columns 4
  BOOST_TEST(regions.op_type() == "MatMul");
  BOOST_TEST(
      constant<float>(exported.model, regions.input(1)) ==
          (std::vector<float>{0.5,     0, 0, 0, 0.5,     1.f / 3, 0, 0, 0,       1.f / 3, 0, 0, 0, 1.f / 3,
                              1.f / 3, 0, 0, 0, 1.f / 3, 0,       0, 0, 1.f / 3, 0.5,     0, 0, 0, 0.5}),
      boost::test_tools::per_element());
  const onnx::NodeProto &exact = nodeOf(exported.model, "exact_factored"); // 7 columns by 0.75
  BOOST_TEST(constant<int64_t>(exported.model, exact.input(1)) == (std::vector<int64_t>{0, 2, 3, 4, 6}),
             boost::test_tools::per_element());
  const auto attribute = [&](const std::string &output, const std::string &name) {
    const onnx::NodeProto &node = nodeOf(exported.model, output);
    for (const auto &attribute : node.attribute())
      if (attribute.name() == name)
        return attribute.type() == onnx::AttributeProto::FLOAT ? attribute.f() : float(attribute.i());
    return 0.0f;
  };
  BOOST_TEST(attribute("cubic", "cubic_coeff_a") == -0.75f);
  BOOST_TEST(attribute("cubic", "antialias") == 0);
  BOOST_TEST(attribute("filtered", "antialias") == 1);
  BOOST_TEST(attribute("filtered_cubic", "cubic_coeff_a") == -0.5f);
}

BOOST_AUTO_TEST_CASE(heads_are_what_users_of_onnx_expect) {
  Folder folder;
  Exported exported = exportModel(operations("heads"), folder.path / "m.onnx");
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto &value : exported.model.graph().output())
    shapes[value.name()] = shapeOf(value);
  BOOST_TEST(shapes["logits"] == (std::vector<int64_t>{2, 5}));
  BOOST_TEST(shapes["again"] == (std::vector<int64_t>{2, 5}));
  BOOST_TEST(shapes["pixel"] == (std::vector<int64_t>{2, 8}));
  BOOST_TEST(shapes["unchanged"] == (std::vector<int64_t>{2, 6, 8, 8}));
  BOOST_TEST(shapeOf(exported.model.graph().input(0)) == (std::vector<int64_t>{2, 6, 8, 8}));
  BOOST_TEST(exported.model.graph().input(0).name() == "image");
  BOOST_TEST(exported.model.opset_import(0).version() == 22);
  BOOST_TEST(exported.model.metadata_props(0).value() == "0.5");
  // Two linear layers in a row need no map between them.
  std::map<std::string, const onnx::NodeProto *> producers;
  for (const onnx::NodeProto &node : exported.model.graph().node())
    for (const std::string &result : node.output())
      producers[result] = &node;
  const onnx::NodeProto &last = *producers.at("stacked");
  BOOST_TEST(last.op_type() == "Gemm");
  BOOST_TEST(producers.at(last.input(0))->op_type() == "Gemm");
}

BOOST_AUTO_TEST_CASE(weights_keep_names_and_values) {
  Folder folder;
  for (const bool external : {false, true}) {
    BOOST_TEST_CONTEXT("external data: " << external) {
      const fs::path path = folder.path / "m.onnx";
      Exported exported = exportModel(operations("convolutions"), path, external);
      std::map<std::string, const onnx::TensorProto *> tensors;
      for (const onnx::TensorProto &tensor : exported.model.graph().initializer())
        tensors[tensor.name()] = &tensor;
      BOOST_TEST(exported.files.data == (external ? path.string() + ".data" : ""));
      int outside = 0;
      exported.infer().walk([&](vn::ParameterOp op) {
        const std::string name = op.getName().str();
        BOOST_TEST_REQUIRE(tensors.count(name) == 1u, name);
        const onnx::TensorProto &tensor = *tensors[name];
        BOOST_TEST(std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end()) ==
                   op.getType().getShape().vec());
        const std::vector<float> expected = valuesOf(exported.infer(), name);
        std::vector<float> found(expected.size());
        if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
          ++outside;
          std::map<std::string, std::string> entries;
          for (const auto &entry : tensor.external_data())
            entries[entry.key()] = entry.value();
          BOOST_TEST(entries["location"] == "m.onnx.data");
          BOOST_TEST(std::stoll(entries["length"]) == int64_t(4 * expected.size()));
          BOOST_TEST(std::stoll(entries["offset"]) % 4096 == 0);
          std::ifstream data(path.string() + ".data", std::ios::binary);
          data.seekg(std::stoll(entries["offset"]));
          data.read(reinterpret_cast<char *>(found.data()), std::streamsize(4 * found.size()));
        } else {
          BOOST_TEST_REQUIRE(tensor.raw_data().size() == 4 * expected.size());
          memcpy(found.data(), tensor.raw_data().data(), 4 * found.size());
        }
        BOOST_TEST(found == expected, name);
      });
      BOOST_TEST((outside > 0) == external);
    }
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_left_of_a_failure) {
  Folder folder;
  auto context = testing::makeContext();
  auto module = testing::buildModule(*context, operations("convolutions"));
  auto infer = module->lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
  compiler::dropDropout(infer);
  codegen::OnnxOptions options;
  options.weights = [&](const std::string &name) { return valuesOf(infer, name); };
  options.externalData = true;
  const std::string path = (folder.path / "no" / "m.onnx").string();
  const auto says = [](const std::string &text) {
    return [=](const runtime::Error &error) {
      return std::string(error.what()).find(text) != std::string::npos;
    };
  };
  BOOST_CHECK_EXCEPTION(llvm::consumeError(codegen::exportOnnx(infer, options, path).takeError()),
                        runtime::Error, says("No such file or directory"));
  // The model's place is taken by a folder: the data that was already written goes again.
  fs::create_directory(folder.path / "m.onnx");
  const std::string taken = (folder.path / "m.onnx").string();
  BOOST_CHECK_EXCEPTION(llvm::consumeError(codegen::exportOnnx(infer, options, taken).takeError()),
                        runtime::Error, says(taken));
  BOOST_TEST(!fs::exists(folder.path / "m.onnx.data"));
  // Weights that do not fit are refused before anything is written.
  options.weights = [](const std::string &) { return std::vector<float>(); };
  auto files = codegen::exportOnnx(infer, options, (folder.path / "x.onnx").string());
  BOOST_TEST_REQUIRE(!files);
  BOOST_TEST(llvm::toString(files.takeError()).find("has 0 values, its shape has") != std::string::npos);
  BOOST_TEST(!fs::exists(folder.path / "x.onnx"));
}
