// Types of values as far as they are known without running a program.
#ifndef VERNIER_DSL_TYPES_H
#define VERNIER_DSL_TYPES_H

#include <string>
#include <string_view>
#include <vector>

namespace vernier::dsl {

struct Type {
  // Unknown goes with everything: what it really is, elaboration sees.
  enum class Kind { Unknown, None, Int, Float, Bool, String, Tensor, Labels, Loss, List, Tuple, Block };
  Kind kind = Kind::Unknown;
  std::vector<Type> elements{}; // List: one; Tuple: each; Block: its parameters
  // String: all that it may be, sorted, or empty; Block: names of its parameters, empty ones have none.
  std::vector<std::string> names{};
  size_t required = 0;   // Block: so many arguments must be given
  bool optional = false; // or `none`

  bool operator==(const Type &) const = default;
  bool known() const { return kind != Kind::Unknown; }
  bool is(Kind k) const { return kind == k; }
  bool numeric() const { return kind == Kind::Int || kind == Kind::Float; }
  bool listLike() const { return kind == Kind::List || kind == Kind::Tuple; }

  static Type unknown() { return {}; }
  static Type none() { return {Kind::None}; }
  static Type integer() { return {Kind::Int, {}}; }
  static Type floating() { return {Kind::Float, {}}; }
  static Type boolean() { return {Kind::Bool, {}}; }
  static Type string() { return {Kind::String, {}}; }
  // One of these strings.
  static Type word(std::vector<std::string> words);
  static Type tensor() { return {Kind::Tensor, {}}; }
  static Type labels() { return {Kind::Labels, {}}; }
  static Type loss() { return {Kind::Loss, {}}; }
  static Type block(std::vector<Type> parameters, std::vector<std::string> names, size_t required);
  static Type list(Type element);
  static Type tuple(std::vector<Type> elements);
};

// "int", "[float]", "a tuple of 2", "block(tensor, int)", "`max` or `average`": for messages.
std::string describe(const Type &type);
// "`a`, `b` or `c`".
std::string describeWords(const std::vector<std::string> &words);
// What can be written where a type is asked for.
inline constexpr std::string_view typesHelp =
    "types are `int`, `float`, `bool`, `string`, `tensor`, `labels`, `loss`, lists such as `[int]`, strings "
    "such as `\"max\" | \"average\"`, `block(x, int)`, and what may be left out: `tensor | none`";
// The type of a value that is one or the other.
Type join(const Type &a, const Type &b);
// Whether a value of type `from` may stand where `to` is asked for; an int may where a float is. Of strings,
// whether some of `from` may, and of what may be `none`, whether it may if it is not: elaboration sees.
bool accepts(const Type &to, const Type &from);
// What makes a value of type `to` of one of type `from`, for messages; empty where nothing does.
std::string_view conversionHelp(const Type &to, const Type &from);
// What iterating or indexing gives.
Type elementOf(const Type &type);
// Of a name that may be bound again: strings may be any, and what was `none` anything.
Type widened(Type type);

} // namespace vernier::dsl

#endif
