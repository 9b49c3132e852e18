#include "runtime/process/Interrupt.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vernier::runtime {

namespace {

constexpr std::array endingSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
/// Of these the ones that ask to stop and are for child processes too, or end the process at once.
bool isRequest(int signal) { return signal == SIGINT || signal == SIGTERM || signal == SIGHUP; }

// One request may arrive twice: `timeout` signals its child and then the child's group, and a terminal
// signals the parent, which forwards it, and the child. Within this time it counts as one.
constexpr long long oneRequestNanoseconds = 100'000'000;

/// Fixed memory, which a handler can read at any time.
struct Path {
  std::atomic<int> state = 0; ///< 0: free, 1: being written, 2: there
  char text[PATH_MAX];
};

std::array<Path, 32> temporaries;
std::array<std::atomic<pid_t>, 256> children;
std::atomic<int> stopRequests = 0; ///< objects alive
std::atomic<int> requested = 0;    ///< the first signal
std::atomic<long long> requestedAt = 0;
std::array<bool, endingSignals.size()> ignoredBefore{};

/// As rm -r, with what is safe in a handler.
void removeTree(int folder, const char *name) {
  if (unlinkat(folder, name, 0) == 0 || errno != EISDIR)
    return;
  const int handle = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (handle < 0)
    return;
  alignas(dirent64) char buffer[4096];
  for (long bytes; (bytes = syscall(SYS_getdents64, handle, buffer, sizeof(buffer))) > 0;)
    for (long offset = 0; offset < bytes;) {
      const auto *entry = reinterpret_cast<const dirent64 *>(buffer + offset);
      if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
        removeTree(handle, entry->d_name);
      offset += entry->d_reclen;
    }
  close(handle);
  unlinkat(folder, name, AT_REMOVEDIR);
}

void removeTemporaries() {
  for (Path &path : temporaries)
    if (path.state.load() == 2)
      removeTree(AT_FDCWD, path.text);
}

void endOnReturn(int signal) {
  removeTemporaries();
  std::signal(signal, SIG_DFL);
  raise(signal); // blocked while it is being handled
}

void onSignal(int signal, siginfo_t *info, void *) {
  const int error = errno;
  const auto index = size_t(std::ranges::find(endingSignals, signal) - endingSignals.begin());
  // Of a terminal, to which a job in the background does not listen.
  const bool fromTerminal = info->si_code == SI_KERNEL;
  if (fromTerminal && ignoredBefore[index])
    return;
  if (!fromTerminal && isRequest(signal)) // it sends to the whole group by itself
    for (const std::atomic<pid_t> &child : children)
      if (const pid_t process = child.load(); process > 0)
        kill(process, signal);
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  const long long now = time.tv_sec * 1'000'000'000LL + time.tv_nsec;
  int none = 0;
  if (stopRequests.load() == 0 || !isRequest(signal))
    endOnReturn(signal);
  else if (requested.compare_exchange_strong(none, signal))
    requestedAt = now;
  else if (now - requestedAt.load() > oneRequestNanoseconds)
    endOnReturn(signal);
  errno = error;
}

/// A file that is opened later must not become a standard stream. What is closed stays unusable.
void openStandardStreams() {
  for (int stream = 0; stream < 3; ++stream)
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
}

} // namespace

void prepareProcess() {
  openStandardStreams();
  signal(SIGXFSZ, SIG_IGN);
  for (size_t i = 0; i < endingSignals.size(); ++i) {
    struct sigaction before {};
    sigaction(endingSignals[i], nullptr, &before);
    ignoredBefore[i] = before.sa_handler == SIG_IGN;
    if (ignoredBefore[i] && endingSignals[i] != SIGINT && endingSignals[i] != SIGTERM) // nohup, say
      continue;
    struct sigaction action {};
    action.sa_sigaction = onSignal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (int other : endingSignals)
      sigaddset(&action.sa_mask, other);
    sigaction(endingSignals[i], &action, nullptr);
  }
}

SignalTemporary::SignalTemporary(const std::string &path) : slot(-1) {
  if (path.size() >= sizeof(Path::text))
    return;
  for (size_t i = 0; i < temporaries.size(); ++i) {
    int unused = 0;
    if (!temporaries[i].state.compare_exchange_strong(unused, 1))
      continue;
    memcpy(temporaries[i].text, path.c_str(), path.size() + 1);
    temporaries[i].state = 2;
    slot = int(i);
    return;
  }
}

SignalTemporary::~SignalTemporary() {
  if (slot >= 0)
    temporaries[size_t(slot)].state = 0;
}

StopRequests::StopRequests() { ++stopRequests; }
StopRequests::~StopRequests() { --stopRequests; }

int stopSignal() { return requested.load(); }

void stopIfAsked() {
  if (stopSignal())
    throw Interrupted("interrupted");
}

void forwardSignals(pid_t child) {
  for (std::atomic<pid_t> &entry : children) {
    pid_t unused = 0;
    if (entry.compare_exchange_strong(unused, child))
      return;
  }
}

void stopForwarding(pid_t child) {
  for (std::atomic<pid_t> &entry : children) {
    pid_t known = child;
    if (entry.compare_exchange_strong(known, 0))
      return;
  }
}

void restoreSignals() {
  for (size_t i = 0; i < endingSignals.size(); ++i)
    std::signal(endingSignals[i], ignoredBefore[i] ? SIG_IGN : SIG_DFL);
}

void endBySignal(int signal) {
  removeTemporaries();
  std::signal(signal, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  raise(signal);
  _exit(128 + signal);
}

} // namespace vernier::runtime
