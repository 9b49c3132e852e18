// The tree of a parsed file. Expressions and statements are owned by their parents; declarations by the File.
// Parser.cpp builds it, Sema.cpp checks it and resolves callees, Elaborate.cpp evaluates it.
#ifndef VERNIER_DSL_AST_H
#define VERNIER_DSL_AST_H

#include "dsl/Callee.h"
#include "dsl/Source.h"
#include "dsl/Types.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vernier::dsl {

enum class Function;

struct Identifier {
  std::string text;
  Span span;
};

struct Expr {
  enum class Kind {
    Int,
    Float,
    Bool,
    String,
    Name,
    Call,
    List,
    Index,
    Member,
    Unary,
    Binary,
    If,
    Comprehension,
    Pipeline
  };
  Kind kind;
  Span span;
  int height = 1; // of the tree below; the parser bounds it, so that recursion over the tree is safe
  virtual ~Expr() = default;

protected:
  Expr(Kind kind, Span span) : kind(kind), span(span) {}
};
using ExprPtr = std::unique_ptr<Expr>;

// What a loop or an assignment binds: a name, or a tuple of patterns.
struct Pattern {
  Identifier name; // empty for a tuple
  std::vector<Pattern> elements;
  Span span;
};

struct IntExpr : Expr {
  IntExpr(Span span, int64_t value) : Expr(Kind::Int, span), value(value) {}
  int64_t value;
};

struct FloatExpr : Expr {
  FloatExpr(Span span, double value) : Expr(Kind::Float, span), value(value) {}
  double value;
};

struct BoolExpr : Expr {
  BoolExpr(Span span, bool value) : Expr(Kind::Bool, span), value(value) {}
  bool value;
};

// "conv2.{i}" is the parts "conv2.", i.
struct StringPart {
  std::string text;
  ExprPtr value; // null: text
};

struct StringExpr : Expr {
  explicit StringExpr(Span span) : Expr(Kind::String, span) {}
  std::vector<StringPart> parts;
};

struct NameExpr : Expr {
  explicit NameExpr(Identifier name) : Expr(Kind::Name, name.span), name(std::move(name)) {}
  Identifier name;

  Callee callee; // resolved by Sema: the block or operation that it names, none for a value
};

// `_`, for which a later call gives the argument.
inline bool isPlaceholder(const Expr &expr) {
  return expr.kind == Expr::Kind::Name && static_cast<const NameExpr &>(expr).name.text == "_";
}

struct Argument {
  Identifier name; // empty: by position
  ExprPtr value;
};

// `downsample.0:` or `"conv2.{i}":` before a call.
struct Label {
  Span span;
  bool inlined = false; // `inline:`
  std::unique_ptr<StringExpr> text;
};

struct CallExpr : Expr {
  explicit CallExpr(Span span) : Expr(Kind::Call, span) {}
  Identifier callee;
  Identifier owner; // `nn` of `nn.relu(x)`, which other languages write; empty in a right program
  std::unique_ptr<Label> label;
  std::vector<Argument> arguments;
  bool piped = false; // the first argument comes through `|>`

  // Resolved by Sema: exactly one of value, block, op, function.
  bool value = false;   // the callee is a name in scope, whose value is a block
  bool partial = false; // some arguments are `_`: a block that takes them
  const Declaration *block = nullptr;
  const OpSignature *op = nullptr;
  Function function{};
  // For each parameter of the block or op, the argument: null for the piped value or a default. Empty for a
  // value of which it is not known what it is.
  std::vector<const Expr *> bound;
};

struct ListExpr : Expr {
  explicit ListExpr(Span span) : Expr(Kind::List, span) {}
  std::vector<ExprPtr> elements;
};

struct IndexExpr : Expr {
  explicit IndexExpr(Span span) : Expr(Kind::Index, span) {}
  ExprPtr base, index;
};

struct MemberExpr : Expr {
  explicit MemberExpr(Span span) : Expr(Kind::Member, span) {}
  ExprPtr base;
  Identifier name;
};

enum class UnaryOp { Negate, Not };
enum class BinaryOp {
  Or,
  And,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Add,
  Subtract,
  Multiply,
  Divide,
  Modulo
};
std::string_view spelling(BinaryOp op);

struct UnaryExpr : Expr {
  explicit UnaryExpr(Span span) : Expr(Kind::Unary, span) {}
  UnaryOp op{};
  ExprPtr operand;
};

struct BinaryExpr : Expr {
  explicit BinaryExpr(Span span) : Expr(Kind::Binary, span) {}
  BinaryOp op{};
  Span opSpan;
  ExprPtr left, right;
};

struct IfExpr : Expr {
  explicit IfExpr(Span span) : Expr(Kind::If, span) {}
  ExprPtr condition, then, otherwise;
};

struct ComprehensionExpr : Expr {
  explicit ComprehensionExpr(Span span) : Expr(Kind::Comprehension, span) {}
  Pattern pattern;
  ExprPtr list, filter, element; // filter may be null
};

// The text of a string without interpolation.
inline std::optional<std::string> literal(const Expr &expr) {
  if (expr.kind != Expr::Kind::String)
    return std::nullopt;
  auto &parts = static_cast<const StringExpr &>(expr).parts;
  if (parts.empty())
    return "";
  return parts.size() == 1 && !parts[0].value ? std::optional(parts[0].text) : std::nullopt;
}

// Flat, so that a long pipeline is not a deep tree.
struct PipelineExpr : Expr {
  explicit PipelineExpr(Span span) : Expr(Kind::Pipeline, span) {}
  ExprPtr head;
  std::vector<std::unique_ptr<CallExpr>> stages;
};

struct TypeExpr {
  Type type = Type::tensor();
  Span span; // invalid: not written
};

struct Stmt {
  enum class Kind { Assign, For, If, Learned, Choose, Require, Input, Target, Output, Loss, Result };
  Kind kind;
  Span span;
  virtual ~Stmt() = default;

protected:
  Stmt(Kind kind, Span span) : kind(kind), span(span) {}
};
using StmtPtr = std::unique_ptr<Stmt>;

struct Body {
  std::vector<StmtPtr> statements;
  Span end; // the `}`
};

struct AssignStmt : Stmt {
  explicit AssignStmt(Span span) : Stmt(Kind::Assign, span) {}
  bool shared = false; // `shared NAME = BLOCK`: each call of it has the same parameters
  bool frozen = false; // `frozen NAME = BLOCK`: and training leaves them as they are
  Pattern target;
  ExprPtr value;
};

struct ForStmt : Stmt {
  explicit ForStmt(Span span) : Stmt(Kind::For, span) {}
  Pattern pattern;
  ExprPtr list;
  Body body;
};

struct IfStmt : Stmt {
  explicit IfStmt(Span span) : Stmt(Kind::If, span) {}
  ExprPtr condition;
  Body then, otherwise;
};

struct LearnedStmt : Stmt {
  explicit LearnedStmt(Span span) : Stmt(Kind::Learned, span) {}
  std::unique_ptr<Label> label; // the hole's place, where it is not its name
  Identifier name;
  TypeExpr type;
  ExprPtr seed;
  Identifier budgetKind; // macs, params or neurons
  ExprPtr budget;
};

struct ChooseStmt : Stmt {
  explicit ChooseStmt(Span span) : Stmt(Kind::Choose, span) {}
  std::unique_ptr<Label> label;
  Identifier name;
  TypeExpr type;
  ExprPtr choices;
};

struct RequireStmt : Stmt {
  explicit RequireStmt(Span span) : Stmt(Kind::Require, span) {}
  ExprPtr condition, message;
};

struct InputStmt : Stmt {
  explicit InputStmt(Span span) : Stmt(Kind::Input, span) {}
  Identifier name;
  ExprPtr size;
};

struct TargetStmt : Stmt {
  explicit TargetStmt(Span span) : Stmt(Kind::Target, span) {}
  Identifier name;
  ExprPtr size;
  bool labels = false; // `of int`
};

struct OutputStmt : Stmt {
  explicit OutputStmt(Span span) : Stmt(Kind::Output, span) {}
  Identifier name; // empty where `text` says it
  std::unique_ptr<StringExpr> text;
  ExprPtr value;
};

struct LossStmt : Stmt {
  explicit LossStmt(Span span) : Stmt(Kind::Loss, span) {}
  Identifier name; // may be empty
  ExprPtr value;
};

struct ResultStmt : Stmt {
  explicit ResultStmt(Span span) : Stmt(Kind::Result, span) {}
  ExprPtr value;
};

struct Parameter {
  Identifier name;
  TypeExpr type;
  ExprPtr defaultValue; // may be null
};

// A block or a network.
struct Declaration {
  bool network = false;
  bool takesInput =
      false; // the first parameter is a network's input, which a call gives and a model does not
  Identifier name;
  std::vector<Parameter> parameters;
  Body body;
  Span span;
  bool brokenHeader = false, brokenBody = false; // had syntax errors: not checked further

  // Without the input.
  std::span<const Parameter> written() const { return std::span(parameters).subspan(takesInput); }
};

struct ModelDecl {
  Identifier name;
  std::unique_ptr<CallExpr> network;
  const Declaration *declaration = nullptr; // resolved by Sema
};

struct ImportDecl {
  std::vector<Identifier> path;
  Span span;
  int file = -1; // set by the loader
};

struct File {
  int source = -1;
  std::vector<ImportDecl> imports;
  std::vector<std::unique_ptr<Declaration>> declarations;
  std::vector<ModelDecl> models;
};

} // namespace vernier::dsl

#endif
