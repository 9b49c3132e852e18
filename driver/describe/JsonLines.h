#ifndef VERNIER_DRIVER_DESCRIBE_JSONLINES_H
#define VERNIER_DRIVER_DESCRIBE_JSONLINES_H

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace vernier::driver {

// An object with a key to a line, of a list of objects an entry to a line.
std::string linesOf(const nlohmann::ordered_json &object);

} // namespace vernier::driver

#endif
