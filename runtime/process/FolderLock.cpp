#include "runtime/process/FolderLock.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace vernier::runtime {

/// "process 123 on HOST", as the holder wrote it; it may not have come to that yet.
static std::string holderOf(int descriptor) {
  char text[300];
  const ssize_t length = pread(descriptor, text, sizeof(text), 0);
  return length > 0 ? std::string(text, size_t(length)) : "another process";
}

static std::string thisProcess() {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  return fmt::format("process {} on {}", getpid(), host);
}

/// A holder removes its file, so that a lock on a file that is no longer there is worth nothing.
static bool isThere(int descriptor, const std::string &path) {
  struct stat mine, there;
  return fstat(descriptor, &mine) == 0 && stat(path.c_str(), &there) == 0 && mine.st_dev == there.st_dev &&
         mine.st_ino == there.st_ino;
}

FolderLock::FolderLock(const std::string &folder, const std::string &option) : path(folder + "/.lock") {
  while (descriptor < 0) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0)
      throw Error(VN_ERROR_FILE, fmt::format("cannot create the file: {}", strerror(errno)))
          .at(path)
          .help("choose a place that this user may write");
    if (flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      const std::string holder = holderOf(file);
      close(file);
      throw Error(VN_ERROR_STATE, fmt::format("{} is writing into this folder", holder))
          .at(folder)
          .help(fmt::format("wait until it has ended, or choose another {}", option));
    }
    if (isThere(file, path))
      descriptor = file;
    else
      close(file);
  }
  removedBySignal.emplace(path);
  const std::string holder = thisProcess();
  if (ftruncate(descriptor, 0) == 0)
    (void)!pwrite(descriptor, holder.data(), holder.size(), 0);
}

FolderLock::~FolderLock() {
  unlink(path.c_str()); // before the lock is given up: afterwards the file may be another's
  removedBySignal.reset();
  close(descriptor);
}

} // namespace vernier::runtime
