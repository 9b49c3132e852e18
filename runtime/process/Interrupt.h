// What a program does when it is asked to end: its temporaries go, its child processes are told, and a
// training run may first write a checkpoint. A library changes no handler: only `prepareProcess`, called by a
// main program, does.
#ifndef VERNIER_RUNTIME_PROCESS_INTERRUPT_H
#define VERNIER_RUNTIME_PROCESS_INTERRUPT_H

#include "runtime/Error.h"

#include <string>
#include <sys/types.h>

namespace vernier::runtime {

/// First thing in a main program. SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGPIPE remove temporaries and end the
/// process by the signal; a limit on the size of files is an error rather than a signal; the standard streams
/// are open.
void prepareProcess();

/// A file or folder that is removed when a signal ends the process.
class SignalTemporary {
public:
  explicit SignalTemporary(const std::string &path);
  ~SignalTemporary();
  SignalTemporary(const SignalTemporary &) = delete;
  SignalTemporary &operator=(const SignalTemporary &) = delete;

private:
  int slot;
};

/// While one lives, the first SIGINT, SIGTERM or SIGHUP only asks to stop (`stopSignal`), so that work can be
/// saved; a second one ends the process at once.
class StopRequests {
public:
  StopRequests();
  ~StopRequests();
  StopRequests(const StopRequests &) = delete;
  StopRequests &operator=(const StopRequests &) = delete;
};

/// The signal that asked to stop; 0 without one.
int stopSignal();

/// Work that was given up because of `stopSignal`.
class Interrupted : public Error {
public:
  explicit Interrupted(const std::string &what) : Error(VN_ERROR_STATE, what), number(stopSignal()) {}
  int signal() const { return number; }

private:
  int number;
};

/// Throws Interrupted where a stop was asked for.
void stopIfAsked();

/// A child process that is sent what this one is sent, from before it starts until it is awaited.
void forwardSignals(pid_t child);
void stopForwarding(pid_t child);

/// In a child process before it becomes another program: as they were before `prepareProcess`.
void restoreSignals();

/// Ends the process by the signal, as the shell's convention 128 + n has it; destructors have run already.
[[noreturn]] void endBySignal(int signal);

} // namespace vernier::runtime

#endif
