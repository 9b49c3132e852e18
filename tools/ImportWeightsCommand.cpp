// vernier import-weights
#include "driver/ImportWeights.h"
#include "tools/Options.h"

namespace vernier::tools {

void addImportWeightsCommand(CLI::App &app) {
  auto *command = app.add_subcommand(
      "import-weights", "Rewrite weights that others trained, by the names that this network has");
  auto options = std::make_shared<ImportWeightsOptions>();
  addModelOptions(*command, *options);
  command->add_option("-w,--weights", options->weights, "Their weights (.safetensors)")->required();
  command->add_option("--mapping", options->mapping,
                      "What they call the tensors (.toml); default: NETWORK.weights.toml beside NETWORK.vn");
  command->add_option("--from", options->origin,
                      "Which of the mappings; default: the first by which all tensors fit");
  command
      ->add_option("--mean", options->images.mean,
                   "Of red, green and blue of their images, in [0, 1]; stored with the weights")
      ->delimiter(',');
  command->add_option("--std", options->images.deviation, "Standard deviations, likewise")->delimiter(',');
  command->add_option("--resize", options->images.resize,
                      "Pixels on the shorter side of their images before the centre is cropped, likewise");
  command->add_flag("--ignore-orientation", options->images.ignoreOrientation,
                    "Their images were taken as the pixels are stored, whatever EXIF says; likewise");
  command->add_option("-o,--output", options->output, "The weights for `build` (.safetensors)")->required();
  command->callback([options] { importWeights(*options, standardOutput()); });
}

} // namespace vernier::tools
