#include "compiler/lower/Toml.h"

#include "dsl/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using llvm::Twine;

namespace vernier::compiler {
namespace {

// toml++ 3.3 runs into undefined behaviour on some letters outside ASCII (U+011E for one). Nothing that these
// files name has such letters, so they are blotted out of comments and refused elsewhere: a place in `text`,
// or npos.
size_t blotNonAscii(std::string &text) {
  char quote = 0;
  bool comment = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char &c = text[i];
    if (c == '\n') {
      quote = 0;
      comment = false;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      if (!comment)
        return i;
      c = '?';
    } else if (quote) {
      quote = c == quote ? 0 : quote;
    } else if (!comment) {
      comment = c == '#';
      quote = c == '"' || c == '\'' ? c : 0;
    }
  }
  return std::string::npos;
}

toml::source_region sourceAt(llvm::StringRef text, size_t offset) {
  llvm::StringRef before = text.take_front(offset);
  toml::source_region region;
  region.begin.line = static_cast<toml::source_index>(before.count('\n') + 1);
  region.begin.column = static_cast<toml::source_index>(before.size() - (before.rfind('\n') + 1) + 1);
  return region;
}

} // namespace

llvm::Error tomlError(llvm::StringRef path, const toml::source_region &source, const Twine &message,
                      const Twine &help) {
  std::string text = ("error: " + message + "\n  --> " + path).str();
  if (source.begin)
    text += (":" + Twine(source.begin.line) + ":" + Twine(source.begin.column)).str();
  if (!help.isTriviallyEmpty())
    text += ("\nhelp: " + help).str();
  return llvm::createStringError(text);
}

llvm::Error unknownKey(llvm::StringRef path, llvm::StringRef what, const toml::key &key,
                       const std::vector<std::string> &known, llvm::StringRef kind) {
  const std::string closest = dsl::closestName(key.str(), known);
  const std::string help =
      closest.empty() ? "known: " + llvm::join(known, ", ") : "closest " + what.str() + ": `" + closest + "`";
  return tomlError(path, key.source(), "unknown " + what + " `" + std::string(key.str()) + "` in " + kind,
                   help);
}

llvm::Expected<std::string> readTomlFile(llvm::StringRef path, llvm::StringRef kind) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return llvm::createStringError("error: cannot read the " + kind + ": " + buffer.getError().message() +
                                   "\n  --> " + path);
  const llvm::StringRef text = (*buffer)->getBuffer();
  if (const std::string_view encoding = dsl::foreignEncoding(text); !encoding.empty())
    return llvm::createStringError("error: the " + kind + " is " + encoding + ", not text in UTF-8\n  --> " +
                                   path);
  return std::string(dsl::withoutByteOrderMark(text));
}

llvm::Expected<toml::table> parseToml(llvm::StringRef text, llvm::StringRef path, llvm::StringRef kind) {
  std::string ascii = text.str();
  if (size_t offset = blotNonAscii(ascii); offset != std::string::npos)
    return tomlError(path, sourceAt(text, offset), "a " + kind + " is plain ASCII, comments aside");
  toml::parse_result parsed = toml::parse(ascii, std::string_view(path));
  if (!parsed)
    return tomlError(path, parsed.error().source(), "not valid TOML: " + Twine(parsed.error().description()));
  return std::move(parsed).table();
}

} // namespace vernier::compiler
