// Names, arguments and types, as far as they are known without elaborating.
#ifndef VERNIER_DSL_SEMA_H
#define VERNIER_DSL_SEMA_H

#include "dsl/Diagnostics.h"
#include "dsl/Program.h"

namespace vernier::dsl {

// Resolves the callee and the arguments of every call. A program without errors can be elaborated.
void check(Program &program, Diagnostics &diagnostics);

// Checks an expression without names of its own, such as an override of a parameter of type `type`.
void checkConstant(Program &program, Expr &expr, const Type &type, std::string_view what,
                   Diagnostics &diagnostics);

// "`a`", "`a` and `b`", "`a`, `b` and `c`"; of many the first ones.
std::string enumerate(const std::vector<std::string> &names);

} // namespace vernier::dsl

#endif
