// vernier export-onnx
#include "codegen/onnx/ExportOnnx.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/DeadOps.h"
#include "driver/WeightFile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/core/Shape.h"

#include "tools/Options.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <unordered_map>

namespace vernier::tools {
namespace {

struct ExportOptions : ModelOptions {
  std::string weights, output;
  bool externalData = false;
};

void exportOnnx(const ExportOptions &options) {
  LoadedModel model = loadModel(options);
  refuseOpenChoices(*model.module, "exported: an ONNX model has one scaling configuration");
  const std::vector<compiler::NamedShape> parameters = parametersOf(model);
  const runtime::Safetensors file = readWeightFile(options.weights);
  const std::vector<compiler::WeightMapping> plain(1);
  const WeightChoice choice = chooseMapping(plain, parameters, file, model.name);

  codegen::OnnxOptions onnx;
  onnx.model = model.name;
  onnx.externalData = options.externalData;
  for (const auto &[key, value] : file.metadata())
    if (llvm::StringRef(key).starts_with("vernier.")) // how images are treated, the names of classes
      onnx.metadata[key] = value;
  std::unordered_map<std::string, size_t> tensors;
  for (size_t i = 0; i < parameters.size(); ++i)
    tensors[parameters[i].name] = choice.assignment.tensors[i];
  onnx.weights = [&](const std::string &parameter) {
    return valuesOf(file, file.tensors()[tensors.at(parameter)]);
  };
  auto infer = model.module->lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
  compiler::eraseDeadOps(infer.getBody().front());
  auto written = codegen::exportOnnx(infer, onnx, options.output);
  if (!written)
    refuse(llvm::toString(written.takeError()));
  llvm::outs() << model.name << ": " << runtime::counted(int64_t(written->nodes), "node") << ", "
               << llvm::formatv("{0:f2}", double(written->weightBytes) / (1 << 20)) << " MiB of weights\n"
               << "written to " << options.output;
  if (!written->data.empty())
    llvm::outs() << " and " << written->data;
  llvm::outs() << "\n";
}

} // namespace

void addExportOnnxCommand(CLI::App &app) {
  auto *command = app.add_subcommand("export-onnx", "Write the network with its weights as an ONNX model");
  auto options = std::make_shared<ExportOptions>();
  addModelOptions(*command, *options);
  command->add_option("-w,--weights", options->weights, "Weights (.safetensors)")->required();
  command->add_flag("--external-data", options->externalData,
                    "Weights in a file of their own, OUTPUT.data; always so where they exceed 2 GiB");
  command->add_option("-o,--output", options->output, "The model (.onnx)")->required();
  command->callback([options] { exportOnnx(*options); });
}

} // namespace vernier::tools
