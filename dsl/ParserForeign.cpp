// Statements and expressions as other languages write them.
#include "dsl/ParserImpl.h"

namespace vernier::dsl {

bool Parser::startsLine(size_t ahead) const {
  const size_t index = std::min(position_ + ahead, tokens_.size() - 1);
  if (index == 0)
    return true;
  const uint32_t from = tokens_[index - 1].span.end, to = tokens_[index].span.begin;
  return from < to && sourceOf({file_, from, to}).find('\n') != std::string_view::npos;
}

// Columns before the first character of the span's line.
int Parser::indentOf(Span span) const {
  const Source &source = sources_[file_];
  const std::string_view line = source.lineText(source.lineOf(span.begin));
  const size_t first = line.find_first_not_of(" \t");
  return static_cast<int>(first == std::string_view::npos ? line.size() : first);
}

DiagnosticBuilder Parser::foreign(std::string_view what, Span span) {
  return diagnostics_.report(diag::ForeignSyntax, span, what);
}

// ---- items

// `def`, `class` and the like at the top of a file.
bool Parser::foreignItem() {
  const Token first = token();
  if (at(Tok::KwFrom)) {
    foreign("`from ... import`", first.span)
        .help("a file's blocks and networks are made visible by `import folder.file`; operations need none");
    return true;
  }
  const ForeignName *word = at(Tok::Name) ? findForeign(Foreign::Statement, sourceOf(first.span)) : nullptr;
  if (!word || kind(1) != Tok::Name || startsLine(1))
    return false;
  auto report = foreign("`" + std::string(word->name) + "`", first.span);
  report.help(helpOf(*word));
  if (word->ours.empty())
    return true;
  report.rewrite(first.span, std::string(word->ours));
  // `):` and `) -> Tensor:` at the end of the line become ` {`.
  for (size_t i = 2; kind(i) != Tok::End && kind(i) != Tok::Newline && !startsLine(i); ++i)
    if (kind(i) == Tok::RParen && (kind(i + 1) == Tok::Colon || kind(i + 1) == Tok::Minus)) {
      size_t end = i + 1;
      while (kind(end) != Tok::Colon && kind(end) != Tok::End && !startsLine(end + 1))
        ++end;
      if (kind(end) == Tok::Colon)
        report.rewrite({file_, token(i).span.end, token(end).span.end}, " {");
      break;
    }
  return true;
}

// ---- statements

namespace {

// Whether what follows `return` is on its own a value.
bool beginsValue(Tok kind) {
  return kind == Tok::Name || kind == Tok::Int || kind == Tok::Float || kind == Tok::String ||
         kind == Tok::LBracket || kind == Tok::LParen || kind == Tok::Minus || kind == Tok::KwNot ||
         kind == Tok::KwIf || kind == Tok::KwFor || kind == Tok::KwTrue || kind == Tok::KwFalse;
}

bool isArithmetic(Tok kind) { return kind >= Tok::Plus && kind <= Tok::Percent; }

BinaryOp arithmetic(Tok kind) {
  switch (kind) {
  case Tok::Plus:
    return BinaryOp::Add;
  case Tok::Minus:
    return BinaryOp::Subtract;
  case Tok::Star:
    return BinaryOp::Multiply;
  case Tok::Slash:
    return BinaryOp::Divide;
  default:
    return BinaryOp::Modulo;
  }
}

// Operators bind tighter than these.
bool bindsLoosely(const Expr &expr) {
  return expr.kind == Expr::Kind::Pipeline || expr.kind == Expr::Kind::If ||
         expr.kind == Expr::Kind::Comprehension || expr.kind == Expr::Kind::Binary;
}

} // namespace

// False where the statement is none of another language; `out` is null where nothing can be made of it.
bool Parser::foreignStatement(StmtPtr &out, bool network) {
  if (!at(Tok::Name))
    return false;
  if (isArithmetic(kind(1)) && kind(2) == Tok::Assign && token(1).span.end == token(2).span.begin) {
    out = compoundAssignment();
    return true;
  }
  const Token first = token();
  const ForeignName *word = findForeign(Foreign::Statement, sourceOf(first.span));
  if (!word)
    return false;
  const bool ends = kind(1) == Tok::Newline || kind(1) == Tok::RBrace;
  const bool alone = ends && (word->name == "pass" || word->name == "break" || word->name == "continue");
  // `return(x)` is a call, `return (x)` is not; a name such as `val` may be bound.
  const bool follows = beginsValue(kind(1)) && !startsLine(1) && !(kind(1) == Tok::LParen && adjoins(1));
  if (!alone && !follows)
    return false;
  auto report = foreign("`" + std::string(word->name) + "`", first.span);
  report.help(helpOf(*word));
  if (word->ours == "require") {
    report.rewrite(first.span, std::string(word->ours));
    recovered_ += bool(report);
    out = parseRequire();
    return true;
  }
  if (!word->omit)
    return true;
  report.rewrite({file_, first.span.begin, token(1).span.begin}, "");
  recovered_ += bool(report);
  take();
  out = parseStatement(network);
  return true;
}

// `x += y`.
StmtPtr Parser::compoundAssignment() {
  const Identifier name = identifier(take());
  const Token op = take(), assign = take();
  const Span written = cover(op.span, assign.span);
  const std::string sign(sourceOf(op.span));
  auto report = foreign("`" + sign + "=`", written);
  report.help("values never change, but a name may be bound again");
  auto out = std::make_unique<AssignStmt>(name.span);
  out->target.name = name;
  out->target.span = name.span;
  auto both = std::make_unique<BinaryExpr>(name.span);
  both->op = arithmetic(op.kind);
  both->opSpan = op.span;
  both->left = std::make_unique<NameExpr>(name);
  if (!(both->right = expression()))
    return nullptr;
  const bool brackets = bindsLoosely(*both->right);
  report.rewrite(written, "= " + name.text + " " + sign + (brackets ? " (" : ""));
  if (brackets) {
    report.rewrite({file_, written.end, both->right->span.begin}, "");
    report.rewrite({file_, both->right->span.end, both->right->span.end}, ")");
  }
  recovered_ += bool(report);
  both->span = cover(name.span, both->right->span);
  out->span = both->span;
  const Expr *right = both->right.get();
  if (!(out->value = finish(std::move(both), {right})))
    return nullptr;
  return out;
}

// Whether the colon after `for x in list`, so many tokens ahead, begins statements: a comprehension's element
// cannot be bound.
bool Parser::atIndentedLoop(size_t colon) const {
  const size_t first = colon + 1;
  if (kind(first) == Tok::KwFor || kind(first) == Tok::KwIf) {
    int open = 0;
    for (size_t i = first + 1; kind(i) != Tok::End && kind(i) != Tok::Newline; ++i) {
      open += kind(i) == Tok::LParen || kind(i) == Tok::LBracket;
      open -= kind(i) == Tok::RParen || kind(i) == Tok::RBracket;
      if (open == 0 && kind(i) == Tok::Colon)
        return kind(first) == Tok::KwIf || atIndentedLoop(i);
      if (open < 0 || (open == 0 && (kind(i) == Tok::KwThen || kind(i) == Tok::LBrace)))
        return false;
    }
    return false;
  }
  if (kind(first) != Tok::Name)
    return false;
  if (isArithmetic(kind(first + 1)) && kind(first + 2) == Tok::Assign)
    return true;
  if (findForeign(Foreign::Statement, sourceOf(token(first).span)) && !startsLine(first + 1) &&
      beginsValue(kind(first + 1)) && kind(first + 1) != Tok::LParen)
    return true;
  size_t last = first; // `a, b = ...`
  while (kind(last) == Tok::Name && kind(last + 1) == Tok::Comma)
    last += 2;
  return kind(last) == Tok::Name && kind(last + 1) == Tok::Assign;
}

// From the colon: the statements that are indented further than `header`, or the one on its line.
bool Parser::indentedBody(Body &out, Span header, bool network, std::vector<Edit> &edits) {
  const Token colon = take();
  const int indent = indentOf(header);
  const std::string margin(static_cast<size_t>(indent), ' ');
  const bool sameLine = !startsLine() && !at(Tok::Newline);
  edits.push_back({colon.span, " {"});
  if (sameLine)
    edits.push_back({{file_, colon.span.end, token().span.begin}, "\n" + margin + "  "});
  ++depth_;
  uint32_t end = colon.span.end;
  bool fine = true;
  for (skipNewlines(); !at(Tok::End) && !at(Tok::RBrace) && !beginsItem(kind()); skipNewlines()) {
    if (!sameLine && indentOf(token().span) <= indent)
      break;
    StmtPtr statement = tooDeep(token().span) ? nullptr : parseStatement(network);
    // No newline token stands before an `else`.
    const bool ends =
        at(Tok::Newline) || at(Tok::RBrace) || at(Tok::End) || (at(Tok::KwElse) && startsLine());
    if (statement && ends && statement->kind != Stmt::Kind::Result) {
      end = tokens_[position_ - 1].span.end;
      out.statements.push_back(std::move(statement));
    } else {
      if (statement && statement->kind == Stmt::Kind::Result)
        diagnostics_.report(diag::MisplacedResult, statement->span, network ? "network" : "block")
            .label("within a loop or an `if`")
            .help("bind it to a name, which is visible after the loop or `if` too");
      else if (statement)
        expected("the end of the line");
      fine = false;
      skipStatement();
    }
    if (sameLine)
      break;
  }
  --depth_;
  out.end = {file_, end, end};
  edits.push_back({out.end, "\n" + margin + "}"});
  return fine;
}

bool Parser::atElif(size_t ahead) const {
  return kind(ahead) == Tok::Name && sourceOf(token(ahead).span) == "elif";
}

// Whether the line's condition, from so many tokens ahead on, ends with a colon.
bool Parser::colonOnLine(size_t ahead) const {
  for (; kind(ahead) != Tok::End && kind(ahead) != Tok::Newline; ++ahead) {
    if (kind(ahead) == Tok::Colon)
      return true;
    if (kind(ahead) == Tok::LBrace || kind(ahead) == Tok::KwThen || startsLine(ahead + 1))
      return false;
  }
  return false;
}

// `if condition:` and its `elif condition:` and `else:`, from the first colon.
StmtPtr Parser::indentedIf(std::unique_ptr<IfStmt> branch, bool network) {
  const Span header = branch->span;
  // Looked at before it is reported: a body that is an expression means `if c then a else b`.
  auto report = foreign("`if ...:`", token().span);
  report.help("a body stands in braces");
  std::vector<Edit> edits;
  bool fine = indentedBody(branch->then, header, network, edits);
  IfStmt *last = branch.get();
  const int depth = depth_;
  bool elif = false;
  for (bool more = true; more;) {
    skipNewlines();
    more = false;
    if (!at(Tok::KwElse) && !atElif())
      break;
    const bool conditional = atElif() || kind(1) == Tok::KwIf;
    if (!fine || indentOf(token().span) != indentOf(header) ||
        !(conditional ? colonOnLine(1) : kind(1) == Tok::Colon)) {
      fine = false; // shown once more there
      break;
    }
    // The closing brace goes before the word on its line.
    edits.pop_back();
    elif |= atElif();
    const Token word = take();
    edits.push_back(word.kind == Tok::KwElse ? Edit{{file_, word.span.begin, word.span.begin}, "} "}
                                             : Edit{word.span, "} else if"});
    if (!conditional) {
      fine = indentedBody(last->otherwise, word.span, network, edits);
      break;
    }
    accept(Tok::KwIf);
    if (tooDeep(word.span)) { // each is within the one before
      fine = false;
      skipStatement();
      break;
    }
    ++depth_;
    auto nested = std::make_unique<IfStmt>(word.span);
    {
      Restore inCondition(condition_, true);
      nested->condition = expression();
    }
    if (!nested->condition || !at(Tok::Colon)) {
      fine = false;
      skipStatement();
      break;
    }
    IfStmt *inner = nested.get();
    last->otherwise.statements.push_back(std::move(nested));
    last = inner;
    more = fine = indentedBody(inner->then, word.span, network, edits);
  }
  depth_ = depth;
  if (elif)
    report.help("a further condition begins with `else if`");
  if (fine)
    for (Edit &edit : edits)
      report.rewrite(edit.span, std::move(edit.text));
  recovered_ += fine && report;
  skipped_ |= !fine;
  branch->span = {header.file, header.begin, tokens_[position_ > 0 ? position_ - 1 : 0].span.end};
  // The statement's newline was taken with its body.
  if (position_ > 0 && tokens_[position_ - 1].kind == Tok::Newline)
    --position_;
  return branch;
}

// `} elif condition {`: as `else if`.
bool Parser::elifAfterBrace() {
  size_t ahead = 0;
  while (kind(ahead) == Tok::Newline)
    ++ahead;
  if (!atElif(ahead))
    return false;
  const Span word = token(ahead).span;
  auto report = foreign("`elif`", word);
  report.help("a further condition begins with `else if`");
  report.rewrite(word, "else if");
  recovered_ += bool(report);
  skipNewlines();
  return true;
}

// `for x in list:` with statements below, from the colon.
StmtPtr Parser::indentedFor(std::unique_ptr<ForStmt> loop, bool network) {
  const Span header = loop->span;
  auto report = foreign("`for ...:` with statements", token().span);
  report.help("a body stands in braces");
  std::vector<Edit> edits;
  const bool fine = indentedBody(loop->body, header, network, edits);
  if (fine)
    for (Edit &edit : edits)
      report.rewrite(edit.span, std::move(edit.text));
  recovered_ += fine && report;
  skipped_ |= !fine;
  loop->span = {header.file, header.begin, tokens_[position_ > 0 ? position_ - 1 : 0].span.end};
  if (position_ > 0 && tokens_[position_ - 1].kind == Tok::Newline)
    --position_;
  return loop;
}

// ---- expressions

// `a if condition else b`, from the `if`.
ExprPtr Parser::conditional(ExprPtr then) {
  const Span word = take().span;
  ExprPtr condition = chain();
  if (!condition)
    return nullptr;
  auto report = foreign("`a if condition else b`", word);
  report.help("a conditional begins with its condition: `if condition then a else b`");
  if (!accept(Tok::KwElse))
    return nullptr;
  auto branch = std::make_unique<IfExpr>(then->span);
  if (!(branch->otherwise = expression()))
    return nullptr;
  branch->span = cover(then->span, branch->otherwise->span);
  report.rewrite(branch->span, "if " + std::string(sourceOf(condition->span)) + " then " +
                                   std::string(sourceOf(then->span)) + " else " +
                                   std::string(sourceOf(branch->otherwise->span)));
  recovered_ += bool(report);
  branch->condition = std::move(condition);
  branch->then = std::move(then);
  std::initializer_list<const Expr *> children = {branch->condition.get(), branch->then.get(),
                                                  branch->otherwise.get()};
  return finish(std::move(branch), children);
}

// `f(x) for x in list`, from the `for`; `bracket` is the `[` before it.
ExprPtr Parser::generator(ExprPtr element, std::optional<Span> bracket) {
  const Span word = take().span;
  auto loop = std::make_unique<ComprehensionExpr>(element->span);
  if (!parsePattern(loop->pattern, true) || !expect(Tok::KwIn) || !(loop->list = chainWithoutLabels()))
    return nullptr;
  if (accept(Tok::KwIf) && !(loop->filter = chainWithoutLabels()))
    return nullptr;
  auto report = foreign(bracket ? "`[f(x) for x in list]`" : "`f(x) for x in list`", word);
  report.help("a comprehension begins with its loop, and is a list: `for x in list: f(x)`");
  const Expr &last = loop->filter ? *loop->filter : *loop->list;
  loop->span = cover(element->span, last.span);
  if (bracket && at(Tok::RBracket))
    loop->span = cover(*bracket, take().span);
  std::string text =
      "for " + std::string(sourceOf(loop->pattern.span)) + " in " + std::string(sourceOf(loop->list->span));
  if (loop->filter)
    text += " if " + std::string(sourceOf(loop->filter->span));
  report.rewrite(loop->span, text + ": " + std::string(sourceOf(element->span)));
  recovered_ += bool(report);
  loop->element = std::move(element);
  std::initializer_list<const Expr *> children = {loop->list.get(), loop->filter.get(), loop->element.get()};
  return finish(std::move(loop), children);
}

// `(a, b)`, from the comma: it means a list.
ExprPtr Parser::tuple(const Token &open, ExprPtr first) {
  auto report = expected("`)`");
  report.note("to match this `(`", open.span).help("a list is written `[a, b]`");
  auto elements = std::make_unique<ListExpr>(open.span);
  const Expr *highest = first.get();
  elements->elements.push_back(std::move(first));
  while (accept(Tok::Comma) && !at(Tok::RParen)) {
    ExprPtr element = expression();
    if (!element)
      return nullptr;
    if (element->height > highest->height)
      highest = element.get();
    elements->elements.push_back(std::move(element));
  }
  const Token close = token();
  if (!accept(Tok::RParen))
    return nullptr; // one mistake
  report.rewrite(open.span, "[").rewrite(close.span, "]");
  recovered_ += bool(report);
  elements->span = cover(open.span, close.span);
  return finish(std::move(elements), {highest});
}

// `Conv2d(3, 8, 3)(x)`, from the second `(`.
ExprPtr Parser::calledResult(ExprPtr callee) {
  const Token open = token();
  auto report = foreign("calling what a call gives", open.span);
  report.help("an operation is called with its map: `x |> conv(channels, 3)`");
  auto &call = static_cast<CallExpr &>(*callee);
  CallExpr outer(open.span);
  if (!arguments(outer))
    return nullptr;
  if (outer.arguments.size() > 1)
    report.help("a loss is called with both of its maps: `squared_error(x, y)`");
  if (outer.arguments.size() != 1 || !outer.arguments[0].name.text.empty())
    return nullptr;
  ExprPtr map = std::move(outer.arguments[0].value);
  const std::string text = std::string(sourceOf(map->span)) + " |> " +
                           std::string(sourceOf({file_, callee->span.begin, open.span.begin}));
  const bool whole = at(Tok::Newline) || at(Tok::End) || at(Tok::Pipe);
  report.rewrite({file_, callee->span.begin, tokens_[position_ - 1].span.end},
                 whole ? text : "(" + text + ")");
  recovered_ += bool(report);
  call.piped = true;
  auto pipeline = std::make_unique<PipelineExpr>(callee->span);
  pipeline->span.end = tokens_[position_ - 1].span.end;
  pipeline->head = std::move(map);
  const Expr *head = pipeline->head.get();
  pipeline->stages.emplace_back(static_cast<CallExpr *>(callee.release()));
  const Expr *stage = pipeline->stages.back().get();
  return finish(std::move(pipeline), {head, stage});
}

// `nn.Conv2d(`, `x.relu(`: the checker knows what the name is called here.
bool Parser::dottedCallee(CallExpr &call) {
  if (!at(Tok::Name) || kind(1) != Tok::Dot)
    return false;
  size_t last = 0;
  while (kind(last + 1) == Tok::Dot && kind(last + 2) == Tok::Name)
    last += 2;
  if (last == 0 || kind(last + 1) != Tok::LParen || startsLine(last + 1))
    return false;
  const Span begin = token().span;
  call.owner = {std::string(sourceOf(cover(begin, token(last - 2).span))),
                cover(begin, token(last - 2).span)};
  for (size_t i = 0; i < last; ++i)
    take();
  call.callee = identifier(take());
  call.span = cover(begin, call.callee.span);
  return true;
}

} // namespace vernier::dsl
