#include "driver/DescribedModel.h"

#include "codegen/lower/Lower.h"
#include "compiler/analysis/Cost.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/DeclaredLosses.h"
#include "driver/CodeOptions.h"
#include "driver/OpenModel.h"
#include "driver/Version.h"
#include "driver/describe/DescribeJson.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/io/Weights.h"

#include "llvm/ADT/StringSet.h"

namespace vernier::driver {

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
  facts.trainingOnly = model.trainingOnly;
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
      parameter.space = codegen::spaceOf(op);
    });
  return parameters;
}

static std::vector<codegen::Parameter> allParametersOf(const LoadedModel &model,
                                                       const ModelOptions &options) {
  if (!hasOpenChoices(model))
    return parametersOf(*model.module);
  const codegen::CpuBackend any = cpuBackendOf({}); // whose passes leave the same parameters as another's
  return parametersOf(loadOpenModel(options, model, any, "f32").parts());
}

DescribedModel::DescribedModel(const LoadedModel &model, const ModelOptions &options)
    : facts(factsOf(model, options)), parameters(allParametersOf(model, options)) {
  describe();
  describeLosses(*model.module);
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
  outline.name = facts.name;
  outline.batch = facts.batch;
  outline.channels = facts.channels;
  outline.height = facts.height;
  outline.width = facts.width;
  outline.classes = facts.classes;
  outline.trainingOnly = facts.trainingOnly;
  for (const codegen::Parameter &parameter : parameters) {
    vn_parameter &entry = entries.emplace_back(vn_parameter{parameter.name.c_str(),
                                                            parameter.kind,
                                                            int64_t(parameter.shape.size()),
                                                            {1, 1, 1, 1},
                                                            parameter.space,
                                                            0,
                                                            parameter.initial});
    llvm::copy(parameter.shape, entry.shape);
  }
  outline.parameters = entries;
}

void DescribedModel::addArray(std::vector<vn_io> &arrays, std::string name, vn_io array) {
  array.name = arrayNames.emplace_back(std::move(name)).c_str();
  arrays.push_back(array);
}

void DescribedModel::describeLosses(mlir::ModuleOp module) {
  auto infer = module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
  if (!compiler::declaresLosses(infer))
    return;
  for (vn::TargetOp target : infer.getOps<vn::TargetOp>()) {
    const codegen::Io io = codegen::targetIo(target.getResult());
    vn_io array = {nullptr, io.type, VN_INPUT, int64_t(io.shape.size()), {}, io.classes, io.ignored};
    llvm::copy(io.shape, array.shape);
    addArray(targets, target.getName().str(), array);
  }
  for (const std::string &name : compiler::namesOfLosses(infer))
    addArray(terms, "loss." + name, {nullptr, VN_FLOAT32, VN_OUTPUT, 1, {1}, 0, 0});
  outline.declaresLosses = true;
  outline.targets = targets;
  outline.terms = terms;
}

void checkWeights(const DescribedModel &model, const std::string &path, const std::string &others) {
  const runtime::Safetensors file = runtime::Safetensors::read(path);
  runtime::checkFinite(file); // of other choices too, which go into what is written
  runtime::findWeights(model.get(), file, "", others);
}

} // namespace vernier::driver
