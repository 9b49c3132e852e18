// Zeroed memory for a space of a model: aligned to 64 bytes, on huge pages where it is large, with guards on
// request.
#ifndef VERNIER_RUNTIME_CORE_BUFFER_H
#define VERNIER_RUNTIME_CORE_BUFFER_H

#include <cstddef>
#include <string>
#include <utility>

namespace vernier::runtime {

class Buffer {
public:
  Buffer() = default;
  /// `what` names the buffer in the message that says memory is exhausted. A guarded buffer has bytes of a
  /// known pattern before it and behind its bound.
  Buffer(size_t bytes, const std::string &what, bool guarded = false);
  ~Buffer();
  Buffer(Buffer &&other) noexcept { swap(other); }
  Buffer &operator=(Buffer &&other) noexcept {
    swap(other);
    return *this;
  }

  std::byte *data() const { return start; }
  size_t size() const { return bytes; }

  /// Of a guarded buffer: everything from `bound` on becomes guard, the rest NaNs, so that what is read
  /// before it is written shows.
  void seal(size_t bound);
  /// Whether all guard bytes are as they were.
  bool intact() const;

private:
  void swap(Buffer &other) {
    std::swap(mapping, other.mapping);
    std::swap(mappingBytes, other.mappingBytes);
    std::swap(start, other.start);
    std::swap(bytes, other.bytes);
    std::swap(bound, other.bound);
    std::swap(guardBytes, other.guardBytes);
  }

  void *mapping = nullptr;
  size_t mappingBytes = 0;
  std::byte *start = nullptr;
  size_t bytes = 0, bound = 0, guardBytes = 0;
};

} // namespace vernier::runtime

#endif
