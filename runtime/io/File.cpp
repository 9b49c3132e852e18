#include "runtime/io/File.h"

#include "runtime/Error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vernier::runtime {

/// A handler of the program that Vernier is part of may interrupt a slow file.
template <class Call> static auto retried(const Call &call) {
  auto result = call();
  while (result < 0 && errno == EINTR)
    result = call();
  return result;
}

namespace {

/// Closes what `open` returned.
struct Descriptor {
  int number;
  explicit Descriptor(int number) : number(number) {}
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  ~Descriptor() {
    if (number >= 0)
      close(number);
  }
};

} // namespace

std::vector<unsigned char> readFile(const std::string &path) {
  const Descriptor file(retried([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  struct stat status;
  if (file.number < 0 || fstat(file.number, &status) != 0)
    throw Error(VN_ERROR_FILE, fmt::format("cannot open the file: {}", strerror(errno))).at(path);
  if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
    throw Error(VN_ERROR_FILE, "a file is needed here, this is a directory").at(path);
  // Pipes have no size, and a file may grow: one byte more than it has shows its end.
  std::vector<unsigned char> bytes(S_ISREG(status.st_mode) ? size_t(status.st_size) + 1 : 65536);
  size_t filled = 0;
  while (const ssize_t count =
             retried([&] { return read(file.number, bytes.data() + filled, bytes.size() - filled); })) {
    if (count < 0)
      throw Error(VN_ERROR_FILE, fmt::format("cannot read the file: {}", strerror(errno))).at(path);
    filled += size_t(count);
    if (filled == bytes.size())
      bytes.resize(2 * filled);
  }
  bytes.resize(filled);
  return bytes;
}

} // namespace vernier::runtime
