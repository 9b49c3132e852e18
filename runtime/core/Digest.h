// A fast 64-bit digest, to notice that data are not what they were. No protection against who means to
// deceive.
#ifndef VERNIER_RUNTIME_CORE_DIGEST_H
#define VERNIER_RUNTIME_CORE_DIGEST_H

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace vernier::runtime {

class Digest {
public:
  void add(uint64_t word) {
    state = (state ^ word) * 0x9e3779b97f4a7c15u;
    state ^= state >> 29;
  }
  void add(const void *data, size_t bytes) {
    add(bytes);
    const auto *next = static_cast<const unsigned char *>(data);
    uint64_t word;
    for (; bytes >= sizeof word; next += sizeof word, bytes -= sizeof word) {
      memcpy(&word, next, sizeof word);
      add(word);
    }
    word = 0;
    if (bytes)
      memcpy(&word, next, bytes);
    add(word);
  }
  void add(std::string_view text) { add(text.data(), text.size()); }
  template <class T> void add(std::span<const T> values) { add(values.data(), values.size_bytes()); }

  uint64_t value() const { return state; }

private:
  uint64_t state = 0x243f6a8885a308d3u;
};

} // namespace vernier::runtime

#endif
