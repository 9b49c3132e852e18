// Text files that people write: recipes, labels, tables.
#ifndef VERNIER_RUNTIME_IO_TEXTFILE_H
#define VERNIER_RUNTIME_IO_TEXTFILE_H

#include <string>
#include <string_view>

namespace vernier::runtime {

/// `text` without the byte order mark that some editors begin it with. Refuses UTF-16, UTF-32 and binary
/// files, of which every line would be wrong; `place` is named in messages.
std::string_view textIn(std::string_view bytes, const std::string &place);

/// The text of a file, as textIn.
std::string readText(const std::string &path);

} // namespace vernier::runtime

#endif
