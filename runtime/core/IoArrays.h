// Memory for the arrays of a program's calls, found by name.
#ifndef VERNIER_RUNTIME_CORE_IOARRAYS_H
#define VERNIER_RUNTIME_CORE_IOARRAYS_H

#include "runtime/core/Buffer.h"
#include "runtime/device/Pipeline.h"
#include "vernier/abi.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace vernier::runtime {

/// Where the arrays of a program lie in one block: first what a call reads, last what it writes, so that each
/// is one copy; partial outputs, which are both, in between.
struct IoLayout {
  explicit IoLayout(const vn_program &program);

  std::vector<int64_t> offsets;       ///< of each array, bytes
  int64_t inputBytes = 0;             ///< from the beginning
  int64_t outputBegin = 0, bytes = 0; ///< from where to the end, which is all
  int64_t outputBytes() const { return bytes - outputBegin; }
};

class IoArrays {
public:
  /// With a pipeline in memory of its own, for runs that are started.
  explicit IoArrays(const vn_program &program, Pipeline *pipeline = nullptr);

  /// In the program's order, as Session's functions take them.
  std::span<void *const> pointers() const { return addresses; }
  /// All of them, as IoLayout has it.
  std::byte *block() const { return pinned ? pinned.get() : buffer.data(); }

  /// Whether the program has an array of this name; the others throw VN_ERROR_ABI where it has not.
  const vn_io *find(std::string_view name) const;
  std::span<float> floats(std::string_view name);
  std::span<int32_t> ints(std::string_view name);
  std::span<float> floats(size_t index);

private:
  size_t indexOf(std::string_view name, vn_type type) const;

  const vn_program &program;
  Buffer buffer;
  HostMemory pinned;
  std::vector<void *> addresses;
};

} // namespace vernier::runtime

#endif
