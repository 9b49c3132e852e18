// Whole files in, whole files out: a file that Vernier writes is there complete or not at all.
#ifndef VERNIER_RUNTIME_IO_FILE_H
#define VERNIER_RUNTIME_IO_FILE_H

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vernier::runtime {

using Bytes = std::span<const unsigned char>;

std::vector<unsigned char> readFile(const std::string &path);

/// As readFile; a gzip file is expanded, to at most `limit` bytes.
std::vector<unsigned char> readFileOrGzip(const std::string &path, size_t limit);

/// Expands gzip data; `place` is named in messages.
std::vector<unsigned char> expandGzip(Bytes data, size_t limit, const std::string &place);

/// Writes beside `path` and renames at `commit`, so that neither a crash nor a full disk leaves half a file.
class AtomicFile {
public:
  explicit AtomicFile(const std::string &path);
  ~AtomicFile();
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;

  void write(const void *data, size_t bytes);
  void commit();

private:
  [[noreturn]] void fail(const std::string &what);

  std::string path, temporary;
  int descriptor = -1;
};

void writeFileAtomically(const std::string &path, std::string_view text);

} // namespace vernier::runtime

#endif
