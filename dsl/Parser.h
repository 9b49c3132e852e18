// Tokens to a tree. After an error the parser goes on with the next statement, so that a run reports each
// mistake.
#ifndef VERNIER_DSL_PARSER_H
#define VERNIER_DSL_PARSER_H

#include "dsl/Ast.h"
#include "dsl/Lexer.h"

namespace vernier::dsl {

// Nesting of expressions and statements that a file may have.
constexpr int maxNesting = 200;

File parse(const SourceSet &sources, int file, Diagnostics &diagnostics);
// A text that is one expression, such as the value of an override. Null after an error.
ExprPtr parseExpression(const SourceSet &sources, int file, Diagnostics &diagnostics);

} // namespace vernier::dsl

#endif
