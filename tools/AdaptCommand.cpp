// vernier adapt
#include "driver/Adapt.h"
#include "runtime/cli/ImageWords.h"
#include "runtime/cli/Words.h"
#include "tools/Options.h"

namespace vernier::tools {

void addAdaptCommand(CLI::App &app) {
  auto *command = app.add_subcommand("adapt", "Build a binary that chooses a configuration for each image");
  auto options = std::make_shared<AdaptOptions>();
  addModelOptions(*command, *options);
  command->add_option("-w,--weights", options->weights, "Weights of all configurations (.safetensors)")
      ->required();
  command
      ->add_option("--candidates", options->candidates,
                   "A configuration to choose from, HOLE=VALUE,... or a value for each hole; give several")
      ->allow_extra_args(false)
      ->required();
  command->add_option("--data", options->data, "Folder of the data set that the classifier learns from")
      ->required();
  command->add_option("--split", options->split, "test or train")
      ->check(CLI::IsMember({"test", "train"}))
      ->capture_default_str();
  command->add_option("--first", options->first, "The first image of the split that is used")
      ->check(runtime::atLeast(0))
      ->capture_default_str();
  runtime::addImageOptions(*command, *options);
  command->add_option("--count", options->count, "How many images are used; all otherwise")
      ->check(runtime::atLeast(1));
  command->add_option(
      "--features", options->features,
      "Place of the op whose map the classifier reads; otherwise the map that the last global "
      "average pooling takes");
  command->add_option("--classifier", options->classifier, "Specification of the classifier (.vn)");
  command->add_option("--recipe", options->recipe, "How the classifier is trained (.toml)");
  command->add_option("--threads", options->threads, "Of labelling and training; all otherwise")
      ->check(threadsValidator());
  addTargetOptions(*command, *options);
  addDeviceOption(*command, *options);
  addCodeOptions(*command, *options);
  addQuietOption(*command, options->quiet);
  command->add_option("-o,--output", options->output, "Directory for the results")->required();
  command->callback([options] { adapt(*options, standardOutput()); });
}

} // namespace vernier::tools
