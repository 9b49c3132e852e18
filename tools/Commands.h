// The subcommands of `vernier`. Each adds itself to the application and runs as its callback.
#ifndef VERNIER_TOOLS_COMMANDS_H
#define VERNIER_TOOLS_COMMANDS_H

#include "driver/Output.h"
#include "driver/Refusal.h"

#include <CLI/CLI.hpp>

namespace vernier::tools {

using namespace driver; // the commands are its words

// A person's terminal, or where they have sent it.
inline Output standardOutput() { return {llvm::outs(), llvm::errs()}; }

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
void addImportOnnxCommand(CLI::App &app);

} // namespace vernier::tools

#endif
