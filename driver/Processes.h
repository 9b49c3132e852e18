// Runs other programs.
#ifndef VERNIER_DRIVER_PROCESSES_H
#define VERNIER_DRIVER_PROCESSES_H

#include "runtime/process/Children.h"

#include <string>
#include <vector>

namespace vernier::driver {

using runtime::Command;

// A command as a person writes it, with quotes around what has spaces. Refuses an empty one; `option` is
// where it comes from.
Command parseCommand(const std::string &text, const std::string &option);

// Runs the commands side by side. Refuses when one fails, which has then said why, and ends the others.
void runTogether(const std::vector<Command> &commands);

// Runs a command and returns what it prints.
std::string outputOf(const Command &command);

} // namespace vernier::driver

#endif
