// vernier search
#include "driver/search/Search.h"
#include "runtime/cli/ImageWords.h"
#include "runtime/cli/Words.h"
#include "tools/Options.h"

namespace vernier::tools {
namespace {

void addMeasuringOptions(CLI::App &command, SearchOptions &options) {
  command.add_option("--data", options.data, "Folder of the data set")->required();
  command.add_option("--split", options.split, "test or train")
      ->check(CLI::IsMember({"test", "train"}))
      ->capture_default_str();
  command.add_option("--first", options.first, "The first image of the split that is used")
      ->check(runtime::atLeast(0))
      ->capture_default_str();
  command.add_option("--count", options.count, "How many images are used; all otherwise")
      ->check(runtime::atLeast(1));
  runtime::addImageOptions(command, options);
  command.add_option("--sample", options.sample, "So many configurations, drawn at random; all otherwise")
      ->check(runtime::atLeast(1));
  command.add_option("--seed", options.seed, "Of the sample")->capture_default_str();
  command
      .add_option("--latency", options.latency,
                  "measured of each configuration, or predicted by the times of its kernels")
      ->check(CLI::IsMember({"measured", "predicted"}))
      ->capture_default_str();
  command.add_option("--runs", options.runs, "Timed runs of each configuration")
      ->check(runtime::atLeast(1))
      ->capture_default_str();
  auto *processes = command.add_option("--processes", options.processes, "That evaluate side by side")
                        ->check(runtime::atLeast(1))
                        ->capture_default_str();
  command
      .add_option("--mpi", options.launcher,
                  "Instead: the command that starts the ranks of an MPI program, \"mpirun -n 4\"")
      ->excludes(processes);
  command
      .add_option("--threads", options.threads,
                  "Of all processes together, all otherwise; with --mpi those of each rank")
      ->check(threadsValidator());
}

void addHalvingOptions(CLI::App &command, SearchOptions &options) {
  auto *halving = command
                      .add_option("--halving", options.halving,
                                  "Begin with all configurations on so many images, and give the better ones "
                                  "more")
                      ->check(runtime::atLeast(1));
  command
      .add_option("--eta", options.eta, "One in so many configurations stays, for so many times the images")
      ->check(CLI::Range(2, 1024))
      ->needs(halving)
      ->capture_default_str();
  command.add_option("--finalists", options.finalists, "So many are evaluated on all images")
      ->check(runtime::atLeast(1))
      ->needs(halving)
      ->capture_default_str();
}

} // namespace

void addSearchCommand(CLI::App &app) {
  auto *command =
      app.add_subcommand("search", "Find the best configuration of open `choose` holes for a budget");
  auto options = std::make_shared<SearchOptions>();
  addModelOptions(*command, *options);
  command->add_option("-w,--weights", options->weights, "Weights of all configurations (.safetensors)")
      ->required();
  addMeasuringOptions(*command, *options);
  addHalvingOptions(*command, *options);
  command->add_option("--budget", options->budgets,
                      "macs=2.3G, latency=8ms (per image), memory=200MB or parameters=20M; several hold "
                      "together");
  command->add_flag("--build", options->buildBest, "Build the best configuration");
  command
      ->add_option("--recalibrate", options->recalibrate,
                   "Recalibrate the batch norms of each configuration from so many images of the train split")
      ->check(runtime::atLeast(1));
  auto *fineTune = command
                       ->add_option("--fine-tune", options->fineTune,
                                    "Train the best configuration for so many epochs more, and build it")
                       ->check(CLI::Range(1, 1 << 24));
  auto *recipe = command->add_option("--recipe", options->recipe, "How to fine-tune, TOML");
  fineTune->needs(recipe);
  recipe->needs(fineTune);
  addTargetOptions(*command, *options);
  addDeviceOption(*command, *options);
  addCodeOptions(*command, *options);
  addQuietOption(*command, options->quiet);
  command->add_option("-o,--output", options->output, "Directory for the results")->required();
  command->callback([options] { search(*options, standardOutput()); });
}

} // namespace vernier::tools
