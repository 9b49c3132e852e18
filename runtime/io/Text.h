// Text in files whose form wants UTF-8: JSON, TOML, XML.
#ifndef VERNIER_RUNTIME_IO_TEXT_H
#define VERNIER_RUNTIME_IO_TEXT_H

#include <string>
#include <string_view>

namespace vernier::runtime {

/// A name as it is where it is UTF-8; of other names each byte that is not becomes `\xE9`, say, and a
/// backslash two, so that different names stay different.
std::string utf8Text(std::string_view name);

} // namespace vernier::runtime

#endif
