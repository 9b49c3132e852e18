// vernier fmt
#include "driver/FormatFiles.h"
#include "tools/Commands.h"

namespace vernier::tools {

void addFormatCommand(CLI::App &app) {
  auto *command = app.add_subcommand("fmt", "Rewrite specifications in the canonical form");
  auto options = std::make_shared<FormatOptions>();
  command->add_option("FILE", options->files, "Specifications (.vn)")->required();
  command->add_flag("--check", options->check,
                    "Change nothing; fail where a file is not in the canonical form");
  command->callback([options] { formatFiles(*options, standardOutput()); });
}

} // namespace vernier::tools
