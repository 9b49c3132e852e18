// Runs other programs.
#ifndef VERNIER_CODEGEN_TOOLS_PROCESSES_H
#define VERNIER_CODEGEN_TOOLS_PROCESSES_H

#include <string>
#include <vector>

namespace vernier::tools {

using Command = std::vector<std::string>; // a program, or its name, and its arguments

// A command as a person writes it, with quotes around what has spaces. Refuses an empty one; `option` is
// where it comes from.
Command parseCommand(const std::string &text, const std::string &option);

// Runs the commands side by side. Refuses when one fails, which has then said why.
void runTogether(const std::vector<Command> &commands);

// Runs a command whose output goes to a file.
void runInto(const Command &command, const std::string &file);

} // namespace vernier::tools

#endif
