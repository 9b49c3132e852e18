#include "runtime/io/Text.h"

#include <cstdint>
#include <fmt/core.h>

namespace vernier::runtime {

/// The bytes of the UTF-8 sequence that `text` begins with; 0 where there is none.
static size_t sequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return uint32_t(static_cast<unsigned char>(text[i])); };
  if (byte(0) < 0x80)
    return 1;
  const size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < length)
    return 0;
  uint32_t code = byte(0) & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80)
      return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool shortest = code >= (length == 4 ? 0x10000u : length == 3 ? 0x800u : 0x80u);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return shortest && !surrogate && code <= 0x10ffff ? length : 0;
}

std::string utf8Text(std::string_view name) {
  std::string text;
  bool escaped = false;
  for (size_t i = 0; i < name.size();) {
    const size_t length = sequenceLength(name.substr(i));
    if (length == 1 && name[i] == '\\')
      text += "\\\\";
    else if (length > 0)
      text += name.substr(i, length);
    else
      text += fmt::format("\\x{:02X}", static_cast<unsigned char>(name[i]));
    escaped = escaped || length == 0;
    i += length > 0 ? length : 1;
  }
  return escaped ? text : std::string(name);
}

} // namespace vernier::runtime
