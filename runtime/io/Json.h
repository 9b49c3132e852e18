// JSON that Vernier itself wrote, read back: every value is checked before it is used.
#ifndef VERNIER_RUNTIME_IO_JSON_H
#define VERNIER_RUNTIME_IO_JSON_H

#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vernier::runtime {

/// What is wrong with a text or a value: "`step` is -5, it is a whole number from 0 on". The caller knows the
/// file.
class JsonError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Parses an object of at most `deepest` nested levels, in which no key is there twice.
nlohmann::json parseJson(std::string_view text, int deepest = 8);

/// The value of a key, of the type and within the range that the name and arguments say.
int64_t integerAt(const nlohmann::json &object, const char *key, int64_t least,
                  int64_t most = int64_t(1) << 53);
double numberAt(const nlohmann::json &object, const char *key, double least, double most = 1e300);
std::string stringAt(const nlohmann::json &object, const char *key);

/// A number that may be none: JSON, which knows neither NaN nor infinity, holds their names as strings.
nlohmann::json anyNumber(double value);
/// What anyNumber wrote; of `null`, as which others write NaN, NaN.
double anyNumberAt(const nlohmann::json &object, const char *key);

} // namespace vernier::runtime

#endif
