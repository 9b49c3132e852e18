// Writing of runtime/io/File.h.
#include "runtime/io/File.h"

#include "runtime/Error.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <iostream>
#include <random>
#include <unistd.h>
#include <utility>

namespace vernier::runtime {

namespace fs = std::filesystem;

[[noreturn]] static void fail(const char *what, const std::string &path, int cause, bool replaces) {
  Error error(VN_ERROR_FILE, fmt::format("cannot {} the file: {}", what, strerror(cause)));
  error.at(path);
  if (cause == ENOSPC || cause == EDQUOT)
    throw error.help(replaces ? "make room on the disk; the file that was there before is unchanged"
                              : "make room where it is written to");
  if (cause == EFBIG)
    throw error.help("a file may not be that large here: see `ulimit -f`");
  if (cause == ENOENT)
    throw error.help("create the folder first");
  throw error.help("choose a place that this user may write");
}

/// An open descriptor of this process that `folder`/`name` stands for, as /dev/stdout does by a link; -1:
/// none.
static int descriptorNamed(const fs::path &folder, const std::string &name) {
  std::error_code error;
  const std::string real = fs::canonical(folder.empty() ? "." : folder, error).string();
  int descriptor = -1;
  if (error || !real.starts_with(fmt::format("/proc/{}/", getpid())) || !real.ends_with("/fd") ||
      std::from_chars(name.data(), name.data() + name.size(), descriptor).ec != std::errc())
    return -1;
  return descriptor;
}

OutputPlace findOutput(const std::string &path) {
  OutputPlace place;
  place.path = path;
  if (path == "-") {
    place.descriptor = STDOUT_FILENO;
    return place;
  }
  for (int links = 0; lstat(place.path.c_str(), &place.status) == 0; ++links) {
    place.exists = true;
    if (!S_ISLNK(place.status.st_mode)) {
      if (S_ISDIR(place.status.st_mode))
        fail("create", path, EISDIR, false);
      place.special = !S_ISREG(place.status.st_mode);
      return place;
    }
    const fs::path link(place.path);
    place.descriptor = descriptorNamed(link.parent_path(), link.filename().string());
    if (place.descriptor >= 0)
      return place;
    char target[PATH_MAX];
    const ssize_t length = readlink(place.path.c_str(), target, sizeof(target));
    if (length < 0 || links == 40)
      fail("create", path, length < 0 ? errno : ELOOP, false);
    place.path = (link.parent_path() / std::string(target, size_t(length))).string();
  }
  place.exists = false;
  if (errno != ENOENT || path.empty())
    fail("create", path, errno, false);
  if (fs::path(place.path).filename().empty())
    fail("create", path, EISDIR, false);
  return place;
}

/// Standard output for data alone: what is printed from now on goes to standard error.
static int takeStandardOutput() {
  static const int data = [] {
    fflush(stdout);
    const int copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (copy >= 0)
      dup2(STDERR_FILENO, STDOUT_FILENO);
    return copy;
  }();
  return data;
}

void flushStandardOutput() {
  errno = 0;
  std::cout.flush(); // help texts
  const bool flushed = fflush(stdout) == 0 && !ferror(stdout) && std::cout.good();
  if (!flushed)
    throw Error(VN_ERROR_FILE, fmt::format("cannot write to standard output{}",
                                           errno ? std::string(": ") + strerror(errno) : ""));
}

/// Opens what is not replaced: a device, a pipe, a descriptor.
static int openThrough(const OutputPlace &place) {
  if (place.descriptor < 0)
    return open(place.path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  const int source = place.descriptor == STDOUT_FILENO ? takeStandardOutput() : place.descriptor;
  return fcntl(source, F_DUPFD_CLOEXEC, 3);
}

/// Where that is not allowed, a file gets no rights that the old one did not give.
static void keepOwnerAndMode(int descriptor, const struct stat &old) {
  struct stat now;
  if (fstat(descriptor, &now) != 0)
    return;
  mode_t mode = old.st_mode & 07777;
  if (now.st_gid != old.st_gid && fchown(descriptor, uid_t(-1), old.st_gid) != 0)
    mode = (mode & 05707) | (mode & 0070 & (mode & 0007) << 3);
  if (now.st_uid != old.st_uid && fchown(descriptor, old.st_uid, gid_t(-1)) != 0)
    mode &= ~mode_t(S_ISUID);
  (void)!fchmod(descriptor, mode);
}

/// The rename itself survives a crash only once its folder is on the disk.
static void syncFolderOf(const std::string &path) {
  const std::string folder = fs::path(path).parent_path().string();
  const int handle = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle >= 0) {
    fsync(handle);
    close(handle);
  }
}

static bool synced(int descriptor) { return fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS; }

std::string unpredictableName() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

AtomicFile::AtomicFile(const std::string &path) : path(path), place(findOutput(path)) {
  if (place.isThrough()) {
    descriptor = openThrough(place);
    if (descriptor < 0)
      fail("open");
    return;
  }
  if (place.exists && faccessat(AT_FDCWD, place.path.c_str(), W_OK, AT_EACCESS) != 0)
    fail("write");
  const fs::path where(place.path);
  const std::string begin = "." + where.filename().string().substr(0, 100) + ".";
  for (int attempt = 0; descriptor < 0 && attempt < 100; ++attempt) {
    temporary = (where.parent_path() / (begin + unpredictableName() + ".part")).string();
    descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                      place.exists ? 0600 : 0666);
    if (descriptor < 0 && errno != EEXIST)
      break;
  }
  if (descriptor < 0)
    fail("create");
  removedBySignal.emplace(temporary);
  if (place.exists)
    keepOwnerAndMode(descriptor, place.status);
}

AtomicFile::~AtomicFile() { abandon(); }

void AtomicFile::abandon() {
  if (descriptor >= 0) {
    close(descriptor);
    if (!place.isThrough())
      unlink(temporary.c_str());
    removedBySignal.reset();
    descriptor = -1;
  }
}

void AtomicFile::fail(const char *what) {
  const int cause = errno;
  abandon();
  runtime::fail(what, path, cause, place.exists && !place.isThrough());
}

static bool writeAll(int descriptor, const void *data, size_t bytes) {
  auto *next = static_cast<const char *>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor, next, std::min<size_t>(bytes, size_t(1) << 30));
    if (written < 0 && errno != EINTR)
      return false;
    if (written > 0) {
      next += written;
      bytes -= size_t(written);
    }
  }
  return true;
}

void AtomicFile::write(const void *data, size_t bytes) {
  if (!writeAll(descriptor, data, bytes))
    fail("write");
}

void AtomicFile::commit() {
  if (!place.isThrough()) {
    if (!synced(descriptor))
      fail("write");
    if (rename(temporary.c_str(), place.path.c_str()) != 0)
      fail("replace");
    removedBySignal.reset();
    syncFolderOf(place.path);
  }
  const int closed = close(std::exchange(descriptor, -1));
  if (closed != 0 && errno != EINTR)
    fail("write");
}

void writeFileAtomically(const std::string &path, std::string_view text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

void moveIntoPlace(const std::string &file, const std::string &path) {
  const OutputPlace place = findOutput(path);
  if (!place.isThrough()) {
    if (place.exists && faccessat(AT_FDCWD, place.path.c_str(), W_OK, AT_EACCESS) != 0)
      fail("write", path, errno, true);
    const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
      fail("open", file, errno, false);
    if (place.exists)
      keepOwnerAndMode(descriptor, place.status);
    const bool onDisk = synced(descriptor);
    const int cause = errno;
    close(descriptor);
    if (!onDisk)
      fail("write", path, cause, place.exists);
    if (rename(file.c_str(), place.path.c_str()) == 0)
      return syncFolderOf(place.path);
    if (errno != EXDEV)
      fail("replace", path, errno, place.exists);
  }
  const std::vector<unsigned char> bytes = readFile(file);
  AtomicFile out(path);
  out.write(bytes.data(), bytes.size());
  out.commit();
}

void createFolder(const std::string &path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path, error))
    throw Error(VN_ERROR_FILE,
                fmt::format("cannot create the folder: {}", error ? error.message() : "a file is there"))
        .at(path)
        .help("choose a place that this user may write");
}

LineFile::LineFile(const std::string &path, std::string_view kept) : path(path) {
  const OutputPlace place = findOutput(path);
  if (place.isThrough()) {
    descriptor = openThrough(place);
  } else {
    writeFileAtomically(path, kept);
    descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  }
  if (descriptor < 0)
    fail("open", path, errno, false);
}

LineFile::~LineFile() { close(descriptor); }

void LineFile::add(const std::string &line) {
  const std::string text = line + "\n";
  if (!writeAll(descriptor, text.data(), text.size()))
    fail("write", path, errno, false);
}

void LineFile::sync() {
  if (!synced(descriptor))
    fail("write", path, errno, false);
}

ScratchFolder::ScratchFolder(const std::string &folder, const std::string &begin) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    path_ = folder + "/" + begin + unpredictableName();
    if (mkdir(path_.c_str(), 0700) == 0) {
      removedBySignal.emplace(path_);
      return;
    }
    if (errno != EEXIST)
      break;
  }
  throw Error(VN_ERROR_FILE, fmt::format("cannot create a temporary folder: {}", strerror(errno)))
      .at(folder)
      .help(errno == ENOSPC ? "make room on the disk" : "choose a place that this user may write");
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

} // namespace vernier::runtime
