#include "runtime/io/TextFile.h"

#include "runtime/Error.h"
#include "runtime/io/File.h"

#include <fmt/core.h>

namespace vernier::runtime {

using namespace std::string_view_literals;

/// "UTF-16", "a binary file"; empty for text.
static std::string_view foreignEncoding(std::string_view bytes) {
  if (bytes.starts_with("\xff\xfe\0\0"sv) || bytes.starts_with("\0\0\xfe\xff"sv))
    return "UTF-32";
  if (bytes.starts_with("\xff\xfe"sv) || bytes.starts_with("\xfe\xff"sv))
    return "UTF-16";
  const std::string_view head = bytes.substr(0, 4096);
  size_t even = 0, odd = 0; // zeros: of Latin letters in UTF-16 every second byte is one
  for (size_t i = 0; i < head.size(); ++i)
    (i % 2 ? odd : even) += head[i] == '\0';
  if (even + odd == 0)
    return "";
  const size_t half = head.size() / 2, most = half - half / 10;
  return half > 0 && (odd == 0 || even == 0) && even + odd >= most ? "UTF-16" : "a binary file";
}

std::string_view textIn(std::string_view bytes, const std::string &place) {
  if (const std::string_view encoding = foreignEncoding(bytes); !encoding.empty()) {
    Error error(VN_ERROR_FORMAT, fmt::format("the file is {}, not text in UTF-8", encoding));
    error.at(place);
    if (encoding.starts_with("UTF"))
      error.help(fmt::format("save it as UTF-8, in the editor or by `iconv -f {} -t UTF-8`", encoding));
    throw error;
  }
  return bytes.starts_with("\xef\xbb\xbf") ? bytes.substr(3) : bytes;
}

std::string readText(const std::string &path) {
  const std::vector<unsigned char> bytes = readFile(path);
  return std::string(textIn({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, path));
}

} // namespace vernier::runtime
