// Runs other programs. They are sent the signals that this process is sent, and are awaited; a process that
// is killed takes them with it.
#ifndef VERNIER_RUNTIME_PROCESS_CHILDREN_H
#define VERNIER_RUNTIME_PROCESS_CHILDREN_H

#include <span>
#include <string>
#include <vector>

namespace vernier::runtime {

using Command = std::vector<std::string>; ///< a program, or its name, and its arguments

/// How a program ended.
struct ChildEnd {
  int status = 0;     ///< exit status, or 128 + signal
  std::string output; ///< where it was asked for
  std::string cause;  ///< of what the program cannot have said itself; empty: it ran, and no signal ended it
};

/// Runs the commands side by side. When one fails, or cannot start, the others are ended by SIGTERM. Returns
/// the end of the first that failed, or status 0. Throws Interrupted after a signal, when all have ended.
ChildEnd runChildren(std::span<const Command> commands);

enum class Capture { Output, OutputAndErrors };

/// The same of one command, with what it prints.
ChildEnd captureChild(const Command &command, Capture capture);

/// The same of several, at most `atOnce` of them at a time, in their order; what is printed by the first that
/// failed.
ChildEnd captureChildren(std::span<const Command> commands, Capture capture, size_t atOnce);

} // namespace vernier::runtime

#endif
