#include "runtime/process/Children.h"

#include "runtime/process/Interrupt.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vernier::runtime {

namespace {

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0)
      throw Error(VN_ERROR_FILE, fmt::format("cannot start a program: {}", strerror(errno)));
  }
  ~Pipe() {
    closeEnd(0);
    closeEnd(1);
  }
  Pipe(const Pipe &) = delete;
  Pipe &operator=(const Pipe &) = delete;
  void closeEnd(int end) {
    if (ends[end] >= 0)
      close(ends[end]);
    ends[end] = -1;
  }
  /// All that is written into the other end, until that is closed.
  std::string read() {
    closeEnd(1);
    std::string text;
    char part[4096];
    for (ssize_t count; (count = ::read(ends[0], part, sizeof(part))) > 0 || (count < 0 && errno == EINTR);)
      text.append(part, size_t(std::max<ssize_t>(count, 0)));
    return text;
  }
};

/// Of a child that has just been made, until it is another program: only calls that are safe in a handler.
[[noreturn]] void become(char **arguments, pid_t parent, const sigset_t &mask, int output, bool errorsToo,
                         int report) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  restoreSignals();
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  if (getppid() != parent)
    _exit(127);
  if (output >= 0)
    dup2(output, STDOUT_FILENO);
  if (output >= 0 && errorsToo)
    dup2(output, STDERR_FILENO);
  execvp(arguments[0], arguments);
  const int cause = errno;
  (void)!write(report, &cause, sizeof(cause));
  _exit(127);
}

/// Starts the command; its output goes to `output` unless that is -1. On failure returns -1, with `cause`.
pid_t start(const Command &command, int output, bool errorsToo, std::string &cause) {
  std::vector<char *> arguments;
  for (const std::string &word : command)
    arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  Pipe report;
  // A signal must not find a child that is neither known nor awaited.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t parent = getpid(), child = fork();
  const int error = errno;
  if (child == 0)
    become(arguments.data(), parent, before, output, errorsToo, report.ends[1]);
  if (child > 0)
    forwardSignals(child);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) {
    cause = strerror(error);
    return -1;
  }
  const std::string failure = report.read();
  if (failure.empty())
    return child;
  int number = 0;
  memcpy(&number, failure.data(), std::min(sizeof(number), failure.size()));
  cause = strerror(number);
  stopForwarding(child);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return -1;
}

ChildEnd cannotRun(const Command &command, const std::string &cause) {
  return {127, {}, fmt::format("cannot run {}: {}", command[0], cause)};
}

ChildEnd endOf(const Command &command, int status) {
  if (WIFEXITED(status))
    return {WEXITSTATUS(status), {}, {}};
  const int signal = WTERMSIG(status);
  return {
      128 + signal, {}, fmt::format("{} was ended by signal {} ({})", command[0], signal, strsignal(signal))};
}

/// Memory that a child prints into.
struct Printed {
  int file = -1;
  Printed() : file(memfd_create("output", MFD_CLOEXEC)) {
    if (file < 0)
      throw Error(VN_ERROR_FILE, fmt::format("cannot start a program: {}", strerror(errno)));
  }
  ~Printed() { close(file); }
  Printed(const Printed &) = delete;
  Printed &operator=(const Printed &) = delete;
  std::string text() const {
    std::string text;
    char part[4096];
    for (ssize_t count; (count = pread(file, part, sizeof(part), off_t(text.size()))) > 0;)
      text.append(part, size_t(count));
    return text;
  }
};

struct Running {
  pid_t process;
  const Command *command;
  const Printed *printed = nullptr;
};

/// Waits until one of these has ended, and takes it from the list.
ChildEnd awaitOne(std::vector<Running> &running) {
  while (true) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0) {
      if (errno != EINTR)
        throw Error(VN_ERROR_STATE, fmt::format("cannot wait for a program: {}", strerror(errno)));
      continue;
    }
    stopForwarding(info.si_pid); // before its number may be another process's
    int status = 0;
    waitpid(info.si_pid, &status, 0);
    const auto entry = std::ranges::find(running, info.si_pid, &Running::process);
    if (entry == running.end())
      continue;
    ChildEnd end = endOf(*entry->command, status);
    if (entry->printed && end.status != 0)
      end.output = entry->printed->text();
    running.erase(entry);
    return end;
  }
}

void stopAll(const std::vector<Running> &running) {
  if (stopSignal()) // they know
    return;
  for (const Running &child : running)
    kill(child.process, SIGTERM);
}

} // namespace

ChildEnd runChildren(std::span<const Command> commands) {
  const StopRequests requests;
  std::vector<Running> running;
  ChildEnd first;
  for (const Command &command : commands) {
    std::string cause;
    const pid_t child = stopSignal() ? -1 : start(command, -1, false, cause);
    if (child < 0) {
      first = cannotRun(command, cause);
      stopAll(running);
      break;
    }
    running.push_back({child, &command});
  }
  while (!running.empty()) {
    ChildEnd end = awaitOne(running);
    if (end.status != 0 && first.status == 0) {
      first = std::move(end);
      stopAll(running);
    }
  }
  stopIfAsked();
  return first;
}

ChildEnd captureChild(const Command &command, Capture capture) {
  const StopRequests requests;
  Pipe output;
  std::string cause;
  const pid_t child = start(command, output.ends[1], capture == Capture::OutputAndErrors, cause);
  if (child < 0)
    return cannotRun(command, cause);
  std::vector<Running> running = {{child, &command}};
  std::string text = output.read();
  ChildEnd end = awaitOne(running);
  stopIfAsked();
  end.output = std::move(text);
  return end;
}

ChildEnd captureChildren(std::span<const Command> commands, Capture capture, size_t atOnce) {
  const StopRequests requests;
  std::vector<Printed> printed(commands.size());
  std::vector<Running> running;
  ChildEnd first;
  for (size_t next = 0; next < commands.size() || !running.empty();) {
    if (next < commands.size() && running.size() < atOnce && first.status == 0) {
      std::string cause;
      const bool stopped = bool(stopSignal());
      const pid_t child =
          stopped ? -1
                  : start(commands[next], printed[next].file, capture == Capture::OutputAndErrors, cause);
      if (child < 0) {
        first = cannotRun(commands[next], cause);
        stopAll(running);
      } else {
        running.push_back({child, &commands[next], &printed[next]});
      }
      ++next;
      continue;
    }
    if (running.empty()) // one has failed, and the others have ended
      break;
    ChildEnd end = awaitOne(running);
    if (end.status != 0 && first.status == 0) {
      first = std::move(end);
      stopAll(running);
    }
  }
  stopIfAsked();
  return first;
}

} // namespace vernier::runtime
