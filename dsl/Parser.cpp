#include "dsl/ParserImpl.h"

#include <algorithm>

namespace vernier::dsl {

File parse(const SourceSet &sources, int file, Diagnostics &diagnostics) {
  return Parser(sources, file, diagnostics).parseFile();
}

ExprPtr parseExpression(const SourceSet &sources, int file, Diagnostics &diagnostics) {
  return Parser(sources, file, diagnostics).parseSingleExpression();
}

// ---- tokens

const Token &Parser::token(size_t ahead) const {
  return tokens_[std::min(position_ + ahead, tokens_.size() - 1)];
}

Token Parser::take() {
  Token taken = token();
  if (position_ + 1 < tokens_.size())
    ++position_;
  return taken;
}

bool Parser::accept(Tok k) {
  if (!at(k))
    return false;
  take();
  return true;
}

bool Parser::expect(Tok k) {
  if (accept(k))
    return true;
  expected(describe(k));
  return false;
}

bool Parser::expectClosing(Tok k, const Token &open) {
  if (accept(k))
    return true;
  if (at(Tok::Newline) || at(Tok::End) || at(Tok::RBrace) || at(Tok::LBrace)) {
    diagnostics_.report(diag::UnclosedBracket, open.span, sources_.slice(open.span))
        .note("expected " + describe(k) + " before " + found(), token().span);
  } else {
    auto report = expected(k == Tok::RParen || k == Tok::RBracket ? "`,` or " + describe(k) : describe(k));
    report.note("to match this " + describe(open.kind), open.span);
    if (at(Tok::Colon))
      report.help("named arguments are written with `=`");
  }
  return false;
}

Identifier Parser::identifier(const Token &t) const { return {std::string(sources_.slice(t.span)), t.span}; }

bool Parser::expectName(Identifier &name, const char *what) {
  if (at(Tok::Name)) {
    name = identifier(take());
    return true;
  }
  auto report = expected(what);
  if (isKeyword(kind()))
    report.help(found() + " is a word of the language and cannot be a name");
  return false;
}

std::string Parser::found() const {
  if (at(Tok::End) && interpolating_)
    return "`}`";
  if (at(Tok::Name) || at(Tok::Int) || at(Tok::Float)) {
    std::string_view text = sources_.slice(token().span);
    return "`" + std::string(text.substr(0, 40)) + (text.size() > 40 ? "..." : "") + "`";
  }
  return describe(kind());
}

DiagnosticBuilder Parser::expected(std::string_view what) {
  if (at(Tok::Invalid)) // reported by the lexer
    return DiagnosticBuilder(nullptr);
  return diagnostics_.report(diag::ExpectedToken, token().span, what, found());
}

void Parser::skipNewlines() {
  while (accept(Tok::Newline)) {
  }
}

// To the end of the statement, or to the `}` of the body it is in. Whole bodies in between are skipped.
void Parser::skipStatement() {
  skipped_ = true;
  for (int braces = 0; !at(Tok::End); take()) {
    if (at(Tok::LBrace)) {
      ++braces;
    } else if (at(Tok::RBrace)) {
      if (braces == 0)
        return;
      --braces;
    } else if (at(Tok::Newline) && braces == 0) {
      return;
    } else if (beginsItem(kind())) {
      return;
    }
  }
}

void Parser::skipToItem() {
  while (!at(Tok::End) && !beginsItem(kind()))
    take();
}

bool Parser::tooDeep(Span span) {
  if (depth_ < maxNesting)
    return false;
  diagnostics_.report(diag::NestedTooDeeply, span, maxNesting);
  return true;
}

// ---- items

File Parser::parseFile() {
  File file;
  file.source = file_;
  for (skipNewlines(); !at(Tok::End); skipNewlines()) {
    const size_t before = position_, reported = diagnostics_.size();
    const bool declares = at(Tok::KwBlock) || at(Tok::KwNetwork);
    if (at(Tok::KwImport))
      parseImport(file);
    else if (declares)
      parseDeclaration(file);
    else if (at(Tok::KwModel))
      parseModel(file);
    else {
      if (foreignItem()) { // with what is indented below it
        do
          take();
        while (!at(Tok::End) && !(startsLine() && indentOf(token().span) == 0));
      } else {
        expected("`import`, `block`, `network` or `model`");
        skipToItem();
      }
      continue;
    }
    if (!at(Tok::Newline) && !at(Tok::End)) {
      // A brace that is left over after a mistake is that mistake's.
      const bool explained = at(Tok::RBrace) && diagnostics_.size() > reported;
      if (position_ > before && !beginsItem(kind()) && !explained) {
        auto report = expected("the end of the line");
        if (at(Tok::Name) && sourceOf(token().span) == "as")
          report.help("what is imported keeps its name");
        if (at(Tok::RBrace))
          report.help("no `{` is open here: there is one `}` too many");
      }
      if (declares)
        skipToItem();
      else
        while (!at(Tok::End) && !startsLine() && !beginsItem(kind()))
          take();
    }
  }
  return file;
}

void Parser::parseImport(File &out) {
  ImportDecl import;
  Span begin = take().span;
  do {
    Identifier part;
    if (!expectName(part, "the name of a file, such as `blocks.conv_bn`")) {
      skipStatement();
      return;
    }
    import.path.push_back(std::move(part));
  } while (accept(Tok::Dot));
  import.span = cover(begin, import.path.back().span);
  out.imports.push_back(std::move(import));
}

void Parser::parseDeclaration(File &out) {
  auto declaration = std::make_unique<Declaration>();
  Token keyword = take();
  declaration->network = keyword.kind == Tok::KwNetwork;
  bool named = expectName(declaration->name);
  declaration->span = cover(keyword.span, named ? declaration->name.span : keyword.span);
  if (!named || !parseParameters(declaration->parameters)) {
    declaration->brokenHeader = true;
    while (!at(Tok::LBrace) && !at(Tok::Newline) && !at(Tok::End))
      take();
  }
  size_t errors = diagnostics_.size() + diagnostics_.dropped();
  recovered_ = 0;
  skipped_ = false;
  if (at(Tok::LBrace) || !declaration->brokenHeader)
    parseBody(declaration->body, declaration->network ? Context::Network : Context::Block,
              declaration->network);
  declaration->brokenBody = skipped_ || errors + recovered_ != diagnostics_.size() + diagnostics_.dropped();
  if (named)
    out.declarations.push_back(std::move(declaration));
}

void Parser::parseModel(File &out) {
  ModelDecl model;
  take();
  auto call = std::make_unique<CallExpr>(token().span);
  if (!expectName(model.name) || !expect(Tok::Assign)) {
    skipStatement();
    return;
  }
  call->span = token().span;
  if (!expectName(call->callee, "the name of a network") || !arguments(*call)) {
    skipStatement();
    return;
  }
  model.network = std::move(call);
  out.models.push_back(std::move(model));
}

bool Parser::parseParameters(std::vector<Parameter> &out) {
  Token open = token();
  if (!expect(Tok::LParen))
    return false;
  while (!at(Tok::RParen)) {
    Parameter parameter;
    if (!expectName(parameter.name, "the name of a parameter"))
      return false;
    if (accept(Tok::Colon) && !parseType(parameter.type))
      return false;
    if (accept(Tok::Assign) && !(parameter.defaultValue = expression()))
      return false;
    out.push_back(std::move(parameter));
    if (!accept(Tok::Comma))
      break;
  }
  return expectClosing(Tok::RParen, open);
}

namespace {

bool isTypeName(std::string_view name) {
  return name == "int" || name == "float" || name == "bool" || name == "string" || name == "tensor" ||
         name == "labels";
}

} // namespace

bool Parser::parseType(TypeExpr &out, int depth) {
  if (!parsePresentType(out, depth))
    return false;
  if (at(Tok::Bar) && sourceOf(token(1).span) == "none") {
    take();
    out.span = cover(out.span, take().span);
    out.type.optional = true;
  }
  return true;
}

bool Parser::parsePresentType(TypeExpr &out, int depth) {
  Token first = token();
  if (at(Tok::LBracket)) {
    if (depth == 3) {
      diagnostics_.report(diag::NestedTooDeeply, first.span, 3);
      return false;
    }
    take();
    TypeExpr element;
    if (!parseType(element, depth + 1) || !expectClosing(Tok::RBracket, first))
      return false;
    out.type = Type::list(element.type);
    out.span = {first.span.file, first.span.begin, tokens_[position_ - 1].span.end};
    return true;
  }
  if (at(Tok::String))
    return parseWords(out);
  if (at(Tok::KwBlock))
    return parseBlockType(out, depth);
  std::string_view name = at(Tok::Name) || at(Tok::KwLoss) ? sources_.slice(first.span) : "";
  if (name == "int")
    out.type = Type::integer();
  else if (name == "float")
    out.type = Type::floating();
  else if (name == "bool")
    out.type = Type::boolean();
  else if (name == "string")
    out.type = Type::string();
  else if (name == "tensor")
    out.type = Type::tensor();
  else if (name == "labels")
    out.type = Type::labels();
  else if (name == "loss")
    out.type = Type::loss();
  else {
    auto report = expected("a type");
    if (const ForeignName *type = findForeign(Foreign::Type, name);
        type && !type->ours.empty() && kind(1) != Tok::LBracket)
      report.help(helpOf(*type)).rewrite(first.span, std::string(type->ours));
    else
      report.help(std::string(typesHelp));
    return false;
  }
  out.span = take().span;
  return true;
}

// `"max" | "average"`.
bool Parser::parseWords(TypeExpr &out) {
  constexpr size_t most = 32;
  const Span first = token().span;
  std::vector<std::string> words;
  do {
    const Span at = token().span;
    if (kind() != Tok::String) {
      expected(describe(Tok::String));
      return false;
    }
    std::unique_ptr<StringExpr> word = string();
    if (!word)
      return false;
    const std::optional<std::string> text = literal(*word);
    if (!text) {
      diagnostics_.report(diag::BadType, at, "a string of a type has no `{...}`");
      return false;
    }
    words.push_back(*text);
    if (std::find(words.begin(), words.end() - 1, words.back()) != words.end() - 1) {
      diagnostics_.report(diag::BadType, at, "`" + words.back() + "` is in this type twice");
      return false;
    }
    if (words.size() > most) {
      diagnostics_.report(diag::BadType, at, "a type has at most " + std::to_string(most) + " strings");
      return false;
    }
    out.span = cover(first, at);
  } while (kind(1) == Tok::String && accept(Tok::Bar));
  if (words.size() == 1 && !at(Tok::Bar)) {
    expected("`|`").help(
        "a parameter that is one of these strings: `kind: \"max\" | \"average\"`; any: `kind: string`");
    return false;
  }
  out.type = Type::word(std::move(words));
  return true;
}

// `block(x, int, groups: int)`: a name alone is a tensor's.
bool Parser::parseBlockType(TypeExpr &out, int depth) {
  const Span first = take().span;
  if (depth == 3) {
    diagnostics_.report(diag::NestedTooDeeply, first, 3);
    return false;
  }
  const Token open = token();
  if (!expect(Tok::LParen))
    return false;
  std::vector<Type> types;
  std::vector<std::string> names;
  while (!at(Tok::RParen)) {
    TypeExpr type;
    std::string name;
    if (at(Tok::Name) && kind(1) == Tok::Colon) {
      name = sourceOf(take().span);
      take();
      if (!parseType(type, depth + 1))
        return false;
    } else if (at(Tok::Name) && !isTypeName(sourceOf(token().span))) {
      name = sourceOf(take().span);
    } else if (!parseType(type, depth + 1)) {
      return false;
    }
    types.push_back(type.type);
    names.push_back(name);
    if (!accept(Tok::Comma))
      break;
  }
  if (!expectClosing(Tok::RParen, open))
    return false;
  out.span = {first.file, first.begin, tokens_[position_ - 1].span.end};
  const size_t count = types.size();
  out.type = Type::block(std::move(types), std::move(names), count);
  return true;
}

// ---- statements

bool Parser::parseBody(Body &out, Context context, bool network) {
  Token open = token();
  if (!expect(Tok::LBrace)) {
    skipStatement();
    return false;
  }
  ++depth_;
  const Stmt *result = nullptr;
  for (skipNewlines(); !at(Tok::RBrace) && !at(Tok::End) && !beginsItem(kind()); skipNewlines()) {
    size_t before = position_;
    StmtPtr statement = tooDeep(token().span) ? nullptr : parseStatement(network);
    if (!statement) {
      skipStatement();
      if (position_ == before && !at(Tok::RBrace) && !beginsItem(kind()))
        take();
      continue;
    }
    if (!at(Tok::Newline) && !at(Tok::RBrace) && !at(Tok::End)) {
      auto report = expected("the end of the line");
      if (statement->kind == Stmt::Kind::Result && at(Tok::Colon))
        report.help("a body stands in braces: `{ ... }`");
      if (at(Tok::Assign))
        report.help("only names can be bound: `name = expression`");
      skipStatement();
    }
    if (result)
      diagnostics_.report(diag::MisplacedResult, result->span, network ? "network" : "block")
          .help("bind it to a name, or make it the last line");
    result = statement->kind == Stmt::Kind::Result ? statement.get() : nullptr;
    if (result && context == Context::Inner) {
      diagnostics_.report(diag::MisplacedResult, result->span, network ? "network" : "block")
          .label("within a loop or an `if`")
          .help("bind it to a name, which is visible after the loop or `if` too");
      result = nullptr;
    }
    out.statements.push_back(std::move(statement));
  }
  --depth_;
  out.end = token().span;
  return expectClosing(Tok::RBrace, open);
}

StmtPtr Parser::parseStatement(bool network) {
  if (atLabel()) {
    size_t colon = 0;
    while (kind(colon) != Tok::Colon)
      ++colon;
    if (kind(colon + 1) == Tok::KwLearned || kind(colon + 1) == Tok::KwChoose) {
      std::unique_ptr<Label> place = label();
      if (!place)
        return nullptr;
      return at(Tok::KwLearned) ? parseLearned(std::move(place)) : parseChoose(std::move(place));
    }
  }
  Token first = token();
  switch (first.kind) {
  case Tok::KwFor:
    return parseFor(network);
  case Tok::KwIf:
    return parseIf(network);
  case Tok::KwLearned:
    return parseLearned();
  case Tok::KwChoose:
    return parseChoose();
  case Tok::KwRequire:
    return parseRequire();
  case Tok::KwInput: {
    take();
    auto input = std::make_unique<InputStmt>(first.span);
    if (!expectName(input->name) || !expect(Tok::Colon) || !(input->size = expression()))
      return nullptr;
    input->span = cover(first.span, input->size->span);
    if (!network || depth_ > 1)
      diagnostics_
          .report(diag::MisplacedStatement, first.span, "input", network ? "a loop or an `if`" : "a block")
          .help(network ? "a network has one input" : "a block gets its tensors as parameters");
    return input;
  }
  case Tok::KwOutput: {
    take();
    auto output = std::make_unique<OutputStmt>(first.span);
    const bool named = at(Tok::String) ? (output->text = string()) != nullptr : expectName(output->name);
    if (!named || !expect(Tok::Assign) || !(output->value = expression()))
      return nullptr;
    output->span = cover(first.span, output->value->span);
    if (!network)
      diagnostics_.report(diag::MisplacedStatement, first.span, "output", "a block")
          .help("the last line of a block is its result; it may be a list");
    return output;
  }
  case Tok::KwTarget:
    return parseTarget(network);
  case Tok::KwLoss:
    return parseLoss(network);
  case Tok::KwElse:
    expected("a statement").help("`else` follows the `}` of an `if`");
    return nullptr;
  default:
    break;
  }
  if (at(Tok::Name) && kind(1) == Tok::Name && kind(2) == Tok::Assign)
    if (const std::string_view word = sourceOf(first.span); word == "shared" || word == "frozen")
      return parseShared(word == "frozen");
  if (StmtPtr other; foreignStatement(other, network))
    return other;
  if (at(Tok::Name) && (kind(1) == Tok::Assign || kind(1) == Tok::Comma))
    return parseAssign();
  auto result = std::make_unique<ResultStmt>(first.span);
  if (!(result->value = expression()))
    return nullptr;
  result->span = result->value->span;
  return result;
}

StmtPtr Parser::parseShared(bool frozen) {
  const Span begin = take().span;
  auto statement = parseAssign();
  if (!statement)
    return nullptr;
  auto &assign = static_cast<AssignStmt &>(*statement);
  assign.shared = true;
  assign.frozen = frozen;
  assign.span = cover(begin, assign.span);
  return statement;
}

StmtPtr Parser::parseRequire() {
  auto require = std::make_unique<RequireStmt>(take().span);
  if (!(require->condition = expression()))
    return nullptr;
  if (!at(Tok::Comma)) {
    expected("`,`").help(
        "say what is wrong where it does not hold: `require width % 8 == 0, \"a width of {width} is "
        "not a multiple of 8\"`");
    return nullptr;
  }
  take();
  if (!(require->message = expression()))
    return nullptr;
  require->span = cover(require->span, require->message->span);
  return require;
}

namespace {

constexpr std::string_view blockOfLosses = "a block may take a target as a parameter, `truth: labels` or "
                                           "`truth: tensor`, and give a loss back as its result";

} // namespace

StmtPtr Parser::parseTarget(bool network) {
  auto target = std::make_unique<TargetStmt>(take().span);
  const Span begin = target->span;
  if (at(Tok::Assign)) {
    expected("a name").help("`target` is a word of the language: `target mask: [image.height, image.width] "
                            "of int`");
    return nullptr;
  }
  if (!expectName(target->name) || !expect(Tok::Colon) || !(target->size = expression()))
    return nullptr;
  const auto follows = [&](std::string_view word) { return at(Tok::Name) && sourceOf(token().span) == word; };
  if (!follows("of")) {
    expected("`of int` or `of float`").help("labels of classes are `of int`, a map is `of float`");
    return nullptr;
  }
  take();
  target->labels = follows("int");
  if (!target->labels && !follows("float")) {
    expected("`int` or `float`").help("labels of classes are `of int`, a map is `of float`");
    return nullptr;
  }
  target->span = cover(begin, take().span);
  if (!network || depth_ > 1)
    diagnostics_.report(diag::MisplacedStatement, begin, "target", network ? "a loop or an `if`" : "a block")
        .help(network ? "targets belong to the body of a network, as its input does"
                      : std::string(blockOfLosses));
  return target;
}

// `loss name: expression`: here the name is no label.
StmtPtr Parser::parseLoss(bool network) {
  auto loss = std::make_unique<LossStmt>(take().span);
  const Span begin = loss->span;
  if (at(Tok::Assign)) {
    expected("an expression")
        .help(
            "`loss` is a word of the language: `loss softmax_cross_entropy(x, labels)` adds to what training "
            "minimises; a value needs another name");
    return nullptr;
  }
  if (at(Tok::Name) && kind(1) == Tok::Colon) {
    loss->name = identifier(take());
    take();
  }
  if (!(loss->value = expression()))
    return nullptr;
  loss->span = cover(begin, loss->value->span);
  if (!network)
    diagnostics_.report(diag::MisplacedStatement, begin, "loss", "a block").help(std::string(blockOfLosses));
  return loss;
}

StmtPtr Parser::parseAssign() {
  auto assign = std::make_unique<AssignStmt>(token().span);
  if (!parsePattern(assign->target, true) || !expect(Tok::Assign) || !(assign->value = expression()))
    return nullptr;
  assign->span = cover(assign->target.span, assign->value->span);
  return assign;
}

// `name`, `(a, (b, c))`, and where `bare` also `a, b`.
bool Parser::parsePattern(Pattern &out, bool bare) {
  Token first = token();
  if (at(Tok::LParen)) {
    if (tooDeep(first.span))
      return false;
    take();
    ++depth_;
    bool parsed = true;
    do
      parsed = !at(Tok::RParen) && parsePattern(out.elements.emplace_back());
    while (parsed && accept(Tok::Comma));
    --depth_;
    if (out.elements.size() == 1 && parsed)
      out = Pattern(std::move(out.elements[0]));
    if (!parsed && at(Tok::RParen))
      expected("a name");
    if (!parsed || !expectClosing(Tok::RParen, first))
      return false;
    out.span = {first.span.file, first.span.begin, tokens_[position_ - 1].span.end};
  } else {
    if (!expectName(out.name))
      return false;
    out.span = out.name.span;
  }
  if (bare && at(Tok::Comma)) {
    Pattern tuple;
    tuple.elements.push_back(std::move(out));
    while (accept(Tok::Comma))
      if (!parsePattern(tuple.elements.emplace_back()))
        return false;
    tuple.span = cover(first.span, tuple.elements.back().span);
    out = std::move(tuple);
  }
  return true;
}

StmtPtr Parser::parseFor(bool network) {
  Span begin = take().span;
  Pattern pattern;
  ExprPtr list;
  if (!parsePattern(pattern, true) || !expect(Tok::KwIn) || !(list = chainWithoutLabels()))
    return nullptr;
  if (at(Tok::Colon) && atIndentedLoop()) {
    auto loop = std::make_unique<ForStmt>(begin);
    loop->pattern = std::move(pattern);
    loop->list = std::move(list);
    return indentedFor(std::move(loop), network);
  }
  if (at(Tok::Colon) || at(Tok::KwIf)) { // a comprehension as the result
    auto result = std::make_unique<ResultStmt>(begin);
    if (!(result->value = comprehension(begin, std::move(pattern), std::move(list))))
      return nullptr;
    result->span = result->value->span;
    return result;
  }
  if (!at(Tok::LBrace)) {
    expected("`{` or `:`");
    return nullptr;
  }
  auto loop = std::make_unique<ForStmt>(begin);
  loop->pattern = std::move(pattern);
  loop->list = std::move(list);
  parseBody(loop->body, Context::Inner, network);
  return loop;
}

StmtPtr Parser::parseIf(bool network) {
  Span begin = take().span;
  ExprPtr condition;
  {
    Restore inCondition(condition_, true);
    condition = expression();
  }
  if (!condition)
    return nullptr;
  if (at(Tok::Colon)) {
    auto branch = std::make_unique<IfStmt>(begin);
    branch->condition = std::move(condition);
    return indentedIf(std::move(branch), network);
  }
  if (at(Tok::KwThen)) { // an expression as the result
    auto result = std::make_unique<ResultStmt>(begin);
    if (!(result->value = ifExpression(begin, std::move(condition))))
      return nullptr;
    result->span = result->value->span;
    return result;
  }
  if (!at(Tok::LBrace)) {
    expected("`{` or `then`");
    return nullptr;
  }
  auto branch = std::make_unique<IfStmt>(begin);
  branch->condition = std::move(condition);
  parseBody(branch->then, Context::Inner, network);
  const bool elif = elifAfterBrace();
  if (elif || accept(Tok::KwElse)) {
    if (elif || at(Tok::KwIf)) {
      if (tooDeep(token().span))
        return nullptr;
      ++depth_;
      StmtPtr nested = parseIf(network);
      --depth_;
      if (!nested)
        return nullptr;
      branch->otherwise.statements.push_back(std::move(nested));
    } else {
      parseBody(branch->otherwise, Context::Inner, network);
    }
  }
  return branch;
}

StmtPtr Parser::parseLearned(std::unique_ptr<Label> place) {
  auto learned = std::make_unique<LearnedStmt>(take().span);
  learned->label = std::move(place);
  if (!expectName(learned->name) || !expect(Tok::Colon) || !parseType(learned->type) ||
      !expect(Tok::Assign) || !(learned->seed = expression()))
    return nullptr;
  if (!at(Tok::KwWithin)) {
    expected("`within`")
        .help("a learned hole has a budget: `within macs(...)`, `params(...)` or `neurons(...)`");
    return nullptr;
  }
  take();
  std::string_view kindName = at(Tok::Name) ? sources_.slice(token().span) : "";
  if (kindName != "macs" && kindName != "params" && kindName != "neurons") {
    expected("`macs`, `params` or `neurons`");
    return nullptr;
  }
  learned->budgetKind = identifier(take());
  Token open = token();
  if (!expect(Tok::LParen) || !(learned->budget = expression()) || !expectClosing(Tok::RParen, open))
    return nullptr;
  learned->span = {open.span.file, learned->span.begin, tokens_[position_ - 1].span.end};
  return learned;
}

StmtPtr Parser::parseChoose(std::unique_ptr<Label> place) {
  auto choose = std::make_unique<ChooseStmt>(take().span);
  choose->label = std::move(place);
  if (!expectName(choose->name) || !expect(Tok::Colon) || !parseType(choose->type) || !expect(Tok::KwFrom) ||
      !(choose->choices = expression()))
    return nullptr;
  choose->span = cover(choose->span, choose->choices->span);
  return choose;
}

} // namespace vernier::dsl
