#include "tools/CodeOptions.h"

#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/core/Cpus.h"
#include "runtime/core/Threads.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace vernier::tools {

void addCodeOptions(CLI::App &command, CodeOptions &options) {
  command.add_option("--cpu", options.cpu, "native, avx512bf16, avx512, avx2, sse or aarch64")
      ->capture_default_str();
  command.add_option("--precision", options.precision, "Of maps and weights within inference")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command.add_option("--loss", options.loss, "What a training step minimises")
      ->check(CLI::IsMember({"softmax", "binary"}))
      ->capture_default_str();
  command.add_flag("--no-winograd", options.noWinograd, "Compute every convolution directly");
  const codegen::WinogradOptions defaults;
  command
      .add_option("--winograd-error", options.winogradError,
                  "The largest relative error expected of a convolution that Winograd's algorithm may "
                  "compute (default: " +
                      llvm::formatv("{0:e1}, in a training step {1:e1})", defaults.errorBudget,
                                    defaults.trainingErrorBudget)
                          .str())
      ->check(CLI::Range(0.0, 1.0));
}

codegen::CpuBackend backendOf(const CodeOptions &options) {
  const auto target = codegen::makeTarget(options.cpu);
  if (!target)
    refuse("`" + options.cpu + "` is no CPU that code can be generated for", "--cpu",
           "one of " + llvm::join(codegen::targetNames(), ", "));
  codegen::WinogradOptions winograd;
  if (const std::optional<double> error = options.noWinograd ? 0 : options.winogradError)
    winograd = codegen::WinogradOptions::within(*error);
  return codegen::CpuBackend(*target, winograd, unsigned(runtime::usableCpus()));
}

codegen::LoweringOptions loweringOf(const CodeOptions &options) {
  codegen::LoweringOptions lowering;
  if (options.precision == "bf16")
    lowering.maps = codegen::Element::BF16;
  return lowering;
}

std::string trainingPasses(const codegen::Backend &backend, const std::string &loss) {
  return compiler::trainingPasses(loss, backend.passes(codegen::Purpose::TrainForward),
                                  backend.passes(codegen::Purpose::TrainStep));
}

CLI::Validator threadsValidator() {
  return CLI::Validator([](std::string &text) { return runtime::threadsProblem(text); }, "1 to 4096");
}

int64_t classesOf(const LoadedModel &model) {
  mlir::ModuleOp module = *model.module;
  auto infer = module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
  auto shape = llvm::cast<mlir::RankedTensorType>(infer.getResultTypes()[0]).getShape();
  return shape[1] == 1 && shape[2] == 1 ? shape[3] : 0;
}

void requireClasses(const LoadedModel &model, const ModelOptions &options) {
  if (classesOf(model) == 0)
    refuse("model `" + model.name + "` cannot be trained: its first output is a map, not logits",
           options.file);
}

} // namespace vernier::tools
