#include "tools/DescribedModel.h"

#include "compiler/analysis/Cost.h"
#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/io/Weights.h"
#include "tools/CodeOptions.h"
#include "tools/DescribeJson.h"
#include "tools/OpenModel.h"
#include "tools/Version.h"

#include "llvm/ADT/StringSet.h"

namespace vernier::tools {

static std::string identifier(const std::string &name) {
  std::string result;
  for (char c : name)
    result += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return std::isdigit(static_cast<unsigned char>(result[0])) ? "_" + result : result;
}

codegen::ModelFacts factsOf(const LoadedModel &model, const ModelOptions &options) {
  mlir::ModuleOp module = *model.module;
  codegen::ModelFacts facts;
  facts.name = model.name;
  facts.symbol = identifier(model.name);
  facts.description = withCompiler(describeJson(model), versionName());
  facts.batch = options.batch;
  facts.channels = model.channels;
  facts.height = model.height;
  facts.width = model.width;
  facts.macs = compiler::summarizeCost(module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction)).macs;
  facts.classes = classesOf(model);
  return facts;
}

static std::vector<codegen::Parameter> parametersOf(llvm::ArrayRef<mlir::ModuleOp> parts) {
  std::vector<codegen::Parameter> parameters;
  llvm::StringSet<> known; // variants share most
  for (mlir::ModuleOp part : parts)
    part.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction).walk([&](vn::ParameterOp op) {
      if (!known.insert(op.getName()).second)
        return;
      codegen::Parameter &parameter = parameters.emplace_back();
      parameter.name = op.getName().str();
      parameter.kind = vn_parameter_kind(static_cast<uint32_t>(op.getKind()));
      parameter.shape = op.getType().getShape().vec();
      parameter.space = op.isTrainable() ? VN_SPACE_PARAMETERS : VN_SPACE_STATISTICS;
    });
  return parameters;
}

static std::vector<codegen::Parameter> allParametersOf(const LoadedModel &model,
                                                       const ModelOptions &options) {
  if (!hasOpenChoices(model))
    return parametersOf(*model.module);
  const codegen::CpuBackend any = backendOf({}); // whose passes leave the same parameters as another's
  return parametersOf(loadOpenModel(options, model, any).parts());
}

DescribedModel::DescribedModel(const LoadedModel &model, const ModelOptions &options)
    : facts(factsOf(model, options)), parameters(allParametersOf(model, options)) {
  describe();
}

DescribedModel::DescribedModel(codegen::ModelFacts given, llvm::ArrayRef<mlir::ModuleOp> parts)
    : facts(std::move(given)), parameters(parametersOf(parts)) {
  describe();
}

DescribedModel::DescribedModel(codegen::ModelFacts given, llvm::ArrayRef<codegen::Parameter> parameters)
    : facts(std::move(given)), parameters(parameters) {
  describe();
}

void DescribedModel::describe() {
  model.abi_version = VN_ABI_VERSION;
  model.name = facts.name.c_str();
  model.description = "{}";
  model.target = "";
  model.batch = facts.batch;
  model.channels = facts.channels;
  model.height = facts.height;
  model.width = facts.width;
  model.classes = facts.classes;
  for (const codegen::Parameter &parameter : parameters) {
    int64_t &bytes = parameter.space == VN_SPACE_PARAMETERS ? model.parameter_bytes : model.statistics_bytes;
    vn_parameter &entry = entries.emplace_back(vn_parameter{parameter.name.c_str(),
                                                            parameter.kind,
                                                            int64_t(parameter.shape.size()),
                                                            {1, 1, 1, 1},
                                                            parameter.space,
                                                            bytes});
    int64_t elements = 1;
    for (auto [index, extent] : llvm::enumerate(parameter.shape)) {
      entry.shape[index] = extent;
      elements *= extent;
    }
    bytes += codegen::aligned(elements * int64_t(sizeof(float)));
  }
  model.parameters = entries.data();
  model.num_parameters = int64_t(entries.size());
  // A session insists on knowing a call's arrays; no call is made here.
  arrays[0] = {"image", VN_FLOAT32, VN_INPUT, 4, {facts.batch, facts.channels, facts.height, facts.width}};
  arrays[1] = {"output", VN_FLOAT32, VN_OUTPUT, 0, {1, 1, 1, 1}};
  model.infer.io = arrays;
  model.infer.num_io = 2;
}

void checkWeights(const DescribedModel &model, const std::string &path, const std::string &others) {
  const runtime::Safetensors file = runtime::Safetensors::read(path);
  runtime::checkFinite(file); // of other choices too, which go into what is written
  runtime::findWeights(model.get(), file, "", others);
}

} // namespace vernier::tools
