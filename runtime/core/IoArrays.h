// Memory for the arrays of a program's calls, found by name.
#ifndef VERNIER_RUNTIME_CORE_IOARRAYS_H
#define VERNIER_RUNTIME_CORE_IOARRAYS_H

#include "runtime/core/Buffer.h"
#include "vernier/abi.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace vernier::runtime {

class IoArrays {
public:
  explicit IoArrays(const vn_program &program);

  /// In the program's order, as Session's functions take them.
  std::span<void *const> pointers() const { return addresses; }

  /// Whether the program has an array of this name; the others throw VN_ERROR_ABI where it has not.
  const vn_io *find(std::string_view name) const;
  std::span<float> floats(std::string_view name);
  std::span<int32_t> ints(std::string_view name);
  std::span<float> floats(size_t index);

private:
  size_t indexOf(std::string_view name, vn_type type) const;

  const vn_program &program;
  std::vector<Buffer> buffers;
  std::vector<void *> addresses;
};

} // namespace vernier::runtime

#endif
