#include "driver/Processes.h"

#include "driver/Refusal.h"

#include "llvm/Support/Allocator.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/StringSaver.h"
#include "llvm/Support/raw_ostream.h"

namespace vernier::driver {

static void refuseFailure(const runtime::ChildEnd &end) {
  if (end.status == 0)
    return;
  if (!end.cause.empty())
    refuse(end.cause);
  throw Refusal("");
}

Command parseCommand(const std::string &text, const std::string &option) {
  llvm::BumpPtrAllocator memory;
  llvm::StringSaver saver(memory);
  llvm::SmallVector<const char *> parts;
  llvm::cl::TokenizeGNUCommandLine(text, saver, parts);
  if (parts.empty())
    refuse("there is no command", option);
  return {parts.begin(), parts.end()};
}

void runTogether(const std::vector<Command> &commands) { refuseFailure(runtime::runChildren(commands)); }

std::string outputOf(const Command &command) {
  runtime::ChildEnd end = runtime::captureChild(command, runtime::Capture::Output);
  refuseFailure(end);
  return std::move(end.output);
}

} // namespace vernier::driver
