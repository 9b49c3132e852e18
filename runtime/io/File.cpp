#include "runtime/io/File.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

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

} // namespace vernier::runtime
