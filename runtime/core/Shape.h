// Sizes and shapes as text and as counts.
#ifndef VERNIER_RUNTIME_CORE_SHAPE_H
#define VERNIER_RUNTIME_CORE_SHAPE_H

#include "vernier/abi.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace vernier::runtime {

/// The product of `shape`, or nothing where a length is negative or the product exceeds 2^62. An empty shape
/// with a length that is impossible beside others has no product either: [0, 2^62, 2^62].
inline std::optional<int64_t> elementCount(std::span<const int64_t> shape) {
  int64_t count = 1, other = 1; // without the lengths that are 0
  for (int64_t length : shape) {
    if (length < 0 || __builtin_mul_overflow(other, length ? length : 1, &other) || other > int64_t(1) << 62)
      return std::nullopt;
    count = length ? count : 0;
  }
  count = count ? other : 0;
  return count;
}

inline std::span<const int64_t> shapeOf(const vn_parameter &p) { return {p.shape, size_t(p.rank)}; }
inline std::span<const int64_t> shapeOf(const vn_io &io) { return {io.shape, size_t(io.rank)}; }

/// The count of a shape that `checkModel` has seen.
inline int64_t elementCount(const vn_parameter &p) { return *elementCount(shapeOf(p)); }
inline int64_t elementCount(const vn_io &io) { return *elementCount(shapeOf(io)); }

/// "[64, 3, 7, 7]"
std::string shapeText(std::span<const int64_t> shape);

/// "1 epoch", "3 epochs", "2 classes", "2 batches"
std::string counted(int64_t count, const std::string &noun);

/// "512 B", "1.5 MiB", "31.0 GiB"
std::string bytesText(uint64_t bytes);

/// "3.818 G", "5.850 M", "7.840 k": a count of operations or parameters.
std::string countText(double count);

} // namespace vernier::runtime

#endif
