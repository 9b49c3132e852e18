// vernier train
#include "driver/Train.h"
#include "runtime/cli/ImageWords.h"
#include "runtime/cli/Words.h"
#include "tools/Options.h"

namespace vernier::tools {

void addTrainCommand(CLI::App &app) {
  auto *command =
      app.add_subcommand("train", "Build for training, train, and build the binary of what was trained");
  auto options = std::make_shared<TrainOptions>();
  addModelOptions(*command, *options);
  command->get_option("--batch")->description("Images per update, unless the recipe says it");
  command->add_option("--recipe", options->recipe, "How to train, TOML (docs/training.md)")->required();
  command->add_option("--data", options->data, "Folder of the data set")->required();
  command
      ->add_option("-w,--weights", options->weights,
                   "Weights to begin from, of all or of a place; fresh ones otherwise")
      ->allow_extra_args(false)
      ->type_name("[PLACE=]FILE");
  command->add_option("--epochs", options->epochs, "Instead of the recipe's")->check(CLI::Range(1, 1 << 24));
  command->add_option("--threads", options->threads, "Of the training; one per CPU otherwise")
      ->check(threadsValidator());
  command->add_flag("--resume", options->resume, "Continue a training that was interrupted");
  command->add_flag("--accept-changed-data", options->acceptChangedData,
                    "With --resume: go on although the data set is not what it was");
  runtime::addImageOptions(*command, *options);
  command->add_option("--batch-of-binary", options->batchOfBinary, "Images per call of the result")
      ->check(runtime::atLeast(1))
      ->capture_default_str();
  addTargetOptions(*command, *options);
  addDeviceOption(*command, *options);
  addCodeOptions(*command, *options);
  addQuietOption(*command, options->quiet);
  command->add_option("-o,--output", options->output, "Directory for the results")->required();
  command->callback([command, options] {
    options->batchGiven = command->count("--batch") > 0;
    train(*options, standardOutput());
  });
}

} // namespace vernier::tools
