// vernier build
#include "driver/BuildModel.h"
#include "tools/Options.h"

namespace vernier::tools {

void addBuildCommand(CLI::App &app) {
  auto *command = app.add_subcommand("build", "Generate a specialised executable, library and header");
  auto options = std::make_shared<BuildOptions>();
  addModelOptions(*command, *options);
  command->get_option("--input")->description(
      "Height and width of the image, HxW, or several, comma-separated; the specification's otherwise");
  command->remove_option(command->get_option("--batch"));
  command->add_option("--batch", options->batches, "Images per call, or several such numbers (1)");
  command->add_option("-w,--weights", options->weights,
                      "Weights (.safetensors) that go beside the executable");
  command->add_option("--for", options->purpose, "What the binary does beside inference")
      ->check(CLI::IsMember({"infer", "train"}))
      ->capture_default_str();
  addTargetOptions(*command, *options);
  addCodeOptions(*command, *options);
  command->add_flag("--scale-policy", options->scalePolicy,
                    "The binary also computes ELASTIC's scale policy scores, for its --scale-policy");
  command->add_flag("--print-program", options->printProgram,
                    "Print the steps of the programs: what each computes, how, and where its operands lie");
  command->add_flag("--explain", options->explain, "With --target cuda: print why each kernel was chosen");
  command->add_option("-o,--output", options->output, "Directory for the results")->required();
  addQuietOption(*command, options->quiet);
  command->callback([options] { build(*options, standardOutput()); });
}

} // namespace vernier::tools
