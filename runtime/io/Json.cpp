#include "runtime/io/Json.h"

#include <cmath>
#include <fmt/core.h>
#include <limits>
#include <set>
#include <vector>

namespace vernier::runtime {

using nlohmann::json;

json parseJson(std::string_view text, int deepest) {
  std::vector<std::set<std::string>> keys; // of the objects that are open
  const json::parser_callback_t check = [&](int depth, json::parse_event_t event, json &value) {
    if (depth > deepest)
      throw JsonError("it is nested too deeply");
    if (event == json::parse_event_t::object_start)
      keys.emplace_back();
    else if (event == json::parse_event_t::object_end)
      keys.pop_back();
    else if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      throw JsonError(fmt::format("`{}` is there twice", value.get<std::string>()));
    return true;
  };
  json result;
  try {
    result = json::parse(text, check);
  } catch (const json::exception &) {
    throw JsonError("it is no JSON, or cut off");
  }
  if (!result.is_object())
    throw JsonError("it is no JSON object");
  return result;
}

static const json &at(const json &object, const char *key) {
  if (!object.is_object() || !object.contains(key))
    throw JsonError(fmt::format("`{}` is missing", key));
  return object[key];
}

static std::string shortened(const json &value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() > 40 ? text.substr(0, 40) + "..." : text;
}

int64_t integerAt(const json &object, const char *key, int64_t least, int64_t most) {
  const json &value = at(object, key);
  const bool fits =
      value.is_number_unsigned() ? value.get<uint64_t>() <= uint64_t(INT64_MAX) : value.is_number_integer();
  if (!fits || value.get<int64_t>() < least || value.get<int64_t>() > most)
    throw JsonError(most == int64_t(1) << 53 ? fmt::format("`{}` is {}, it is a whole number from {} on", key,
                                                           shortened(value), least)
                                             : fmt::format("`{}` is {}, it is a whole number from {} to {}",
                                                           key, shortened(value), least, most));
  return value.get<int64_t>();
}

double numberAt(const json &object, const char *key, double least, double most) {
  const json &value = at(object, key);
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!(number >= least && number <= most))
    throw JsonError(
        most == 1e300
            ? fmt::format("`{}` is {}, it is a number from {} on", key, shortened(value), least)
            : fmt::format("`{}` is {}, it is a number from {} to {}", key, shortened(value), least, most));
  return number;
}

std::string stringAt(const json &object, const char *key) {
  const json &value = at(object, key);
  if (!value.is_string())
    throw JsonError(fmt::format("`{}` is {}, it is a string", key, shortened(value)));
  return value.get<std::string>();
}

json anyNumber(double value) {
  if (std::isfinite(value))
    return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

double anyNumberAt(const json &object, const char *key) {
  const json &value = at(object, key);
  if (value.is_number() && std::isfinite(value.get<double>()))
    return value.get<double>();
  if (value.is_null() || value == "nan")
    return std::nan("");
  if (value == "inf" || value == "-inf")
    return value == "inf" ? std::numeric_limits<double>::infinity()
                          : -std::numeric_limits<double>::infinity();
  throw JsonError(fmt::format("`{}` is {}, it is a number", key, shortened(value)));
}

} // namespace vernier::runtime
