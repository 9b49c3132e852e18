// The subcommands of `vernier`. Each adds itself to the application and runs as its callback.
#ifndef VERNIER_TOOLS_COMMANDS_H
#define VERNIER_TOOLS_COMMANDS_H

#include <CLI/CLI.hpp>

#include <stdexcept>
#include <string>

namespace vernier::tools {

// Ends a command with a message for a person and exit status 1. An empty message: it has been printed
// already.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// "error: what", then "  --> place" and "help: help" where given.
[[noreturn]] void refuse(const std::string &what, const std::string &place = "",
                         const std::string &help = "");

void addCheckCommand(CLI::App &app);
void addFormatCommand(CLI::App &app);
void addDescribeCommand(CLI::App &app);
void addBuildCommand(CLI::App &app);
void addTrainCommand(CLI::App &app);
void addVerifyCommand(CLI::App &app);
void addSearchCommand(CLI::App &app);
void addAdaptCommand(CLI::App &app);
void addAllocateCommand(CLI::App &app);
void addImportWeightsCommand(CLI::App &app);
void addExportOnnxCommand(CLI::App &app);

} // namespace vernier::tools

#endif
