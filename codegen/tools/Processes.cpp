#include "codegen/tools/Processes.h"

#include "codegen/tools/Commands.h"

#include "llvm/Support/Allocator.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/StringSaver.h"
#include "llvm/Support/raw_ostream.h"

namespace vernier::tools {
namespace {

std::vector<llvm::StringRef> words(const Command &command) { return {command.begin(), command.end()}; }

std::string programOf(const Command &command) {
  const auto program = llvm::sys::findProgramByName(command[0]);
  if (!program)
    refuse("cannot run " + command[0] + ": " + program.getError().message());
  return *program;
}

} // namespace

Command parseCommand(const std::string &text, const std::string &option) {
  llvm::BumpPtrAllocator memory;
  llvm::StringSaver saver(memory);
  llvm::SmallVector<const char *> parts;
  llvm::cl::TokenizeGNUCommandLine(text, saver, parts);
  if (parts.empty())
    refuse("there is no command", option);
  return {parts.begin(), parts.end()};
}

void runTogether(const std::vector<Command> &commands) {
  std::vector<llvm::sys::ProcessInfo> running;
  std::string message;
  bool fine = true;
  llvm::outs().flush(); // before what they print
  for (const Command &command : commands) {
    bool failed = false;
    running.push_back(
        llvm::sys::ExecuteNoWait(programOf(command), words(command), std::nullopt, {}, 0, &message, &failed));
    if (failed)
      refuse("cannot run " + command[0] + ": " + message);
  }
  for (const llvm::sys::ProcessInfo &process : running)
    fine &= llvm::sys::Wait(process, std::nullopt, &message).ReturnCode == 0;
  if (!fine)
    throw Refusal("");
}

void runInto(const Command &command, const std::string &file) {
  std::string message;
  const std::optional<llvm::StringRef> redirects[] = {std::nullopt, llvm::StringRef(file), std::nullopt};
  if (llvm::sys::ExecuteAndWait(programOf(command), words(command), std::nullopt, redirects, 0, 0,
                                &message) != 0) {
    if (!message.empty())
      refuse("cannot run " + command[0] + ": " + message);
    throw Refusal("");
  }
}

} // namespace vernier::tools
