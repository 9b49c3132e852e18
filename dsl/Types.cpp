#include "dsl/Types.h"

#include <algorithm>

namespace vernier::dsl {

namespace {

// Deeper types are Unknown: a program may wrap a list again and again, or double a tuple in every line.
constexpr int maxDepth = 4;
constexpr size_t maxTuple = 8;

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
  return {Kind::List, {std::move(element)}};
}

Type Type::tuple(std::vector<Type> elements) {
  if (elements.size() > maxTuple)
    return list(unknown());
  for (Type &element : elements)
    if (depth(element) >= maxDepth)
      element = unknown();
  return {Kind::Tuple, std::move(elements)};
}

std::string describe(const Type &type) {
  switch (type.kind) {
  case Type::Kind::Unknown:
    return "a value";
  case Type::Kind::Int:
    return "int";
  case Type::Kind::Float:
    return "float";
  case Type::Kind::Bool:
    return "bool";
  case Type::Kind::String:
    return "string";
  case Type::Kind::Tensor:
    return "tensor";
  case Type::Kind::List:
    return type.elements[0].known() ? "[" + describe(type.elements[0]) + "]" : "a list";
  case Type::Kind::Tuple:
    return "a tuple of " + std::to_string(type.elements.size());
  }
  return "";
}

Type join(const Type &a, const Type &b) {
  if (a == b)
    return a;
  if (a.listLike() && b.listLike())
    return Type::list(join(elementOf(a), elementOf(b)));
  return Type::unknown();
}

bool accepts(const Type &to, const Type &from) {
  if (!to.known() || !from.known() || to == from)
    return true;
  if (to.is(Type::Kind::Float) && from.is(Type::Kind::Int))
    return true;
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

Type elementOf(const Type &type) {
  if (!type.listLike() || type.elements.empty())
    return Type::unknown();
  Type element = type.elements[0];
  for (const Type &other : type.elements)
    element = join(element, other);
  return element;
}

} // namespace vernier::dsl
