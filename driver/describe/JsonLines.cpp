#include "driver/describe/JsonLines.h"

#include <nlohmann/json.hpp>

namespace vernier::driver {

std::string linesOf(const nlohmann::ordered_json &object) {
  std::string text = "{";
  for (const auto &[key, value] : object.items()) {
    text += (text.size() > 1 ? ",\n  " : "\n  ") + nlohmann::ordered_json(key).dump() + ": ";
    if (!value.is_array() || value.empty() || !value[0].is_object()) {
      text += value.dump();
      continue;
    }
    for (const nlohmann::ordered_json &entry : value)
      text += (&entry == &value[0] ? "[\n    " : ",\n    ") + entry.dump();
    text += "\n  ]";
  }
  return text + "\n}\n";
}

} // namespace vernier::driver
