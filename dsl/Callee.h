// A block or an operation: what a call, or a value, names.
#ifndef VERNIER_DSL_CALLEE_H
#define VERNIER_DSL_CALLEE_H

#include "dsl/Types.h"

#include <string_view>

namespace vernier::dsl {

struct Declaration;
struct OpSignature;

struct Callee {
  const Declaration *block = nullptr; // one of these
  const OpSignature *op = nullptr;

  explicit operator bool() const { return block || op; }
  std::string_view name() const;
  size_t count() const; // of its parameters
  std::string_view parameter(size_t i) const;
  Type type(size_t i) const;
  bool required(size_t i) const;
  // The type of a block that is called with these parameters, or with all, in this order.
  Type signature(const std::vector<size_t> &parameters) const;
  Type signature() const;
};

} // namespace vernier::dsl

#endif
