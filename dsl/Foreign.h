// What other frameworks and languages call things, and what they are called here: for the help of messages.
// A name that the language has itself needs no entry.
#ifndef VERNIER_DSL_FOREIGN_H
#define VERNIER_DSL_FOREIGN_H

#include "dsl/Diagnostics.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vernier::dsl {

enum class Foreign {
  Value,     // True
  Type,      // Tensor
  Argument,  // kernel_size
  Word,      // bicubic
  Property,  // shape
  Statement, // return: a word that begins a statement
  Module,    // nn
  Character, // ;
};

struct ForeignName {
  std::string_view name;
  std::string_view ours; // what to write instead; empty: nothing
  std::string_view help;
  bool omit = false; // left out, and the rest is right
};

// An operation or function.
struct ForeignCall {
  std::string_view name; // lower case, without `_`
  std::string_view ours; // does the same; empty: nothing does
  std::string_view help;
  // Theirs by position, behind the map; "output_size=1" may be left out if it is that value, "dim=channels"
  // if it is the side of channels, and "dim=space" must be both others. Empty: as ours.
  std::vector<std::string_view> parameters{};
  // Theirs where ours have another default: {"padding", "0"}.
  std::vector<std::pair<std::string_view, std::string_view>> defaults{};
  bool omit = false; // left out of a pipeline, and the rest is right
};

const ForeignName *findForeign(Foreign kind, std::string_view name);
// Case and `_` do not count: `BatchNorm2d` is `batchnorm2d`.
const ForeignCall *findForeignCall(std::string_view name);
std::string foldedName(std::string_view name);

// All of them, for tests.
const std::vector<ForeignName> &foreignNames(Foreign kind);
const std::vector<ForeignCall> &foreignCalls();

// Of `mean(x)`, which others take a side for.
inline constexpr std::string_view meansOfSides = "for means over height and width; those over channels are "
                                                 "`channel_mean`, and `mean` is that of everything";

// "`kernel_size` is called `kernel` here", or the entry's own help.
std::string helpOf(const ForeignName &name);
std::string helpOf(const ForeignCall &call, std::string_view written);

} // namespace vernier::dsl

#endif
