// vernier allocate
#include "driver/allocate/Allocate.h"
#include "runtime/cli/Words.h"
#include "tools/Options.h"

namespace vernier::tools {

void addAllocateCommand(CLI::App &app) {
  auto *command =
      app.add_subcommand("allocate", "Choose channels per scale from the weights of a trained seed network");
  auto options = std::make_shared<AllocateOptions>();
  addModelOptions(*command, *options, /*withConfiguration=*/false);
  command->add_option("-w,--weights", options->weights, "Weights of the trained seed network (.safetensors)");
  command->add_option("-b,--budget", options->budgets,
                      "What each hole may spend: macs, params, neurons or latency, a FRACTION of its own "
                      "limit, UNIT*FRACTION, "
                      "or UNIT=NUMBER (latency=0.05ms); HOLES: before it selects holes by a pattern. "
                      "Default: the specification's limits");
  command
      ->add_option("--exponent", options->exponent, "b of a neuron's importance, |gamma| / multiply-adds^b")
      ->check(CLI::Range(-10.0, 10.0))
      ->capture_default_str();
  command->add_flag("--count-following", options->countFollowing,
                    "A neuron also costs what the layers after it spend on it");
  command->add_flag("--even", options->even, "The same number of channels at each scale; needs no weights");
  addTargetOptions(*command, *options);
  addDeviceOption(*command, *options);
  addCodeOptions(*command, *options);
  command->remove_option(command->get_option("--loss"));
  command->add_option(
      "--latencies", options->latencies,
      "For a budget in latency: what an earlier call measured and left in OUTPUT.latency.toml");
  command->add_option("--threads", options->threads, "Of the programs that are timed for a latency")
      ->check(threadsValidator());
  command->add_option("--runs", options->runs, "Timed runs of each of them")
      ->check(runtime::atLeast(1))
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "Configuration to write (.toml); - for the terminal")
      ->required();
  command->callback([options] { allocate(*options, standardOutput()); });
}

} // namespace vernier::tools
