// Patterns of tensor names, and the names made from what they matched:
//
//   NamePattern::parse("layers.{i}.*")     matches "layers.12.conv.weight": {i} = 12, * = "conv.weight"
//   NameTemplate::parse("blocks.{i-1}.*")  makes   "blocks.11.conv.weight" of it, "{2*i+1}" "25"
//
// `*` stands for any characters, as few as possible; `{name}` for a whole number, up to the last of its
// digits. Matching takes at most as many steps as name and pattern have characters, multiplied.
#ifndef VERNIER_COMPILER_LOWER_NAMEPATTERN_H
#define VERNIER_COMPILER_LOWER_NAMEPATTERN_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vernier::compiler {

/// What a pattern's holes stood for in one name.
struct NameMatch {
  std::vector<llvm::StringRef> runs; // of each `*`; they point into the name
  std::map<std::string, int64_t> numbers;
};

class NamePattern {
public:
  /// Fails with a phrase, such as "`{i}` stands twice".
  static llvm::Expected<NamePattern> parse(llvm::StringRef text);

  /// Nothing unless the pattern matches the whole name.
  std::optional<NameMatch> match(llvm::StringRef name) const;

private:
  friend class NameTemplate;
  struct Piece {
    enum Kind { Literal, Number, Run } kind;
    std::string text;              // the literal, or the number's name
    int64_t factor = 1, added = 0; // of the number, in a template: factor * number + added
  };
  static llvm::Expected<std::vector<Piece>> split(llvm::StringRef text, bool sums);

  std::vector<Piece> pieces;
};

class NameTemplate {
public:
  /// Fails with a phrase where `pattern` does not provide what the template uses.
  static llvm::Expected<NameTemplate> parse(llvm::StringRef text, const NamePattern &pattern);

  /// Nothing where a number would be negative.
  std::optional<std::string> make(const NameMatch &match) const;

private:
  std::vector<NamePattern::Piece> pieces;
};

} // namespace vernier::compiler

#endif
