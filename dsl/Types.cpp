#include "dsl/Types.h"

#include <algorithm>

namespace vernier::dsl {

namespace {

// Deeper types are Unknown: a program may wrap a list again and again, or double a tuple in every line.
constexpr int maxDepth = 4;
constexpr size_t maxTuple = 8;
constexpr size_t maxWords = 32;

int depth(const Type &type) {
  int deepest = 0;
  for (const Type &element : type.elements)
    deepest = std::max(deepest, depth(element));
  return deepest + 1;
}

} // namespace

Type Type::list(Type element) {
  if (depth(element) >= maxDepth)
    element = unknown();
  return {Kind::List, {std::move(element)}, {}, 0};
}

Type Type::tuple(std::vector<Type> elements) {
  if (elements.size() > maxTuple)
    return list(unknown());
  for (Type &element : elements)
    if (depth(element) >= maxDepth)
      element = unknown();
  return {Kind::Tuple, std::move(elements), {}, 0};
}

Type Type::word(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return {Kind::String, {}, std::move(words), 0};
}

Type Type::block(std::vector<Type> parameters, std::vector<std::string> names, size_t required) {
  for (Type &parameter : parameters)
    if (depth(parameter) >= maxDepth)
      parameter = unknown();
  return {Kind::Block, std::move(parameters), std::move(names), required};
}

std::string describe(const Type &type) {
  if (type.optional) {
    Type present = type;
    present.optional = false;
    return describe(present) + " or none";
  }
  switch (type.kind) {
  case Type::Kind::None:
    return "none";
  case Type::Kind::Unknown:
    return "a value";
  case Type::Kind::Int:
    return "int";
  case Type::Kind::Float:
    return "float";
  case Type::Kind::Bool:
    return "bool";
  case Type::Kind::String:
    return type.names.size() > 1 ? describeWords(type.names) : "string";
  case Type::Kind::Tensor:
    return "tensor";
  case Type::Kind::Labels:
    return "labels";
  case Type::Kind::Loss:
    return "loss";
  case Type::Kind::List:
    return type.elements[0].known() ? "[" + describe(type.elements[0]) + "]" : "a list";
  case Type::Kind::Tuple:
    return "a tuple of " + std::to_string(type.elements.size());
  case Type::Kind::Block: {
    std::string parameters;
    for (size_t i = 0; i < type.required; ++i)
      parameters += (i == 0 ? "" : ", ") + (type.elements[i].known() ? describe(type.elements[i]) : "any");
    if (type.required < type.elements.size())
      parameters += parameters.empty() ? "..." : ", ...";
    return "block(" + parameters + ")";
  }
  }
  return "";
}

std::string describeWords(const std::vector<std::string> &words) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i)
    out += (i == 0 ? "`" : i + 1 == words.size() ? " or `" : ", `") + words[i].substr(0, 40) + "`";
  return out;
}

Type join(const Type &a, const Type &b) {
  if (a == b || !a.known() || !b.known())
    return a == b ? a : Type::unknown();
  if (a.is(Type::Kind::None) || b.is(Type::Kind::None) || a.optional || b.optional) {
    Type present = a.is(Type::Kind::None) ? b : a, other = b.is(Type::Kind::None) ? a : b;
    present.optional = other.optional = false;
    present = join(present, other);
    present.optional = present.known();
    return present;
  }
  if (a.listLike() && b.listLike())
    return Type::list(join(elementOf(a), elementOf(b)));
  if (a.is(Type::Kind::String) && b.is(Type::Kind::String)) {
    if (a.names.empty() || b.names.empty() || a.names.size() + b.names.size() > maxWords)
      return Type::string();
    std::vector<std::string> words = a.names;
    words.insert(words.end(), b.names.begin(), b.names.end());
    return Type::word(std::move(words));
  }
  if (a.is(Type::Kind::Block) && b.is(Type::Kind::Block)) {
    // What both take.
    std::vector<Type> types;
    std::vector<std::string> names;
    for (size_t i = 0; i < std::min(a.elements.size(), b.elements.size()) && a.elements[i] == b.elements[i];
         ++i) {
      types.push_back(a.elements[i]);
      names.push_back(a.names[i] == b.names[i] ? a.names[i] : "");
    }
    const size_t required = std::max(a.required, b.required);
    if (types.size() >= required)
      return Type::block(std::move(types), std::move(names), required);
  }
  return Type::unknown();
}

bool accepts(const Type &to, const Type &from) {
  if (!to.known() || !from.known() || to == from)
    return true;
  if (from.is(Type::Kind::None))
    return to.optional;
  if (to.optional || from.optional) {
    Type present = to, given = from;
    present.optional = given.optional = false;
    return accepts(present, given);
  }
  if (to.is(Type::Kind::Float) && from.is(Type::Kind::Int))
    return true;
  if (to.is(Type::Kind::String) && from.is(Type::Kind::String)) {
    const auto among = [&](const std::string &word) {
      return std::binary_search(to.names.begin(), to.names.end(), word);
    };
    return to.names.empty() || from.names.empty() || std::any_of(from.names.begin(), from.names.end(), among);
  }
  if (to.is(Type::Kind::Block) && from.is(Type::Kind::Block)) {
    // What is called with these arguments takes them.
    if (to.elements.size() < from.required || to.elements.size() > from.elements.size())
      return false;
    for (size_t i = 0; i < to.elements.size(); ++i)
      if (!accepts(from.elements[i], to.elements[i]))
        return false;
    return true;
  }
  if (to.is(Type::Kind::List) && from.listLike())
    return std::all_of(from.elements.begin(), from.elements.end(),
                       [&](const Type &element) { return accepts(to.elements[0], element); });
  if (to.is(Type::Kind::Tuple) && from.is(Type::Kind::Tuple)) {
    if (to.elements.size() != from.elements.size())
      return false;
    for (size_t i = 0; i < to.elements.size(); ++i)
      if (!accepts(to.elements[i], from.elements[i]))
        return false;
    return true;
  }
  return to.is(Type::Kind::Tuple) && from.is(Type::Kind::List);
}

std::string_view conversionHelp(const Type &to, const Type &from) {
  using enum Type::Kind;
  if (to.is(Int) && from.is(Float))
    return "`int(v)`, `round(v)`, `floor(v)` and `ceil(v)` make an int of a float";
  if (to.is(Loss) && from.is(Tensor))
    return "operations such as `squared_error` compare it with a target; `mean(x)` is the mean of its "
           "elements, "
           "as a loss";
  if (to.is(Labels) && from.is(Tensor))
    return "labels are a target `of int`: `target mask: [image.height, image.width] of int`";
  if (to.is(Tensor) && from.is(Labels))
    return "labels go into `softmax_cross_entropy`; a target `of float` is a tensor";
  if (to.is(Tensor) && from.is(Loss))
    return "a loss is a number of training: nothing is computed from it but sums and multiples";
  return "";
}

Type elementOf(const Type &type) {
  if (!type.listLike() || type.elements.empty())
    return Type::unknown();
  Type element = type.elements[0];
  for (const Type &other : type.elements)
    element = join(element, other);
  return element;
}

Type widened(Type type) {
  if (type.is(Type::Kind::None))
    return Type::unknown();
  if (type.is(Type::Kind::String))
    type.names.clear();
  if (type.listLike())
    for (Type &element : type.elements)
      element = widened(std::move(element));
  return type;
}

} // namespace vernier::dsl
