// vernier export-onnx
#include "driver/ExportOnnx.h"
#include "tools/Options.h"

namespace vernier::tools {

void addExportOnnxCommand(CLI::App &app) {
  auto *command = app.add_subcommand("export-onnx", "Write the network with its weights as an ONNX model");
  auto options = std::make_shared<ExportOnnxOptions>();
  addModelOptions(*command, *options);
  command->add_option("-w,--weights", options->weights, "Weights (.safetensors)")->required();
  command->add_flag("--external-data", options->externalData,
                    "Weights in a file of their own, OUTPUT.data; always so where they exceed 2 GiB");
  command->add_option("-o,--output", options->output, "The model (.onnx)")->required();
  command->callback([options] { exportOnnx(*options, standardOutput()); });
}

} // namespace vernier::tools
