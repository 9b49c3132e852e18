#include "runtime/io/File.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

namespace vernier::runtime {

std::vector<unsigned char> readFile(const std::string &path) {
  std::unique_ptr<FILE, int (*)(FILE *)> file(fopen(path.c_str(), "rb"), fclose);
  struct stat status;
  if (!file || fstat(fileno(file.get()), &status) != 0)
    throw Error(VN_ERROR_FILE, fmt::format("cannot open the file: {}", strerror(errno))).at(path);
  if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
    throw Error(VN_ERROR_FILE, "a file is needed here, this is a directory").at(path);
  std::vector<unsigned char> bytes(S_ISREG(status.st_mode) ? size_t(status.st_size) : 0);
  size_t filled = fread(bytes.data(), 1, bytes.size(), file.get());
  bytes.resize(filled);
  unsigned char more[65536]; // pipes, and files that grow
  while (size_t count = fread(more, 1, sizeof(more), file.get()))
    bytes.insert(bytes.end(), more, more + count);
  if (ferror(file.get()))
    throw Error(VN_ERROR_FILE, fmt::format("cannot read the file: {}", strerror(errno))).at(path);
  return bytes;
}

std::vector<unsigned char> expandGzip(Bytes data, size_t limit, const std::string &place) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
    throw Error(VN_ERROR_MEMORY, "out of memory while expanding a gzip file").at(place);
  std::unique_ptr<z_stream, int (*)(z_stream *)> end(&stream, inflateEnd);
  stream.next_in = const_cast<unsigned char *>(data.data());
  std::vector<unsigned char> out;
  int status = Z_OK;
  while (status == Z_OK) {
    // zlib counts in 32 bits: feed and drain in pieces
    stream.avail_in = uInt(std::min<size_t>(size_t(data.data() + data.size() - stream.next_in), 1u << 30));
    const size_t had = out.size(), piece = std::min<size_t>(limit + 1 - had, std::max<size_t>(65536, had));
    out.resize(had + std::min<size_t>(piece, 1u << 30));
    stream.next_out = out.data() + had;
    stream.avail_out = uInt(out.size() - had);
    status = inflate(&stream, Z_NO_FLUSH);
    out.resize(size_t(stream.next_out - out.data()));
    if (out.size() > limit)
      throw Error(VN_ERROR_FORMAT, fmt::format("the file expands to more than {}", bytesText(limit)))
          .at(place);
    if (status == Z_OK && stream.avail_in == 0 && stream.next_in == data.data() + data.size() &&
        out.size() == had)
      status = Z_BUF_ERROR;
  }
  if (status != Z_STREAM_END)
    throw Error(VN_ERROR_FORMAT,
                status == Z_BUF_ERROR
                    ? "the gzip file is truncated"
                    : fmt::format("the gzip file is damaged: {}", stream.msg ? stream.msg : "unknown cause"))
        .at(place);
  return out;
}

std::vector<unsigned char> readFileOrGzip(const std::string &path, size_t limit) {
  std::vector<unsigned char> bytes = readFile(path);
  if (bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
    return expandGzip(bytes, limit, path);
  return bytes;
}

AtomicFile::AtomicFile(const std::string &path) : path(path) {
  const std::filesystem::path where(path);
  temporary =
      (where.parent_path() / fmt::format(".{}.{}.part", where.filename().string(), getpid())).string();
  descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0)
    fail("create");
  if (std::filesystem::is_directory(where)) {
    errno = EISDIR;
    fail("create");
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor >= 0) {
    close(descriptor);
    unlink(temporary.c_str());
  }
}

void AtomicFile::fail(const std::string &what) {
  const int cause = errno;
  if (descriptor >= 0) {
    close(descriptor);
    unlink(temporary.c_str());
    descriptor = -1;
  }
  throw Error(VN_ERROR_FILE, fmt::format("cannot {} the file: {}", what, strerror(cause)))
      .at(path)
      .help(cause == ENOSPC   ? "make room on the disk; the file that was there before is unchanged"
            : cause == ENOENT ? "create the folder first"
                              : "choose a place that this user may write");
}

void AtomicFile::write(const void *data, size_t bytes) {
  auto *next = static_cast<const char *>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor, next, std::min<size_t>(bytes, size_t(1) << 30));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      fail("write");
    next += written;
    bytes -= size_t(written);
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor) != 0 && errno != EINVAL && errno != EROFS)
    fail("write");
  if (rename(temporary.c_str(), path.c_str()) != 0)
    fail("replace");
  close(descriptor);
  descriptor = -1;
  // The rename itself survives a crash only once its folder is on the disk.
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int handle = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle >= 0) {
    fsync(handle);
    close(handle);
  }
}

void writeFileAtomically(const std::string &path, std::string_view text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

} // namespace vernier::runtime
