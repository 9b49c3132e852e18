// Configurations from and to TOML, by toml++.
#include "compiler/lower/Configuration.h"

#include "dsl/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

// With NDEBUG, toml++ 3.3 promises the optimiser what its parser then checks again with an error, though
// files such as
// "[&" break the promise. An assertion that does nothing leaves the checks.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

using namespace vernier::compiler;
using llvm::Twine;

namespace {

std::string quoted(llvm::StringRef text) { return ("`" + text + "`").str(); }

// Reads the one document; every failure returns an error that says where.
class Reader {
public:
  explicit Reader(llvm::StringRef path) : path(path) { result.path = path.str(); }

  llvm::Expected<Configuration> read(const toml::table &document) {
    for (auto &&[key, value] : document) {
      llvm::Error error = llvm::Error::success();
      if (key == "configuration")
        error = readTable(key, value,
                          [&](const toml::key &k, const toml::node &v) { return readProperty(k, v); });
      else if (key == "holes")
        error =
            readTable(key, value, [&](const toml::key &k, const toml::node &v) { return readHole(k, v); });
      else
        error = unknown("table", key, {"configuration", "holes"});
      if (error)
        return std::move(error);
    }
    if (!document.contains("holes"))
      return failure({}, "a configuration needs a table `holes`",
                     "for instance: [holes] followed by \"layer1.0.channels\" = [62, 9, 5, 12]");
    llvm::sort(result.holes, [](const HoleEntry &a, const HoleEntry &b) {
      return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    return std::move(result);
  }

  llvm::Error failure(const toml::source_region &source, const Twine &message, const Twine &help = "") const {
    std::string text = ("error: " + message + "\n  --> " + path).str();
    if (source.begin)
      text += (":" + Twine(source.begin.line) + ":" + Twine(source.begin.column)).str();
    if (!help.isTriviallyEmpty())
      text += ("\nhelp: " + help).str();
    return llvm::createStringError(text);
  }

private:
  template <typename Visit> llvm::Error readTable(const toml::key &key, const toml::node &node, Visit visit) {
    const toml::table *table = node.as_table();
    if (!table)
      return failure(key.source(), quoted(key.str()) + " must be a table",
                     "write [" + Twine(key.str()) + "]");
    for (auto &&[k, v] : *table)
      if (llvm::Error error = visit(k, v))
        return error;
    return llvm::Error::success();
  }

  llvm::Error readProperty(const toml::key &key, const toml::node &value) {
    std::string *target = key == "model"    ? &result.model
                          : key == "budget" ? &result.budget
                          : key == "note"   ? &result.note
                                            : nullptr;
    if (!target)
      return unknown("property", key, {"model", "budget", "note"});
    const auto *text = value.as_string();
    if (!text)
      return failure(value.source(), quoted(key.str()) + " must be a string");
    *target = text->get();
    return llvm::Error::success();
  }

  llvm::Error readHole(const toml::key &key, const toml::node &value) {
    if (value.is_table()) // layer1.0.channels = [...] without quotes makes tables of tables
      return failure(key.source(), "the name of a hole must be in quotes",
                     "write \"" + Twine(key.str()) + "....\" = [...]");
    const toml::array *elements = value.as_array();
    if (!elements)
      return failure(value.source(),
                     "hole " + quoted(key.str()) + " must be bound to a list of channel counts",
                     "for instance \"" + Twine(key.str()) + "\" = [62, 9, 5, 12]");
    HoleEntry entry{std::string(key.str()), {}, value.source().begin.line, value.source().begin.column};
    for (const toml::node &element : *elements) {
      const auto *number = element.as_integer();
      if (!number)
        return failure(element.source(), "channel counts of hole " + quoted(key.str()) + " must be integers");
      entry.channels.push_back(number->get());
    }
    result.holes.push_back(std::move(entry));
    return llvm::Error::success();
  }

  llvm::Error unknown(llvm::StringRef kind, const toml::key &key,
                      const std::vector<std::string> &known) const {
    std::string closest = vernier::dsl::closestName(key.str(), known);
    std::string help = closest.empty() ? "known: " + llvm::join(known, ", ")
                                       : "closest " + kind.str() + ": " + quoted(closest);
    return failure(key.source(), "unknown " + kind + " " + quoted(key.str()) + " in a configuration", help);
  }

  llvm::StringRef path;
  Configuration result;
};

// toml++ 3.3 runs into undefined behaviour on some letters outside ASCII (U+011E for one). No hole has such a
// name, so they are blotted out of comments and refused elsewhere: a place in `text`, or npos.
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

// A TOML basic string.
void writeString(llvm::raw_ostream &out, llvm::StringRef text) {
  out << '"';
  for (unsigned char c : text)
    if (c == '"' || c == '\\')
      out << '\\' << c;
    else if (c < 0x20 || c == 0x7f)
      out << llvm::format("\\u%04X", c);
    else if (c >= 0x80)
      out << '?'; // which the reader would refuse
    else
      out << c;
  out << '"';
}

} // namespace

llvm::Expected<Configuration> vernier::compiler::parseConfiguration(llvm::StringRef text,
                                                                    llvm::StringRef path) {
  Reader reader(path);
  std::string ascii = text.str();
  if (size_t offset = blotNonAscii(ascii); offset != std::string::npos)
    return reader.failure(sourceAt(text, offset), "a configuration is plain ASCII, comments aside");
  toml::parse_result parsed = toml::parse(ascii, std::string_view(path));
  if (!parsed)
    return reader.failure(parsed.error().source(), "not valid TOML: " + Twine(parsed.error().description()));
  return reader.read(parsed.table());
}

llvm::Expected<Configuration> vernier::compiler::readConfiguration(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return llvm::createStringError("error: cannot read the configuration: " + buffer.getError().message() +
                                   "\n  --> " + path);
  return parseConfiguration((*buffer)->getBuffer(), path);
}

llvm::Error vernier::compiler::writeConfiguration(const Configuration &configuration, llvm::StringRef path) {
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &out) {
    out << "[configuration]\n";
    for (auto [key, value] :
         {std::pair("model", &configuration.model), std::pair("budget", &configuration.budget),
          std::pair("note", &configuration.note)}) {
      if (value->empty())
        continue;
      out << key << " = ";
      writeString(out, *value);
      out << '\n';
    }
    out << "\n[holes]\n";
    for (const HoleEntry &entry : configuration.holes) {
      writeString(out, entry.hole);
      out << " = [";
      llvm::interleaveComma(entry.channels, out);
      out << "]\n";
    }
    return llvm::Error::success();
  });
  if (!error)
    return error;
  return llvm::createStringError(
      "error: cannot write the configuration: " + llvm::toString(std::move(error)) + "\n  --> " + path);
}
