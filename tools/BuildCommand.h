// vernier build, also for commands that build on the way.
#ifndef VERNIER_TOOLS_BUILDCOMMAND_H
#define VERNIER_TOOLS_BUILDCOMMAND_H

#include "tools/CodeOptions.h"
#include "tools/LoadModel.h"

namespace vernier::tools {

struct BuildOptions : ModelOptions, CodeOptions {
  std::string weights, purpose = "infer", backend = "cpu", output;
  bool scalePolicy = false;
  bool printProgram = false;
  bool quiet = false; // no report
};

// -q, --quiet of a command that builds.
void addQuietOption(CLI::App &command, bool &quiet);

// Leaves executable, libraries, header and weights in `output` and prints what they take; refuses, leaving
// nothing, what cannot be built.
void build(const BuildOptions &options);

// Refuses a directory in which the results would replace what no build has left there.
void requireReplaceable(const std::string &directory, const std::string &model);

// Refuses what needs more memory than any machine has.
void requireMemory(const codegen::Compilation &compilation, const std::string &file);

} // namespace vernier::tools

#endif
