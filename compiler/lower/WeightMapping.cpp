#include "compiler/lower/WeightMapping.h"

#include "compiler/lower/Toml.h"
#include "llvm/ADT/STLExtras.h"

#include <cmath>

using llvm::Twine;

namespace vernier::compiler {
namespace {

constexpr const char *kKind = "weight mapping";
constexpr int64_t kMostResize = 65536;

// Far beyond any place; without a bound, rules that lengthen a name could double it again and again.
constexpr size_t kLongestName = 65536;

// Reads one table; every failure returns an error that says where.
class Reader {
public:
  Reader(llvm::StringRef path, llvm::StringRef origin) {
    mapping.path = path.str();
    mapping.origin = origin.str();
  }

  llvm::Expected<WeightMapping> read(const toml::table &table) {
    for (auto &&[key, value] : table)
      if (llvm::Error error = readKey(key, value))
        return std::move(error);
    return std::move(mapping);
  }

private:
  llvm::Error readKey(const toml::key &key, const toml::node &value) {
    if (key == "note")
      return readNote(value);
    if (key == "ignore")
      return readList(key, value, "a list of patterns: [\"aux.*\"]",
                      [&](const toml::node &entry) { return readIgnored(entry); });
    if (key == "rename")
      return readList(key, value, "a list of pairs: [[\"features.*\", \"layers.*\"]]",
                      [&](const toml::node &entry) { return readRename(entry); });
    if (key == "mean")
      return readNumbers(key, value, mapping.mean);
    if (key == "std")
      return readNumbers(key, value, mapping.deviation);
    if (key == "resize")
      return readResize(value);
    return unknownKey(mapping.path, "property", key, {"note", "ignore", "rename", "mean", "std", "resize"},
                      "a weight mapping");
  }

  llvm::Error failure(const toml::node &node, const Twine &message, const Twine &help = "") const {
    return tomlError(mapping.path, node.source(), message, help);
  }

  template <typename Visit>
  llvm::Error readList(const toml::key &key, const toml::node &value, const Twine &form, Visit visit) {
    const toml::array *list = value.as_array();
    if (!list)
      return failure(value, "`" + Twine(key.str()) + "` must be " + form);
    for (const toml::node &entry : *list)
      if (llvm::Error error = visit(entry))
        return error;
    return llvm::Error::success();
  }

  llvm::Error readNote(const toml::node &value) {
    const auto *text = value.as_string();
    if (!text)
      return failure(value, "`note` must be a string");
    mapping.note = text->get();
    return llvm::Error::success();
  }

  llvm::Expected<NamePattern> readPattern(const toml::node &value) {
    const auto *text = value.as_string();
    if (!text)
      return failure(value, "a pattern must be a string");
    auto pattern = NamePattern::parse(text->get());
    if (!pattern)
      return failure(value, llvm::toString(pattern.takeError()));
    return pattern;
  }

  llvm::Error readIgnored(const toml::node &entry) {
    auto pattern = readPattern(entry);
    if (!pattern)
      return pattern.takeError();
    mapping.ignored.push_back(std::move(*pattern));
    return llvm::Error::success();
  }

  llvm::Error readRename(const toml::node &entry) {
    const toml::array *pair = entry.as_array();
    if (!pair || pair->size() != 2)
      return failure(entry, "a rule is a pair of names: what a tensor is called there, and here",
                     "for instance [\"features.*\", \"layers.*\"]");
    auto from = readPattern((*pair)[0]);
    if (!from)
      return from.takeError();
    const auto *text = (*pair)[1].as_string();
    if (!text)
      return failure((*pair)[1], "a name must be a string");
    auto to = NameTemplate::parse(text->get(), *from);
    if (!to)
      return failure((*pair)[1], llvm::toString(to.takeError()));
    mapping.renames.push_back({std::move(*from), std::move(*to)});
    return llvm::Error::success();
  }

  llvm::Error readNumbers(const toml::key &key, const toml::node &value, std::vector<float> &numbers) {
    const bool deviation = key == "std";
    return readList(
        key, value, "a list of one number per channel", [&](const toml::node &entry) -> llvm::Error {
          const auto number = entry.value<double>();
          if (!number || !(std::abs(*number) < 1e6) || (deviation && !(*number > 1e-6)))
            return failure(
                entry, "`" + Twine(key.str()) + "` must hold " + (deviation ? "positive numbers" : "numbers"),
                "of values in [0, 1]");
          numbers.push_back(float(*number));
          return llvm::Error::success();
        });
  }

  llvm::Error readResize(const toml::node &value) {
    const auto *pixels = value.as_integer();
    if (!pixels || pixels->get() < 0 || pixels->get() > kMostResize)
      return failure(value, "`resize` must be a number of pixels, from 0 to " + Twine(kMostResize));
    mapping.resize = pixels->get();
    return llvm::Error::success();
  }

  WeightMapping mapping;
};

} // namespace

bool WeightMapping::ignores(llvm::StringRef name) const {
  return llvm::any_of(ignored, [&](const NamePattern &pattern) { return pattern.match(name).has_value(); });
}

std::string WeightMapping::rename(llvm::StringRef name) const {
  std::string result = name.str();
  for (const Rename &rule : renames)
    if (const auto match = rule.from.match(result))
      if (auto next = rule.to.make(*match); next && next->size() <= kLongestName)
        result = std::move(*next);
  return result;
}

llvm::Expected<std::vector<WeightMapping>> parseWeightMappings(llvm::StringRef text, llvm::StringRef path) {
  llvm::Expected<toml::table> document = parseToml(text, path, kKind);
  if (!document)
    return document.takeError();
  std::vector<std::pair<toml::source_position, WeightMapping>> found;
  for (auto &&[key, value] : *document) {
    const toml::table *table = value.as_table();
    if (!table)
      return tomlError(path, key.source(), "`" + Twine(key.str()) + "` must be a table",
                       "a table for each origin of weights: [" + Twine(key.str()) + "]");
    auto mapping = Reader(path, key.str()).read(*table);
    if (!mapping)
      return mapping.takeError();
    found.emplace_back(key.source().begin, std::move(*mapping));
  }
  llvm::sort(found, [](const auto &a, const auto &b) { return a.first < b.first; });
  std::vector<WeightMapping> mappings;
  for (auto &[place, mapping] : found)
    mappings.push_back(std::move(mapping));
  if (mappings.empty())
    return tomlError(path, {}, "a weight mapping needs a table",
                     "[timm], say, for the weights that timm has");
  return mappings;
}

llvm::Expected<std::vector<WeightMapping>> readWeightMappings(llvm::StringRef path) {
  llvm::Expected<std::string> text = readTomlFile(path, kKind);
  if (!text)
    return text.takeError();
  return parseWeightMappings(*text, path);
}

} // namespace vernier::compiler
