// Options that several subcommands take.
#ifndef VERNIER_TOOLS_OPTIONS_H
#define VERNIER_TOOLS_OPTIONS_H

#include "driver/CodeOptions.h"
#include "tools/Commands.h"

namespace vernier::tools {

// FILE --model --config --choose --input --batch -I --set; `withConfiguration` false leaves --config and
// --choose out.
void addModelOptions(CLI::App &command, ModelOptions &options, bool withConfiguration = true);

// --target --cuda-arch
void addTargetOptions(CLI::App &command, CodeOptions &options);
// --device of a command that runs what it builds.
void addDeviceOption(CLI::App &command, CodeOptions &options);
// --cpu --precision --loss --no-winograd --winograd-error
void addCodeOptions(CLI::App &command, CodeOptions &options);

// -q, --quiet of a command that builds.
void addQuietOption(CLI::App &command, bool &quiet);

// Of an option that takes a number of threads.
CLI::Validator threadsValidator();

} // namespace vernier::tools

#endif
