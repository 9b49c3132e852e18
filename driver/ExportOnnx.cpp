#include "driver/ExportOnnx.h"

#include "codegen/onnx/ExportOnnx.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/DeadOps.h"
#include "driver/WeightFile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/core/Shape.h"

#include "llvm/Support/FormatVariadic.h"

#include <unordered_map>

namespace vernier::driver {

void exportOnnx(const ExportOnnxOptions &options, const Output &output) {
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
  output.text << model.name << ": " << runtime::counted(int64_t(written->nodes), "node") << ", "
              << llvm::formatv("{0:f2}", double(written->weightBytes) / (1 << 20)) << " MiB of weights\n"
              << "written to " << options.output;
  if (!written->data.empty())
    output.text << " and " << written->data;
  output.text << "\n";
}

} // namespace vernier::driver
