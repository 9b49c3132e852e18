#include "dsl/ParserImpl.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace vernier::dsl {

namespace {

struct Operator {
  BinaryOp op;
  int precedence;
};

constexpr int orLevel = 1, andLevel = 2, notLevel = 3, compareLevel = 4, addLevel = 5, multiplyLevel = 6;

std::optional<Operator> binaryOperator(Tok kind) {
  switch (kind) {
  case Tok::KwOr:
    return Operator{BinaryOp::Or, orLevel};
  case Tok::KwAnd:
    return Operator{BinaryOp::And, andLevel};
  case Tok::Equal:
    return Operator{BinaryOp::Equal, compareLevel};
  case Tok::NotEqual:
    return Operator{BinaryOp::NotEqual, compareLevel};
  case Tok::Less:
    return Operator{BinaryOp::Less, compareLevel};
  case Tok::LessEqual:
    return Operator{BinaryOp::LessEqual, compareLevel};
  case Tok::Greater:
    return Operator{BinaryOp::Greater, compareLevel};
  case Tok::GreaterEqual:
    return Operator{BinaryOp::GreaterEqual, compareLevel};
  case Tok::Plus:
    return Operator{BinaryOp::Add, addLevel};
  case Tok::Minus:
    return Operator{BinaryOp::Subtract, addLevel};
  case Tok::Star:
    return Operator{BinaryOp::Multiply, multiplyLevel};
  case Tok::Slash:
    return Operator{BinaryOp::Divide, multiplyLevel};
  case Tok::Percent:
    return Operator{BinaryOp::Modulo, multiplyLevel};
  default:
    return std::nullopt;
  }
}

} // namespace

std::string_view spelling(BinaryOp op) {
  switch (op) {
  case BinaryOp::Or:
    return "or";
  case BinaryOp::And:
    return "and";
  case BinaryOp::Equal:
    return "==";
  case BinaryOp::NotEqual:
    return "!=";
  case BinaryOp::Less:
    return "<";
  case BinaryOp::LessEqual:
    return "<=";
  case BinaryOp::Greater:
    return ">";
  case BinaryOp::GreaterEqual:
    return ">=";
  case BinaryOp::Add:
    return "+";
  case BinaryOp::Subtract:
    return "-";
  case BinaryOp::Multiply:
    return "*";
  case BinaryOp::Divide:
    return "/";
  case BinaryOp::Modulo:
    return "%";
  }
  return "";
}

ExprPtr Parser::parseSingleExpression() {
  ExprPtr value = expression();
  if (value)
    accept(Tok::Newline);
  if (value && !at(Tok::End)) {
    expected("the end of the value");
    return nullptr;
  }
  return value;
}

ExprPtr Parser::expression() {
  Token first = token();
  if (tooDeep(first.span))
    return nullptr;
  Restore deeper(depth_, depth_ + 1);
  if (accept(Tok::KwIf)) {
    ExprPtr condition = expression();
    return condition ? ifExpression(first.span, std::move(condition)) : nullptr;
  }
  if (accept(Tok::KwFor)) {
    Pattern pattern;
    ExprPtr list;
    if (!parsePattern(pattern, true) || !expect(Tok::KwIn) || !(list = chainWithoutLabels()))
      return nullptr;
    return comprehension(first.span, std::move(pattern), std::move(list));
  }
  const std::optional<Span> bracket = std::exchange(bracket_, std::nullopt);
  ExprPtr value = chain();
  // A comprehension's list and filter are chains: an `if` or `for` behind a whole expression is another
  // language's.
  if (value && at(Tok::KwIf) && !startsLine())
    return conditional(std::move(value));
  if (value && at(Tok::KwFor) && !startsLine())
    return generator(std::move(value), bracket);
  return value;
}

ExprPtr Parser::ifExpression(Span begin, ExprPtr condition) {
  auto branch = std::make_unique<IfExpr>(begin);
  branch->condition = std::move(condition);
  if (!expect(Tok::KwThen) || !(branch->then = expression()))
    return nullptr;
  if (!at(Tok::KwElse)) {
    expected("`else`").help("an `if` that is an expression has a value in both cases");
    return nullptr;
  }
  take();
  if (!(branch->otherwise = expression()))
    return nullptr;
  branch->span = cover(begin, branch->otherwise->span);
  std::initializer_list<const Expr *> children = {branch->condition.get(), branch->then.get(),
                                                  branch->otherwise.get()};
  return finish(std::move(branch), children);
}

ExprPtr Parser::comprehension(Span begin, Pattern pattern, ExprPtr list) {
  auto loop = std::make_unique<ComprehensionExpr>(begin);
  loop->pattern = std::move(pattern);
  loop->list = std::move(list);
  if (accept(Tok::KwIf) && !(loop->filter = chainWithoutLabels()))
    return nullptr;
  if (!expect(Tok::Colon) || !(loop->element = expression()))
    return nullptr;
  loop->span = cover(begin, loop->element->span);
  std::initializer_list<const Expr *> children = {loop->list.get(), loop->filter.get(), loop->element.get()};
  return finish(std::move(loop), children);
}

// In `for s in scales: conv(...)` the colon ends the list, `scales:` is no label.
ExprPtr Parser::chainWithoutLabels() {
  Restore without(labels_, false);
  return chain();
}

ExprPtr Parser::chain() {
  ExprPtr head = binary(orLevel);
  if (!head || !at(Tok::Pipe))
    return head;
  auto pipeline = std::make_unique<PipelineExpr>(head->span);
  pipeline->head = std::move(head);
  const Expr *highest = pipeline->head.get();
  while (accept(Tok::Pipe)) {
    auto next = stage();
    if (!next)
      return nullptr;
    if (next->height > highest->height)
      highest = next.get();
    pipeline->stages.push_back(std::move(next));
  }
  pipeline->span = cover(pipeline->span, pipeline->stages.back()->span);
  if (binaryOperator(kind()) || at(Tok::LBracket) || at(Tok::Dot)) {
    diagnostics_.report(diag::OperatorAfterPipeline, token().span, sources_.slice(token().span))
        .note("the pipeline", pipeline->span)
        .help("put the pipeline in parentheses to go on with its result");
    return nullptr;
  }
  return finish(std::move(pipeline), {highest});
}

std::unique_ptr<CallExpr> Parser::stage() {
  std::unique_ptr<Label> name;
  if (atLabel() && !(name = label()))
    return nullptr;
  auto call = std::make_unique<CallExpr>(token().span);
  if (!dottedCallee(*call) && !expectName(call->callee, "an operation or block"))
    return nullptr;
  call->label = std::move(name);
  call->piped = true;
  if (at(Tok::LParen) && !arguments(*call))
    return nullptr;
  return call;
}

ExprPtr Parser::negation() {
  Token op = take();
  if (tooDeep(op.span))
    return nullptr;
  Restore deeper(depth_, depth_ + 1);
  auto negation = std::make_unique<UnaryExpr>(op.span);
  negation->op = op.kind == Tok::KwNot ? UnaryOp::Not : UnaryOp::Negate;
  if (!(negation->operand = op.kind == Tok::KwNot ? binary(notLevel) : unary()))
    return nullptr;
  negation->span = cover(op.span, negation->operand->span);
  const Expr *child = negation->operand.get();
  return finish(std::move(negation), {child});
}

ExprPtr Parser::binary(int precedence) {
  ExprPtr left = at(Tok::KwNot) && precedence <= notLevel ? negation() : unary();
  while (left) {
    auto found = binaryOperator(kind());
    if (!found || found->precedence < precedence)
      break;
    auto both = std::make_unique<BinaryExpr>(left->span);
    both->op = found->op;
    both->opSpan = take().span;
    both->left = std::move(left);
    if (both->op == BinaryOp::Multiply && at(Tok::Star) && token().span.begin == both->opSpan.end) {
      Span power = cover(both->opSpan, take().span);
      auto report = foreign("`**`", power);
      report.help("powers are products: `x * x`");
      if (at(Tok::Int) && sourceOf(token().span) == "2" && both->left->kind == Expr::Kind::Name)
        report.rewrite({file_, both->left->span.end, token().span.end},
                       " * " + std::string(sourceOf(both->left->span)));
      recovered_ += bool(report);
    }
    if (!(both->right = binary(found->precedence + 1)))
      return nullptr;
    both->span = cover(both->span, both->right->span);
    auto again = binaryOperator(kind());
    if (found->precedence == compareLevel && again && again->precedence == compareLevel) {
      diagnostics_.report(diag::ChainedComparison, token().span)
          .note("the first comparison", both->opSpan)
          .help("join two comparisons with `and`");
      return nullptr;
    }
    std::initializer_list<const Expr *> children = {both->left.get(), both->right.get()};
    left = finish(std::move(both), children);
  }
  return left;
}

ExprPtr Parser::unary() { return at(Tok::Minus) ? negation() : operand(); }

ExprPtr Parser::operand() {
  std::unique_ptr<Label> name;
  if (atLabel() && !(name = label()))
    return nullptr;
  ExprPtr value = primary();
  if (!value)
    return nullptr;
  if (name) {
    if (value->kind != Expr::Kind::Call) {
      auto report = diagnostics_.report(diag::LabelWithoutCall, name->span);
      if (value->kind == Expr::Kind::Name)
        report.help("a call has parentheses: `" + static_cast<NameExpr &>(*value).name.text + "(...)`");
      else
        report.help("a named argument is written `name = value`");
      return nullptr;
    }
    value->span = cover(name->span, value->span);
    static_cast<CallExpr &>(*value).label = std::move(name);
  }
  if (value && value->kind == Expr::Kind::Call && at(Tok::LParen))
    return calledResult(std::move(value));
  while (value && (at(Tok::LBracket) || at(Tok::Dot))) {
    Token open = take();
    if (open.kind == Tok::Dot) {
      auto member = std::make_unique<MemberExpr>(value->span);
      if (!expectName(member->name, "the name of a property"))
        return nullptr;
      member->span = cover(value->span, member->name.span);
      member->base = std::move(value);
      const Expr *child = member->base.get();
      value = finish(std::move(member), {child});
    } else {
      Restore inside(labels_, true);
      auto index = std::make_unique<IndexExpr>(value->span);
      if (!(index->index = expression()))
        return nullptr;
      Span end = token().span;
      if (!expectClosing(Tok::RBracket, open))
        return nullptr;
      index->span = cover(value->span, end);
      index->base = std::move(value);
      std::initializer_list<const Expr *> children = {index->base.get(), index->index.get()};
      value = finish(std::move(index), children);
    }
  }
  return value;
}

ExprPtr Parser::primary() {
  Token first = token();
  std::string_view text = sources_.slice(first.span);
  switch (first.kind) {
  case Tok::Int: {
    take();
    int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc())
      diagnostics_
          .report(diag::BadNumber, first.span,
                  std::string(text.substr(0, 40)) + (text.size() > 40 ? "..." : ""))
          .help("whole numbers go up to 9223372036854775807");
    return std::make_unique<IntExpr>(first.span, value);
  }
  case Tok::Float: {
    take();
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || !std::isfinite(value))
      diagnostics_.report(diag::BadNumber, first.span,
                          std::string(text.substr(0, 40)) + (text.size() > 40 ? "..." : ""));
    return std::make_unique<FloatExpr>(first.span, value);
  }
  case Tok::KwTrue:
  case Tok::KwFalse:
    take();
    return std::make_unique<BoolExpr>(first.span, first.kind == Tok::KwTrue);
  case Tok::String:
    return string();
  case Tok::Name: {
    auto dotted = std::make_unique<CallExpr>(first.span);
    if (dottedCallee(*dotted)) {
      if (!arguments(*dotted))
        return nullptr;
      return dotted;
    }
    if (text == "lambda" && (kind(1) == Tok::Name || kind(1) == Tok::Colon)) {
      foreign("`lambda`", first.span).help(helpOf(*findForeign(Foreign::Statement, text)));
      return nullptr;
    }
    if (kind(1) != Tok::LParen)
      return std::make_unique<NameExpr>(identifier(take()));
    auto call = std::make_unique<CallExpr>(first.span);
    call->callee = identifier(take());
    if (!arguments(*call))
      return nullptr;
    return call;
  }
  case Tok::LBracket:
    return list();
  case Tok::LParen: {
    take();
    Restore inside(labels_, true);
    ExprPtr value = expression();
    if (!value)
      return nullptr;
    if (at(Tok::Comma))
      return tuple(first, std::move(value));
    Span end = token().span;
    if (!expectClosing(Tok::RParen, first))
      return nullptr;
    value->span = cover(first.span, end);
    return value;
  }
  default: {
    auto report = expected("an expression");
    if (first.kind == Tok::KwIf || first.kind == Tok::KwFor)
      report.help("put an `if` or `for` within an expression in parentheses");
    else if (first.kind == Tok::Star)
      report.help("powers and unpacking do not exist");
    else if (first.kind == Tok::Dot && kind(1) == Tok::Int && adjoins(1))
      report.help("a number has a digit before its point")
          .rewrite({file_, first.span.begin, first.span.begin}, "0");
    return nullptr;
  }
  }
}

ExprPtr Parser::list() {
  Token open = take();
  Restore inside(labels_, true);
  auto elements = std::make_unique<ListExpr>(open.span);
  const Expr *highest = nullptr;
  while (!at(Tok::RBracket)) {
    // `[(for ...)]` is a list that holds a list; `[for ...]` is what other languages write for a
    // comprehension.
    bool bare = at(Tok::KwFor);
    if (elements->elements.empty())
      bracket_ = open.span;
    ExprPtr element = expression();
    bracket_.reset();
    if (!element)
      return nullptr;
    // `[f(x) for x in list]` is a comprehension, which is a list by itself.
    if (element->kind == Expr::Kind::Comprehension && element->span.begin == open.span.begin)
      return element;
    if (bare)
      diagnostics_.report(diag::BracketedComprehension, open.span)
          .help("a comprehension is a list by itself: leave the brackets out, or write `[(for ...)]` for a "
                "list "
                "of one list");
    if (!highest || element->height > highest->height)
      highest = element.get();
    elements->elements.push_back(std::move(element));
    if (!accept(Tok::Comma))
      break;
  }
  Span end = token().span;
  if (!expectClosing(Tok::RBracket, open))
    return nullptr;
  elements->span = cover(open.span, end);
  return finish(std::move(elements), {highest});
}

// From `(` to `)`.
bool Parser::arguments(CallExpr &call) {
  Token open = token();
  if (!expect(Tok::LParen))
    return false;
  Restore inside(labels_, true);
  Restore whole(condition_, false);
  bool named = false;
  while (!at(Tok::RParen)) {
    Argument argument;
    // A word of the language may name a parameter of an operation: `target = y`.
    if ((at(Tok::Name) || isKeyword(kind())) && kind(1) == Tok::Assign) {
      argument.name = identifier(take());
      take();
      named = true;
    } else if (named) {
      diagnostics_.report(diag::PositionalAfterNamed, token().span)
          .help("give it by name too, or put it before the named ones");
    }
    if (!(argument.value = expression()))
      return false;
    call.height = std::max(call.height, argument.value->height + 1);
    call.arguments.push_back(std::move(argument));
    if (!accept(Tok::Comma))
      break;
  }
  Span end = token().span;
  if (!expectClosing(Tok::RParen, open))
    return false;
  call.span = cover(call.span, end);
  if (call.height > maxNesting) {
    diagnostics_.report(diag::NestedTooDeeply, call.span, maxNesting);
    return false;
  }
  return true;
}

// A label is written without spaces.
bool Parser::atLabel() const {
  if (!labels_)
    return false;
  if (at(Tok::String))
    return kind(1) == Tok::Colon;
  if (!at(Tok::Name) && !at(Tok::Int))
    return false;
  size_t ahead = 1;
  while (kind(ahead) == Tok::Dot && adjoins(ahead) && adjoins(ahead + 1) &&
         (kind(ahead + 1) == Tok::Name || kind(ahead + 1) == Tok::Int || isKeyword(kind(ahead + 1))))
    ahead += 2;
  if (kind(ahead) != Tok::Colon)
    return false;
  // In `if width == 8:` the colon is another language's way to begin a body.
  return !condition_ ||
         (kind(ahead + 1) == Tok::Name && kind(ahead + 2) == Tok::LParen && !startsLine(ahead + 1));
}

std::unique_ptr<Label> Parser::label() {
  auto out = std::make_unique<Label>();
  Token first = token();
  if (at(Tok::String)) {
    out->text = string();
  } else {
    Span last = first.span;
    while (!at(Tok::Colon))
      last = take().span;
    Span span = cover(first.span, last);
    out->text = std::make_unique<StringExpr>(span);
    std::string path(sources_.slice(span));
    out->inlined = path == "inline";
    out->text->parts.push_back({std::move(path), nullptr});
  }
  if (!out->text)
    return nullptr;
  out->span = out->text->span;
  take();
  return out;
}

std::unique_ptr<StringExpr> Parser::string() {
  Token literal = take();
  Span whole = literal.span;
  auto out = std::make_unique<StringExpr>(whole);
  uint32_t end = whole.end - 1;
  std::string_view file = sources_[file_].text();
  std::string part;
  auto flush = [&] {
    if (!part.empty())
      out->parts.push_back({std::move(part), nullptr});
    part.clear();
  };
  for (uint32_t i = whole.begin + 1; i < end; ++i) {
    char c = file[i];
    char following = i + 1 < end ? file[i + 1] : '\0';
    Span here{file_, i, i + 1};
    if (c == '\\') {
      if (following == '"' || following == '\\')
        part += following;
      else
        diagnostics_
            .report(diag::BadEscape, {file_, i, std::min(i + 2, end)}, file.substr(i, i + 1 < end ? 2 : 1))
            .help("escapes are `\\\"` and `\\\\`");
      ++i;
    } else if ((c == '{' || c == '}') && following == c) {
      part += c;
      ++i;
    } else if (c == '}') {
      diagnostics_.report(diag::BadInterpolation, here, "}")
          .help("a brace in a string is written twice: `}}`");
      return nullptr;
    } else if (c == '{') {
      size_t close = file.substr(0, end).find('}', i);
      if (close == std::string_view::npos) {
        diagnostics_.report(diag::BadInterpolation, here, "{")
            .help("a brace in a string is written twice: `{{`");
        return nullptr;
      }
      flush();
      if (!interpolation(*out, {file_, i + 1, static_cast<uint32_t>(close)}))
        return nullptr;
      i = static_cast<uint32_t>(close);
    } else {
      part += c;
    }
  }
  flush();
  if (out->height > maxNesting) {
    diagnostics_.report(diag::NestedTooDeeply, whole, maxNesting);
    return nullptr;
  }
  return out;
}

bool Parser::interpolation(StringExpr &out, Span range) {
  std::vector<Token> inner = lexRange(sources_, range, diagnostics_).tokens;
  std::swap(tokens_, inner);
  size_t saved = position_;
  position_ = 0;
  Restore inside(interpolating_, true);
  Restore allowed(labels_, false);
  ExprPtr value = parseSingleExpression();
  std::swap(tokens_, inner);
  position_ = saved;
  if (!value)
    return false;
  out.height = std::max(out.height, value->height + 1);
  out.parts.push_back({"", std::move(value)});
  return true;
}

} // namespace vernier::dsl
