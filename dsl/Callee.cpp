#include "dsl/Callee.h"

#include "dsl/Ast.h"
#include "dsl/Ops.h"

#include <numeric>

namespace vernier::dsl {

std::string_view Callee::name() const { return block ? std::string_view(block->name.text) : op->name; }

size_t Callee::count() const { return block ? block->parameters.size() : op->parameters.size(); }

std::string_view Callee::parameter(size_t i) const {
  return block ? std::string_view(block->parameters[i].name.text) : op->parameters[i].name;
}

Type Callee::type(size_t i) const {
  return block ? block->parameters[i].type.type : typeOf(op->parameters[i]);
}

bool Callee::required(size_t i) const {
  return block ? !block->parameters[i].defaultValue : op->parameters[i].required;
}

Type Callee::signature(const std::vector<size_t> &parameters) const {
  std::vector<Type> types;
  std::vector<std::string> names;
  size_t needed = 0;
  for (size_t i : parameters) {
    types.push_back(type(i));
    names.emplace_back(parameter(i));
    if (required(i))
      needed = types.size();
  }
  return Type::block(std::move(types), std::move(names), needed);
}

Type Callee::signature() const {
  std::vector<size_t> all(count());
  std::iota(all.begin(), all.end(), size_t(0));
  return signature(all);
}

} // namespace vernier::dsl
