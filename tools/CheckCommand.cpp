// vernier check
#include "driver/Check.h"
#include "tools/Options.h"

namespace vernier::tools {

void addCheckCommand(CLI::App &app) {
  auto *command = app.add_subcommand("check", "Report what is wrong with a specification");
  auto options = std::make_shared<CheckOptions>();
  addModelOptions(*command, *options);
  command->add_flag("--warnings-as-errors", options->warningsAsErrors,
                    "Exit status 1 where there are warnings");
  command->callback([options] { check(*options, standardOutput()); });
}

} // namespace vernier::tools
