#include "tools/Options.h"

#include "runtime/core/Threads.h"

#include "llvm/Support/FormatVariadic.h"

namespace vernier::tools {

void addModelOptions(CLI::App &command, ModelOptions &options, bool withConfiguration) {
  command.add_option("FILE", options.file, "The specification (.vn)")->required();
  command.add_option("-m,--model", options.model, "Which of its models; needed where there are several");
  if (withConfiguration) {
    command.add_option("-c,--config", options.configuration, "Configuration (.toml) that binds holes");
    command.add_option("--choose", options.choices,
                       "Value of a `choose` hole, HOLE=VALUE; goes before the configuration's");
  }
  command.add_option("--input", options.input,
                     "Height and width of the image, HxW; the specification's otherwise");
  command.add_option("--batch", options.batch, "Images per call")->capture_default_str();
  command.add_option("-I", options.importRoots, "Folder in which imports are looked for");
  command.add_option("--set", options.parameters, "Parameter of the model's network, NAME=VALUE");
}

void addTargetOptions(CLI::App &command, CodeOptions &options) {
  command
      .add_option("--target", options.target,
                  "Kind of code: cpu, cuda, or cuda-emulated, which runs on a CPU")
      ->check(CLI::IsMember({"cpu", "cuda", "cuda-emulated"}))
      ->capture_default_str();
  command
      .add_option("--cuda-arch", options.cudaArchitectures, "Compute capabilities of GPUs, comma-separated")
      ->capture_default_str();
}

void addDeviceOption(CLI::App &command, CodeOptions &options) {
  command.add_option("--device", options.device, "Of several GPUs: which runs it, counted from 0")
      ->check(CLI::NonNegativeNumber);
}

void addCodeOptions(CLI::App &command, CodeOptions &options) {
  command.add_option("--cpu", options.cpu, "native, avx512bf16, avx512, avx2, sse or aarch64")
      ->capture_default_str();
  command.add_option("--precision", options.precision, "Of maps and weights within inference")
      ->check(CLI::IsMember({"f32", "tf32", "bf16"}))
      ->capture_default_str();
  command.add_option("--loss", options.loss, "What a training step minimises")
      ->check(CLI::IsMember({"softmax", "binary"}))
      ->each([&options](const std::string &) { options.lossGiven = true; })
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

void addQuietOption(CLI::App &command, bool &quiet) {
  command.add_flag("-q,--quiet", quiet, "Print what is asked for, warnings and errors alone");
}

CLI::Validator threadsValidator() {
  return CLI::Validator([](std::string &text) { return runtime::threadsProblem(text); }, "1 to 4096");
}

} // namespace vernier::tools
