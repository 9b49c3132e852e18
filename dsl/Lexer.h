// Text to tokens. Newlines that end a statement are tokens; comments are kept beside, for the formatter.
#ifndef VERNIER_DSL_LEXER_H
#define VERNIER_DSL_LEXER_H

#include "dsl/Diagnostics.h"

#include <vector>

namespace vernier::dsl {

enum class Tok {
  End,
  Newline,
  Invalid, // reported already
  Name,
  Int,
  Float,
  String,
  // Keywords, in the order of the table in Lexer.cpp.
  KwImport,
  KwBlock,
  KwNetwork,
  KwModel,
  KwInput,
  KwOutput,
  KwTarget,
  KwLoss,
  KwLearned,
  KwChoose,
  KwRequire,
  KwWithin,
  KwFrom,
  KwFor,
  KwIn,
  KwIf,
  KwThen,
  KwElse,
  KwAnd,
  KwOr,
  KwNot,
  KwTrue,
  KwFalse,
  LParen,
  RParen,
  LBracket,
  RBracket,
  LBrace,
  RBrace,
  Comma,
  Colon,
  Dot,
  Assign,
  Pipe, // |>
  Bar,  // | between strings
  Plus,
  Minus,
  Star,
  Slash,
  Percent,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
};

struct Token {
  Tok kind = Tok::End;
  Span span;
};

struct LexResult {
  std::vector<Token> tokens; // the last one is End
  std::vector<Span> comments;
};

LexResult lex(const SourceSet &sources, int file, Diagnostics &diagnostics);
// A part of a file, such as an expression within a string.
LexResult lexRange(const SourceSet &sources, Span range, Diagnostics &diagnostics);

// "`|>`", "a name", "the end of the line": for messages.
std::string describe(Tok kind);
bool isKeyword(Tok kind);
bool isKeyword(std::string_view name);
// A keyword that can only begin an item of a file or a statement.
bool beginsItem(Tok kind);
bool beginsStatement(Tok kind);

} // namespace vernier::dsl

#endif
