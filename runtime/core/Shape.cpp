#include "runtime/core/Shape.h"

#include <fmt/core.h>

namespace vernier::runtime {

std::string shapeText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string counted(int64_t count, const std::string &noun) {
  const bool hissing = noun.ends_with("s") || noun.ends_with("tch");
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : hissing ? "es" : "s");
}

std::string bytesText(uint64_t bytes) {
  if (bytes < 1024)
    return fmt::format("{} B", bytes);
  const char *unit = "KiB";
  double value = double(bytes) / 1024;
  for (const char *next : {"MiB", "GiB", "TiB", "PiB", "EiB"}) {
    if (value < 1024)
      break;
    value /= 1024;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

std::string countText(double count) {
  const char *unit = "";
  for (const char *next : {"k", "M", "G", "T"}) {
    if (count < 1000)
      break;
    count /= 1000;
    unit = next;
  }
  return fmt::format("{:.{}f} {}", count, *unit ? 3 : 0, unit);
}

} // namespace vernier::runtime
