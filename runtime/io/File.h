// Whole files in, whole files out: a file that Vernier writes is there complete or not at all.
#ifndef VERNIER_RUNTIME_IO_FILE_H
#define VERNIER_RUNTIME_IO_FILE_H

#include "runtime/process/Interrupt.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace vernier::runtime {

using Bytes = std::span<const unsigned char>;

std::vector<unsigned char> readFile(const std::string &path);

/// As readFile; a gzip file is expanded, to at most `limit` bytes.
std::vector<unsigned char> readFileOrGzip(const std::string &path, size_t limit);

/// Expands gzip data; `place` is named in messages.
std::vector<unsigned char> expandGzip(Bytes data, size_t limit, const std::string &place);

/// Where an output path leads.
struct OutputPlace {
  std::string path;     ///< behind all links
  int descriptor = -1;  ///< that the path stands for: `-`, /dev/stdout, /dev/fd/N; -1: none
  bool exists = false;  ///< and then `status` is known
  bool special = false; ///< a device or a pipe
  struct stat status = {};

  /// Whether it is written to as it is, rather than replaced.
  bool isThrough() const { return special || descriptor >= 0; }
};

/// Refuses a folder, and what cannot be reached.
OutputPlace findOutput(const std::string &path);

/// Writes beside a file and renames at `commit`, so that neither a crash nor a full disk leaves half of it. A
/// link stays, and what it leads to is replaced; an existing file keeps its owner and its mode. Devices,
/// pipes and `-`, which is standard output, are written to as they are; with data on standard output, what is
/// printed from then on goes to standard error.
class AtomicFile {
public:
  explicit AtomicFile(const std::string &path);
  ~AtomicFile();
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;

  void write(const void *data, size_t bytes);
  void commit();

private:
  [[noreturn]] void fail(const char *what);
  void abandon();

  std::string path;
  OutputPlace place;
  std::string temporary;
  std::optional<SignalTemporary> removedBySignal;
  int descriptor = -1;
};

void writeFileAtomically(const std::string &path, std::string_view text);

/// As if the bytes of `file`, which goes, had been written to `path` by AtomicFile. A new file keeps the mode
/// of `file`.
void moveIntoPlace(const std::string &file, const std::string &path);

/// With the folders above it, as far as they are not there.
void createFolder(const std::string &path);

/// A file that grows by lines, each of which is there complete or, after a crash, cut off at the end.
class LineFile {
public:
  /// Begins with `kept`, whole lines.
  LineFile(const std::string &path, std::string_view kept);
  ~LineFile();
  LineFile(const LineFile &) = delete;
  LineFile &operator=(const LineFile &) = delete;

  void add(const std::string &line);
  /// Returns once all lines are on the disk.
  void sync();

private:
  std::string path;
  int descriptor;
};

/// Refuses where what was printed could not be written.
void flushStandardOutput();

/// Sixteen characters that nobody can foresee.
std::string unpredictableName();

/// A folder of this user alone that goes with all that is in it.
class ScratchFolder {
public:
  /// `folder`/`begin`...
  ScratchFolder(const std::string &folder, const std::string &begin);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder &) = delete;
  ScratchFolder &operator=(const ScratchFolder &) = delete;

  const std::string &path() const { return path_; }

private:
  std::string path_;
  std::optional<SignalTemporary> removedBySignal;
};

} // namespace vernier::runtime

#endif
