// vernier import-onnx
#include "driver/ImportOnnx.h"
#include "tools/Options.h"

namespace vernier::tools {

void addImportOnnxCommand(CLI::App &app) {
  auto *command = app.add_subcommand("import-onnx", "Write an ONNX model as a specification and its weights");
  auto options = std::make_shared<ImportOnnxOptions>();
  command->add_option("model", options->model, "The model (.onnx)")->required();
  command->add_option("--input", options->input, "Size of the image, HxW, where the model leaves it open");
  command->add_flag("--flat", options->flat, "A line for each layer, without blocks and loops");
  command
      ->add_option("-o,--output", options->output,
                   "The specification, NAME.vn; the weights are written to NAME.safetensors")
      ->required();
  command->callback([options] { importOnnx(*options, standardOutput()); });
}

} // namespace vernier::tools
