// Real numbers as the language writes them.
#ifndef VERNIER_DSL_WRITE_NUMBERS_H
#define VERNIER_DSL_WRITE_NUMBERS_H

#include <charconv>
#include <string>

namespace vernier::dsl {

// The shortest text that is the number, "1e-5"; of one that float32 has, the shortest that float32 tells from
// its neighbours.
inline std::string realText(double value) {
  char buffer[64];
  const auto end = double(float(value)) == value
                       ? std::to_chars(buffer, buffer + sizeof buffer, float(value)).ptr
                       : std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  const size_t exponent = text.find('e');
  if (exponent == std::string::npos)
    return text;
  std::string power = text.substr(exponent + 1), sign = power[0] == '-' ? "-" : "";
  power.erase(0, power.find_first_not_of("+-0"));
  return text.substr(0, exponent) + "e" + sign + power;
}

} // namespace vernier::dsl

#endif
