#include "dsl/SemaImpl.h"

#include <algorithm>

namespace vernier::dsl {

std::string Sema::calledWithParentheses(Span span) const {
  return "a block or an operation is called with parentheses: `" +
         std::string(program_.sources.slice(span).substr(0, 64)) + "(...)`";
}

// `wanted` names what is asked for; its type, where there is one.
DiagnosticBuilder Sema::mismatch(Span span, std::string_view what, std::string_view wanted, const Type &type,
                                 const Type &found) {
  auto report = diagnostics_.report(diag::TypeMismatch, span, what, wanted, describe(found));
  report.help(std::string(conversionHelp(type, found)));
  if (found.is(Type::Kind::Block) && !wanted.starts_with("block("))
    report.help(calledWithParentheses(span));
  return report;
}

namespace {

// A string of `expr` that is none of `words`, if there is one.
const Expr *otherWord(const Expr &expr, const std::vector<std::string> &words) {
  if (expr.kind == Expr::Kind::If) {
    auto &branch = static_cast<const IfExpr &>(expr);
    const Expr *then = otherWord(*branch.then, words);
    return then ? then : otherWord(*branch.otherwise, words);
  }
  const std::optional<std::string> text = literal(expr);
  return text && !std::binary_search(words.begin(), words.end(), *text) ? &expr : nullptr;
}

} // namespace

// False where it has been reported that `expr` has a string that is none of the type's.
bool Sema::requireWords(const Expr &expr, const Type &type, std::string_view what) {
  const Expr *other = type.names.empty() ? nullptr : otherWord(expr, type.names);
  if (!other)
    return true;
  const std::string text = *literal(*other);
  auto report =
      diagnostics_.report(diag::BadValue, other->span, what, describe(type), "`" + text.substr(0, 40) + "`");
  const std::string closest = closestName(text, type.names);
  if (!closest.empty())
    report.help("closest word: `" + closest + "`").rewrite(other->span, "\"" + closest + "\"");
  return false;
}

void Sema::require(Expr &expr, const Type &type, std::string_view what, Env &env) {
  if (expr.kind == Expr::Kind::List && type.is(Type::Kind::List) && type.elements[0].is(Type::Kind::String)) {
    for (ExprPtr &element : static_cast<ListExpr &>(expr).elements)
      require(*element, type.elements[0], "an element of " + std::string(what), env);
    return;
  }
  Type found = infer(expr, env);
  if (type.is(Type::Kind::String) && found.is(Type::Kind::String) && !requireWords(expr, type, what))
    return;
  if (!accepts(type, found))
    mismatch(expr.span, what, describe(type), type, found);
}

Type Sema::infer(Expr &expr, Env &env) {
  switch (expr.kind) {
  case Expr::Kind::Int:
    return Type::integer();
  case Expr::Kind::Float:
    return Type::floating();
  case Expr::Kind::Bool:
    return Type::boolean();
  case Expr::Kind::String:
    return inferString(static_cast<StringExpr &>(expr), env);
  case Expr::Kind::Name:
    return inferName(static_cast<NameExpr &>(expr), env);
  case Expr::Kind::Call:
    return inferCall(static_cast<CallExpr &>(expr), env);
  case Expr::Kind::List: {
    auto &list = static_cast<ListExpr &>(expr);
    Type element;
    for (size_t i = 0; i < list.elements.size(); ++i) {
      Type type = infer(*list.elements[i], env);
      element = i == 0 ? type : join(element, type);
    }
    return Type::list(element);
  }
  case Expr::Kind::Index:
    return inferIndex(static_cast<IndexExpr &>(expr), env);
  case Expr::Kind::Member:
    return inferMember(static_cast<MemberExpr &>(expr), env);
  case Expr::Kind::Unary: {
    auto &unary = static_cast<UnaryExpr &>(expr);
    if (unary.op == UnaryOp::Not) {
      require(*unary.operand, Type::boolean(), "the operand of `not`", env);
      return Type::boolean();
    }
    Type type = infer(*unary.operand, env);
    if (type.known() && !type.numeric() && !type.is(Type::Kind::Tensor)) {
      auto report = diagnostics_.report(diag::TypeMismatch, unary.operand->span, "the operand of `-`",
                                        "a number or a tensor", describe(type));
      report.help(std::string(helpOfLosses(type, type)));
      return Type::unknown();
    }
    return type;
  }
  case Expr::Kind::Binary:
    return inferBinary(static_cast<BinaryExpr &>(expr), env);
  case Expr::Kind::If: {
    auto &branch = static_cast<IfExpr &>(expr);
    require(*branch.condition, Type::boolean(), "a condition", env);
    Type then = infer(*branch.then, env);
    return join(then, infer(*branch.otherwise, env));
  }
  case Expr::Kind::Comprehension:
    return inferComprehension(static_cast<ComprehensionExpr &>(expr), env);
  case Expr::Kind::Pipeline: {
    auto &pipeline = static_cast<PipelineExpr &>(expr);
    Type type = infer(*pipeline.head, env);
    uint32_t end = pipeline.head->span.end;
    for (auto &stage : pipeline.stages) {
      pipe_ = end;
      type = inferCall(*stage, env, &type);
      end = stage->span.end;
    }
    return type;
  }
  }
  return Type::unknown();
}

Type Sema::inferName(NameExpr &name, Env &env) {
  auto found = env.names.find(name.name.text);
  if (found != env.names.end())
    return found->second;
  if (name.name.text == "none")
    return Type::none();
  if (isWord(name.name.text))
    return Type::string();
  if (std::optional<Type> block = blockNamed(name, env))
    return *block;
  auto report = diagnostics_.report(diag::UnknownName, name.span, name.name.text);
  auto &scope = program_.scopes[env.file];
  if (!report) {
    // Suggestions cost time; this one would not be seen.
  } else if (findFunction(name.name.text) || scope.count(name.name.text)) {
    report.help("to call it, write `" + name.name.text + "(...)`");
  } else if (const ForeignName *value = findForeign(Foreign::Value, name.name.text)) {
    report.help(helpOf(*value));
    if (!value->ours.empty())
      report.rewrite(name.span, std::string(value->ours));
  } else if (const ForeignCall *call = findForeignCall(name.name.text)) {
    report.help(helpOf(*call, name.name.text));
  } else {
    std::vector<std::string> names = argumentWords();
    for (auto &[known, type] : env.names)
      names.push_back(known);
    std::string closest = closestName(name.name.text, names);
    if (!closest.empty())
      report.help("closest name: `" + closest + "`");
  }
  // The first mention tells it: from here on the name counts as known.
  env.set(name.name.text, Type::unknown());
  return Type::unknown();
}

Type Sema::inferString(StringExpr &string, Env &env) {
  for (StringPart &part : string.parts) {
    if (!part.value)
      continue;
    Type type = infer(*part.value, env);
    if (type.known() && !type.is(Type::Kind::Int) && !type.is(Type::Kind::String))
      diagnostics_.report(diag::TypeMismatch, part.value->span, "a value in a string", "int or string",
                          describe(type));
  }
  const std::optional<std::string> text = literal(string);
  return text ? Type::word({*text}) : Type::string();
}

// A word that a parameter can never be is a slip.
void Sema::checkWords(const BinaryExpr &comparison, const Type &left, const Type &right) {
  const auto check = [&](const Expr &side, const Type &other) {
    if (side.kind == Expr::Kind::String && other.names.size() > 1)
      requireWords(side, other, "a string compared here");
  };
  check(*comparison.left, right);
  check(*comparison.right, left);
}

// Whether it is one, where what is not known yet turns out right.
static bool isLoss(BinaryOp op, const Type &left, const Type &right) {
  const auto loss = [](const Type &type) { return type.is(Type::Kind::Loss); };
  const auto number = [](const Type &type) { return type.numeric() || !type.known(); };
  if (op == BinaryOp::Add)
    return (loss(left) && (loss(right) || !right.known())) || (loss(right) && !left.known());
  return (op == BinaryOp::Multiply && ((loss(left) && number(right)) || (number(left) && loss(right)))) ||
         (op == BinaryOp::Divide && loss(left) && number(right));
}

Type Sema::inferBinary(BinaryExpr &binary, Env &env) {
  std::string_view op = spelling(binary.op);
  if (binary.op == BinaryOp::And || binary.op == BinaryOp::Or) {
    std::string what = "an operand of `" + std::string(op) + "`";
    require(*binary.left, Type::boolean(), what, env);
    require(*binary.right, Type::boolean(), what, env);
    return Type::boolean();
  }
  Type left = infer(*binary.left, env), right = infer(*binary.right, env);
  bool known = left.known() && right.known();
  bool numbers = left.numeric() && right.numeric();
  bool tensors = left.is(Type::Kind::Tensor) && right.is(Type::Kind::Tensor);
  // A tensor and a number are a tensor; so is what a type not yet known must turn out to make possible.
  bool mixed = (left.is(Type::Kind::Tensor) && (right.numeric() || !right.known())) ||
               (right.is(Type::Kind::Tensor) && (left.numeric() || !left.known()));
  auto refuse = [&] {
    auto report = diagnostics_.report(diag::OperandTypes, binary.opSpan, op, describe(left), describe(right));
    if (tensors)
      report.help(std::string(tensorOperators));
    else if (mixed && binary.op == BinaryOp::Divide)
      report.help(std::string(divisibleTensors));
    else
      report.help(std::string(helpOfLosses(left, right)));
    return Type::unknown();
  };
  const auto training = [](const Type &type) {
    return type.is(Type::Kind::Loss) || type.is(Type::Kind::Labels);
  };
  if (isLoss(binary.op, left, right))
    return Type::loss();
  switch (binary.op) {
  case BinaryOp::Equal:
  case BinaryOp::NotEqual:
    if (left.is(Type::Kind::None) || right.is(Type::Kind::None))
      return Type::boolean();
    if (known && (tensors || training(left) || left.is(Type::Kind::Block) ||
                  !(numbers || left.kind == right.kind || (left.listLike() && right.listLike()))))
      refuse();
    checkWords(binary, left, right);
    return Type::boolean();
  case BinaryOp::Less:
  case BinaryOp::LessEqual:
  case BinaryOp::Greater:
  case BinaryOp::GreaterEqual:
    if (known && !numbers)
      refuse();
    return Type::boolean();
  case BinaryOp::Add:
    if (left.listLike() && right.listLike())
      return Type::list(join(elementOf(left), elementOf(right)));
    [[fallthrough]];
  case BinaryOp::Subtract:
  case BinaryOp::Multiply:
  case BinaryOp::Divide:
    if (tensors || (mixed && (binary.op != BinaryOp::Divide || left.is(Type::Kind::Tensor) || !left.known())))
      return Type::tensor();
    [[fallthrough]];
  default:
    if (!known) {
      // One side already rules a pair out that no value of the other can repair.
      const Type &type = left.known() ? left : right;
      if (type.is(Type::Kind::Bool) || type.is(Type::Kind::String) || type.is(Type::Kind::Block) ||
          type.is(Type::Kind::None) || training(type))
        return refuse();
      return Type::unknown();
    }
    if (!numbers)
      return refuse();
    return left.is(Type::Kind::Float) || right.is(Type::Kind::Float) ? Type::floating() : Type::integer();
  }
}

Type Sema::inferIndex(IndexExpr &index, Env &env) {
  Type base = infer(*index.base, env);
  require(*index.index, Type::integer(), "an index", env);
  if (base.known() && !base.listLike()) {
    diagnostics_.report(diag::TypeMismatch, index.base->span, "what is indexed", "a list", describe(base));
    return Type::unknown();
  }
  if (base.is(Type::Kind::Tuple) && index.index->kind == Expr::Kind::Int) {
    int64_t i = static_cast<IntExpr &>(*index.index).value;
    if (i < static_cast<int64_t>(base.elements.size()))
      return base.elements[i];
  }
  return elementOf(base);
}

Type Sema::inferMember(MemberExpr &member, Env &env) {
  if (foreignOwner(member, env))
    return Type::unknown();
  Type base = infer(*member.base, env);
  if (!base.known())
    return Type::unknown();
  const std::string &name = member.name.text;
  if (base.is(Type::Kind::Labels)) {
    if (name != "height" && name != "width")
      diagnostics_.report(diag::UnknownProperty, member.name.span, "labels", name)
          .help(std::string(propertiesOfLabels));
    return name == "height" || name == "width" ? Type::integer() : Type::unknown();
  }
  if (base.is(Type::Kind::Tensor)) {
    if (name == "channels" || name == "height" || name == "width")
      return Type::integer();
    auto report = diagnostics_.report(diag::UnknownProperty, member.name.span, "tensor", name);
    std::string closest = closestName(name, {"channels", "height", "width"});
    if (const ForeignName *property = findForeign(Foreign::Property, name)) {
      report.help(helpOf(*property));
      if (!property->ours.empty())
        report.rewrite(member.name.span, std::string(property->ours));
      return Type::unknown();
    }
    report.help(closest.empty() ? "a tensor has `channels`, `height` and `width`"
                                : "closest property: `" + closest + "`");
    return Type::unknown();
  }
  auto report = diagnostics_.report(diag::UnknownProperty, member.name.span, describe(base), name);
  if (base.listLike() && (name == "length" || name == "size" || name == "len"))
    report.help("the number of elements is `len(...)`");
  return Type::unknown();
}

Type Sema::inferComprehension(ComprehensionExpr &loop, Env &env) {
  Type element = iterate(*loop.list, env);
  size_t mark = env.changes.size();
  bind(loop.pattern, element, env);
  if (loop.filter)
    require(*loop.filter, Type::boolean(), "a filter", env);
  Type result = Type::list(infer(*loop.element, env));
  env.rollback(mark);
  return result;
}

} // namespace vernier::dsl
