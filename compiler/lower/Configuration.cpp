// Configurations from and to TOML, by toml++.
#include "compiler/lower/Configuration.h"
#include "compiler/lower/Toml.h"
#include "dsl/Value.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

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
    return tomlError(path, source, message, help);
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
    HoleEntry entry{std::string(key.str()), {}, {}, value.source().begin.line, value.source().begin.column};
    if (value.is_number()) {
      entry.choice = *value.value<double>();
      result.holes.push_back(std::move(entry));
      return llvm::Error::success();
    }
    const toml::array *elements = value.as_array();
    if (!elements)
      return failure(value.source(),
                     "hole " + quoted(key.str()) +
                         " must be bound to a list of channel counts or to a choice",
                     "for instance \"" + Twine(key.str()) + "\" = [62, 9, 5, 12], or = 0.65");
    for (const toml::node &element : *elements) {
      const auto *number = element.as_integer();
      if (!number)
        return failure(element.source(), "channel counts of hole " + quoted(key.str()) + " must be integers");
      entry.channels.push_back(number->get());
    }
    result.holes.push_back(std::move(entry));
    return llvm::Error::success();
  }

  llvm::Error unknown(llvm::StringRef what, const toml::key &key,
                      const std::vector<std::string> &known) const {
    return unknownKey(path, what, key, known, "a configuration");
  }

  llvm::StringRef path;
  Configuration result;
};

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
  llvm::Expected<toml::table> document = parseToml(text, path, "configuration");
  if (!document)
    return document.takeError();
  return Reader(path).read(*document);
}

llvm::Expected<Configuration> vernier::compiler::readConfiguration(llvm::StringRef path) {
  llvm::Expected<std::string> text = readTomlFile(path, "configuration");
  if (!text)
    return text.takeError();
  return parseConfiguration(*text, path);
}

std::string vernier::compiler::textOf(const Configuration &configuration) {
  std::string text = "[configuration]\n";
  llvm::raw_string_ostream out(text);
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
    if (entry.choice) {
      out << " = " << dsl::formatFloat(*entry.choice) << '\n';
      continue;
    }
    out << " = [";
    llvm::interleaveComma(entry.channels, out);
    out << "]\n";
  }
  return text;
}
