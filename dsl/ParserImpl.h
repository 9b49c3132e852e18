// The parser's state, shared by Parser.cpp (items and statements), ParserExpr.cpp (expressions) and
// ParserForeign.cpp (what other languages write there). Functions that return a pointer return null after
// they have reported an error.
#ifndef VERNIER_DSL_PARSERIMPL_H
#define VERNIER_DSL_PARSERIMPL_H

#include "dsl/Foreign.h"
#include "dsl/Parser.h"

#include <optional>

namespace vernier::dsl {

// Sets a value for the length of a scope.
template <class T> class Restore {
public:
  Restore(T &variable, T value) : variable_(variable), saved_(variable) { variable_ = value; }
  ~Restore() { variable_ = saved_; }

private:
  T &variable_;
  T saved_;
};

class Parser {
public:
  Parser(const SourceSet &sources, int file, Diagnostics &diagnostics)
      : sources_(sources), file_(file), diagnostics_(diagnostics),
        tokens_(lex(sources, file, diagnostics).tokens) {}

  File parseFile();
  ExprPtr parseSingleExpression();

private:
  enum class Context { Block, Network, Inner };

  // Tokens.
  const Token &token(size_t ahead = 0) const;
  Tok kind(size_t ahead = 0) const { return token(ahead).kind; }
  bool at(Tok k) const { return kind() == k; }
  Token take();
  bool accept(Tok k);
  bool expect(Tok k);
  bool expectClosing(Tok k, const Token &open);
  bool expectName(Identifier &name, const char *what = "a name");
  Identifier identifier(const Token &t) const;
  std::string found() const;
  DiagnosticBuilder expected(std::string_view what);
  void skipNewlines();
  void skipStatement();
  void skipToItem();

  // Whether the token begins a line.
  bool startsLine(size_t ahead = 0) const;
  bool adjoins(size_t ahead) const { return token(ahead).span.begin == token(ahead - 1).span.end; }
  std::string_view sourceOf(Span span) const { return sources_.slice(span); }
  int indentOf(Span span) const;

  // What other languages write. Each is reported with the line as it should be; where it is plain what was
  // meant, the tree has it, and checking goes on.
  DiagnosticBuilder foreign(std::string_view what, Span span);
  bool foreignItem();
  bool foreignStatement(StmtPtr &out, bool network);
  StmtPtr compoundAssignment();
  bool indentedBody(Body &out, Span header, bool network, std::vector<Edit> &edits);
  bool atElif(size_t ahead = 0) const;
  bool colonOnLine(size_t ahead) const;
  bool elifAfterBrace();
  StmtPtr indentedIf(std::unique_ptr<IfStmt> branch, bool network);
  StmtPtr indentedFor(std::unique_ptr<ForStmt> loop, bool network);
  bool atIndentedLoop(size_t colon = 0) const;
  ExprPtr conditional(ExprPtr then);
  ExprPtr generator(ExprPtr element, std::optional<Span> bracket);
  ExprPtr tuple(const Token &open, ExprPtr first);
  ExprPtr calledResult(ExprPtr callee);
  bool dottedCallee(CallExpr &call);

  // Items.
  void parseImport(File &out);
  void parseDeclaration(File &out);
  void parseModel(File &out);
  bool parseParameters(std::vector<Parameter> &out);
  bool parseType(TypeExpr &out, int depth = 0);
  bool parsePresentType(TypeExpr &out, int depth);
  bool parseWords(TypeExpr &out);
  bool parseBlockType(TypeExpr &out, int depth);

  // Statements.
  bool parseBody(Body &out, Context context, bool network);
  StmtPtr parseStatement(bool network);
  StmtPtr parseFor(bool network);
  StmtPtr parseIf(bool network);
  StmtPtr parseLearned(std::unique_ptr<Label> place = nullptr);
  StmtPtr parseChoose(std::unique_ptr<Label> place = nullptr);
  StmtPtr parseRequire();
  StmtPtr parseShared(bool frozen);
  StmtPtr parseTarget(bool network);
  StmtPtr parseLoss(bool network);
  StmtPtr parseAssign();
  bool parsePattern(Pattern &out, bool bare = false);

  // Expressions.
  ExprPtr expression();
  ExprPtr chain();
  ExprPtr chainWithoutLabels();
  ExprPtr ifExpression(Span begin, ExprPtr condition);
  ExprPtr comprehension(Span begin, Pattern pattern, ExprPtr list);
  ExprPtr binary(int precedence);
  ExprPtr negation();
  ExprPtr unary();
  ExprPtr operand();
  ExprPtr primary();
  ExprPtr list();
  std::unique_ptr<CallExpr> stage();
  std::unique_ptr<StringExpr> string();
  bool interpolation(StringExpr &out, Span range);
  bool atLabel() const;
  std::unique_ptr<Label> label();
  bool arguments(CallExpr &call);
  // Bounds the height of the tree; null if it is too high.
  template <class T>
  std::unique_ptr<T> finish(std::unique_ptr<T> expr, std::initializer_list<const Expr *> children);
  bool tooDeep(Span span);

  const SourceSet &sources_;
  int file_;
  Diagnostics &diagnostics_;
  std::vector<Token> tokens_;
  size_t position_ = 0;
  int depth_ = 0;
  bool labels_ = true;          // `name:` begins a label here
  bool condition_ = false;      // within the condition of an `if`
  size_t recovered_ = 0;        // errors after which the tree is what was meant
  std::optional<Span> bracket_; // of the list whose element comes next
  bool skipped_ = false;        // something, because of an error that the lexer or the parser reported
  bool interpolating_ = false;  // the tokens are a part of a string
};

template <class T>
std::unique_ptr<T> Parser::finish(std::unique_ptr<T> expr, std::initializer_list<const Expr *> children) {
  for (const Expr *child : children)
    if (child && child->height >= expr->height)
      expr->height = child->height + 1;
  if (expr->height > maxNesting) {
    diagnostics_.report(diag::NestedTooDeeply, expr->span, maxNesting);
    return nullptr;
  }
  return expr;
}

} // namespace vernier::dsl

#endif
