#include "dsl/Elaborator.h"

#include "dsl/ShapeRules.h"

#include <cmath>
#include <utility>

namespace vernier::dsl {

Value Elaborator::eval(const Expr &expr, Frame &frame) {
  if (!step())
    return {};
  if (evalDepth_ >= options_.limits.evalDepth) {
    error(diag::RecursionTooDeep, expr.span, frame, frame.depth)
        .help("a block that calls itself needs an `if` that ends it");
    aborted_ = true;
    return {};
  }
  ++evalDepth_;
  const ChoiceSet outer = std::exchange(read_, 0);
  Value value = evalInner(expr, frame);
  value.choices = value.map() ? 0 : value.choices | read_ | control_;
  read_ = outer | value.choices;
  --evalDepth_;
  return value;
}

Value Elaborator::evalInner(const Expr &expr, Frame &frame) {
  switch (expr.kind) {
  case Expr::Kind::Int:
    return Value::ofInt(static_cast<const IntExpr &>(expr).value);
  case Expr::Kind::Float:
    return Value::ofFloat(static_cast<const FloatExpr &>(expr).value);
  case Expr::Kind::Bool:
    return Value::ofBool(static_cast<const BoolExpr &>(expr).value);
  case Expr::Kind::String:
    return evalString(static_cast<const StringExpr &>(expr), frame);
  case Expr::Kind::Name:
    return evalName(static_cast<const NameExpr &>(expr), frame);
  case Expr::Kind::Call:
    return evalCall(static_cast<const CallExpr &>(expr), frame, nullptr);
  case Expr::Kind::List: {
    std::vector<Value> elements;
    for (auto &element : static_cast<const ListExpr &>(expr).elements)
      elements.push_back(eval(*element, frame));
    return makeList(std::move(elements), expr.span);
  }
  case Expr::Kind::Index:
    return evalIndex(static_cast<const IndexExpr &>(expr), frame);
  case Expr::Kind::Member:
    return evalMember(static_cast<const MemberExpr &>(expr), frame);
  case Expr::Kind::Unary:
    return evalUnary(static_cast<const UnaryExpr &>(expr), frame);
  case Expr::Kind::Binary:
    return evalBinary(static_cast<const BinaryExpr &>(expr), frame);
  case Expr::Kind::If: {
    auto &branch = static_cast<const IfExpr &>(expr);
    std::optional<bool> taken = truth(*branch.condition, "a condition", frame);
    return under(read_,
                 [&] { return taken ? eval(*taken ? *branch.then : *branch.otherwise, frame) : Value(); });
  }
  case Expr::Kind::Comprehension:
    return evalComprehension(static_cast<const ComprehensionExpr &>(expr), frame);
  case Expr::Kind::Pipeline:
    return evalPipeline(static_cast<const PipelineExpr &>(expr), frame);
  }
  return {};
}

Value Elaborator::evalPipeline(const PipelineExpr &pipeline, Frame &frame) {
  Value value = eval(*pipeline.head, frame);
  for (auto &stage : pipeline.stages) {
    if (!step())
      return {};
    value = evalCall(*stage, frame, &value);
  }
  return value;
}

Value Elaborator::evalName(const NameExpr &name, Frame &frame) {
  auto found = frame.names.find(name.name.text);
  if (found != frame.names.end())
    return found->second;
  if (name.name.text == "none")
    return Value::none();
  if (isWord(name.name.text))
    return Value::ofString(name.name.text);
  if (name.callee)
    return blockNamed(name);
  noValue(name.name, frame);
  return {};
}

Value Elaborator::evalString(const StringExpr &string, Frame &frame) {
  std::string text;
  for (const StringPart &part : string.parts) {
    text += part.text;
    if (part.value) {
      Value value = eval(*part.value, frame);
      if (value.error())
        return {};
      if (value.learned()) {
        learnedUse(value, "a string", part.value->span, frame);
        return {};
      }
      if (!value.is(Value::Kind::Int) && !value.is(Value::Kind::String)) {
        error(diag::TypeMismatch, part.value->span, frame, "a value in a string", "int or string",
              describe(typeOf(value)));
        return {};
      }
      text += value.is(Value::Kind::Int) ? std::to_string(value.integer) : *value.text;
    }
    if (text.size() > maxText) {
      error(diag::BadValue, string.span, frame, "a string",
            "at most " + std::to_string(maxText) + " characters", "a longer one");
      return {};
    }
  }
  return Value::ofString(std::move(text));
}

std::optional<bool> Elaborator::truth(const Expr &condition, std::string_view what, Frame &frame) {
  Value value = eval(condition, frame);
  if (value.error())
    return std::nullopt;
  if (!value.is(Value::Kind::Bool)) {
    error(diag::TypeMismatch, condition.span, frame, what, "bool", describe(typeOf(value)));
    return std::nullopt;
  }
  return value.integer != 0;
}

std::optional<int64_t> Elaborator::integer(const Value &value, std::string_view what, Span span,
                                           Frame &frame) {
  if (value.error())
    return std::nullopt;
  if (value.learned()) {
    learnedUse(value, what, span, frame);
    return std::nullopt;
  }
  if (!value.is(Value::Kind::Int)) {
    auto report = error(diag::TypeMismatch, span, frame, what, "int", describe(typeOf(value)));
    report.help(std::string(conversionHelp(Type::integer(), typeOf(value))));
    return std::nullopt;
  }
  return value.integer;
}

Value Elaborator::makeList(std::vector<Value> elements, Span span) {
  constexpr int maxDepth = 16;
  if (!step(static_cast<int64_t>(elements.size())))
    return {};
  if (static_cast<int64_t>(elements.size()) > options_.limits.listLength) {
    diagnostics_.report(diag::ListTooLong, span, options_.limits.listLength);
    failed_ = aborted_ = true;
    return {};
  }
  Value list = Value::ofList(std::move(elements));
  if (list.list->depth > maxDepth) {
    diagnostics_.report(diag::NestedTooDeeply, span, maxDepth).label("lists within lists");
    failed_ = aborted_ = true;
    return {};
  }
  return list;
}

Value Elaborator::evalUnary(const UnaryExpr &unary, Frame &frame) {
  if (unary.op == UnaryOp::Not) {
    std::optional<bool> value = truth(*unary.operand, "the operand of `not`", frame);
    return value ? Value::ofBool(!*value) : Value();
  }
  Value value = eval(*unary.operand, frame);
  if (value.error())
    return {};
  if (value.learned()) {
    learnedUse(value, "`-`", unary.span, frame);
    return {};
  }
  if (value.is(Value::Kind::Float))
    return Value::ofFloat(-value.number);
  if (value.is(Value::Kind::Tensor))
    return scaleShift(value, -1, 0, 0, "-", unary.span, frame);
  if (!value.is(Value::Kind::Int)) {
    auto report = error(diag::TypeMismatch, unary.operand->span, frame, "the operand of `-`",
                        "a number or a tensor", describe(typeOf(value)));
    report.help(std::string(helpOfLosses(typeOf(value), typeOf(value))));
    return {};
  }
  int64_t result;
  if (__builtin_sub_overflow(int64_t(0), value.integer, &result)) {
    error(diag::Overflow, unary.span, frame, "-");
    return {};
  }
  return Value::ofInt(result);
}

Value Elaborator::evalBinary(const BinaryExpr &binary, Frame &frame) {
  if (binary.op == BinaryOp::And || binary.op == BinaryOp::Or) {
    std::string what = "an operand of `" + std::string(spelling(binary.op)) + "`";
    std::optional<bool> left = truth(*binary.left, what, frame);
    if (!left || *left == (binary.op == BinaryOp::Or))
      return left ? Value::ofBool(*left) : Value();
    std::optional<bool> right = truth(*binary.right, what, frame);
    return right ? Value::ofBool(*right) : Value();
  }
  Value left = eval(*binary.left, frame);
  Value right = eval(*binary.right, frame);
  if (left.error() || right.error())
    return {};
  if (left.learned() || right.learned()) {
    learnedUse(left.learned() ? left : right, "`" + std::string(spelling(binary.op)) + "`",
               (left.learned() ? binary.left : binary.right)->span, frame);
    return {};
  }
  if (binary.op >= BinaryOp::Equal && binary.op <= BinaryOp::GreaterEqual)
    return compare(binary, left, right, frame);
  const bool tensors = left.is(Value::Kind::Tensor) && right.is(Value::Kind::Tensor);
  const bool mixed =
      (left.is(Value::Kind::Tensor) && right.numeric()) || (right.is(Value::Kind::Tensor) && left.numeric());
  if (tensors || mixed)
    return tensorArithmetic(binary, left, right, frame);
  if (left.is(Value::Kind::List) && right.is(Value::Kind::List) && binary.op == BinaryOp::Add) {
    std::vector<Value> joined = left.list->elements;
    joined.insert(joined.end(), right.list->elements.begin(), right.list->elements.end());
    return makeList(std::move(joined), binary.span);
  }
  const bool first = left.is(Value::Kind::Loss), second = right.is(Value::Kind::Loss);
  const bool multiplies = binary.op == BinaryOp::Multiply;
  const bool added = first && second && binary.op == BinaryOp::Add;
  const bool weighted = (first && right.numeric() && (multiplies || binary.op == BinaryOp::Divide)) ||
                        (second && left.numeric() && multiplies);
  if (added || weighted)
    return lossArithmetic(binary, left, right, frame);
  return arithmetic(binary, left, right, frame);
}

bool Elaborator::equal(const Value &left, const Value &right) {
  if (!step())
    return false;
  if (left.numeric() && right.numeric())
    return left.is(Value::Kind::Int) && right.is(Value::Kind::Int) ? left.integer == right.integer
                                                                   : left.asDouble() == right.asDouble();
  if (left.kind != right.kind)
    return false;
  if (left.is(Value::Kind::String))
    return *left.text == *right.text;
  if (left.is(Value::Kind::Block))
    return left.block == right.block;
  if (left.is(Value::Kind::Loss))
    return *left.loss == *right.loss;
  if (!left.is(Value::Kind::List))
    return left.integer == right.integer;
  auto &a = left.list->elements, &b = right.list->elements;
  bool same = a.size() == b.size();
  for (size_t i = 0; same && i < a.size(); ++i)
    same = equal(a[i], b[i]);
  return same;
}

Value Elaborator::compare(const BinaryExpr &binary, const Value &left, const Value &right, Frame &frame) {
  bool order = binary.op != BinaryOp::Equal && binary.op != BinaryOp::NotEqual;
  bool numbers = left.numeric() && right.numeric();
  const bool none = left.is(Value::Kind::None) || right.is(Value::Kind::None);
  bool comparable = numbers || (!order && none) ||
                    (!order && left.kind == right.kind && !left.map() && !left.is(Value::Kind::Loss) &&
                     !left.is(Value::Kind::Block));
  if (!comparable) {
    refuseOperands(binary, left, right, frame);
    return {};
  }
  if (!order) {
    bool same = equal(left, right);
    return aborted_ ? Value() : Value::ofBool(same == (binary.op == BinaryOp::Equal));
  }
  bool ints = left.is(Value::Kind::Int) && right.is(Value::Kind::Int);
  bool less = ints ? left.integer < right.integer : left.asDouble() < right.asDouble();
  bool greater = ints ? left.integer > right.integer : left.asDouble() > right.asDouble();
  switch (binary.op) {
  case BinaryOp::Less:
    return Value::ofBool(less);
  case BinaryOp::LessEqual:
    return Value::ofBool(!greater);
  case BinaryOp::Greater:
    return Value::ofBool(greater);
  default:
    return Value::ofBool(!less);
  }
}

void Elaborator::refuseOperands(const BinaryExpr &binary, const Value &left, const Value &right,
                                Frame &frame) {
  const Type types[2] = {typeOf(left), typeOf(right)};
  auto report = error(diag::OperandTypes, binary.opSpan, frame, spelling(binary.op), describe(types[0]),
                      describe(types[1]));
  report.help(std::string(helpOfLosses(types[0], types[1])));
}

// Of two tensors, or of a tensor and a number.
Value Elaborator::tensorArithmetic(const BinaryExpr &binary, const Value &left, const Value &right,
                                   Frame &frame) {
  const std::string_view op = spelling(binary.op);
  const bool tensors = left.is(right.kind), first = left.is(Value::Kind::Tensor);
  if (binary.op == BinaryOp::Modulo || (binary.op == BinaryOp::Divide && !first)) {
    error(diag::OperandTypes, binary.opSpan, frame, op, describe(typeOf(left)), describe(typeOf(right)))
        .help(std::string(binary.op == BinaryOp::Modulo ? tensorOperators : divisibleTensors));
    return {};
  }
  if (tensors) {
    const OpKind kind = binary.op == BinaryOp::Add        ? OpKind::Add
                        : binary.op == BinaryOp::Subtract ? OpKind::Subtract
                        : binary.op == BinaryOp::Multiply ? OpKind::Multiply
                                                          : OpKind::Divide;
    return combine(kind, left, right, nullptr, op, binary.opSpan, frame);
  }
  const Value &x = first ? left : right;
  const double number = (first ? right : left).asDouble();
  if (binary.op == BinaryOp::Divide && number == 0) {
    error(diag::DivisionByZero, binary.opSpan, frame);
    return {};
  }
  double slope = 1, offset = 0;
  switch (binary.op) {
  case BinaryOp::Add:
    offset = number;
    break;
  case BinaryOp::Subtract:
    slope = first ? 1 : -1;
    offset = first ? -number : number;
    break;
  case BinaryOp::Multiply:
    slope = number;
    break;
  default:
    slope = 1 / number;
  }
  if (!std::isfinite(float(slope)) || !std::isfinite(float(offset))) {
    error(diag::BadValue, binary.opSpan, frame, "what `" + std::string(op) + "` combines with a tensor",
          "a number of 32 bits", formatFloat(number));
    return {};
  }
  return scaleShift(x, slope, offset, left.choices | right.choices, op, binary.opSpan, frame);
}

Value Elaborator::arithmetic(const BinaryExpr &binary, const Value &left, const Value &right, Frame &frame) {
  std::string_view op = spelling(binary.op);
  if (!left.numeric() || !right.numeric()) {
    refuseOperands(binary, left, right, frame);
    return {};
  }
  bool divides = binary.op == BinaryOp::Divide || binary.op == BinaryOp::Modulo;
  if (divides && right.asDouble() == 0) {
    error(diag::DivisionByZero, binary.opSpan, frame);
    return {};
  }
  if (left.is(Value::Kind::Int) && right.is(Value::Kind::Int)) {
    int64_t a = left.integer, b = right.integer, result = 0;
    bool overflow = false;
    switch (binary.op) {
    case BinaryOp::Add:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case BinaryOp::Subtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case BinaryOp::Multiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    default:
      // The one quotient that does not fit.
      if (b == -1) {
        overflow = binary.op == BinaryOp::Divide && __builtin_sub_overflow(int64_t(0), a, &result);
      } else {
        int64_t quotient = a / b, remainder = a % b;
        bool round = remainder != 0 && (remainder < 0) != (b < 0);
        result = binary.op == BinaryOp::Divide ? quotient - round : remainder + (round ? b : 0);
      }
    }
    if (overflow) {
      error(diag::Overflow, binary.opSpan, frame, op);
      return {};
    }
    return Value::ofInt(result);
  }
  double a = left.asDouble(), b = right.asDouble(), result = 0;
  switch (binary.op) {
  case BinaryOp::Add:
    result = a + b;
    break;
  case BinaryOp::Subtract:
    result = a - b;
    break;
  case BinaryOp::Multiply:
    result = a * b;
    break;
  case BinaryOp::Divide:
    result = a / b;
    break;
  default:
    result = a - b * std::floor(a / b);
  }
  if (!std::isfinite(result)) {
    error(diag::Overflow, binary.opSpan, frame, op);
    return {};
  }
  return Value::ofFloat(result);
}

Value Elaborator::evalIndex(const IndexExpr &index, Frame &frame) {
  Value base = eval(*index.base, frame);
  Value at = eval(*index.index, frame);
  if (base.error() || at.error())
    return {};
  if (!base.is(Value::Kind::List)) {
    error(diag::TypeMismatch, index.base->span, frame, "what is indexed", "a list", describe(typeOf(base)));
    return {};
  }
  auto i = integer(at, "an index", index.index->span, frame);
  if (!i)
    return {};
  int64_t length = static_cast<int64_t>(base.list->elements.size());
  if (*i < 0 || *i >= length) {
    auto report = error(diag::IndexOutOfRange, index.index->span, frame, *i, length);
    if (*i < 0 && *i >= -length)
      report.help("indices count from 0; the last element is `[len(list) - 1]`");
    return {};
  }
  read_ = at.choices; // of the list, only this element was read
  return base.list->elements[*i];
}

Value Elaborator::evalMember(const MemberExpr &member, Frame &frame) {
  Value base = eval(*member.base, frame);
  if (base.error())
    return {};
  const std::string &name = member.name.text;
  if (!(base.map() && (name == "height" || name == "width")) &&
      !(base.is(Value::Kind::Tensor) && name == "channels")) {
    auto report = error(diag::UnknownProperty, member.name.span, frame, describe(typeOf(base)), name);
    if (base.is(Value::Kind::Tensor))
      report.help("a tensor has `channels`, `height` and `width`");
    else if (base.is(Value::Kind::Labels))
      report.help(std::string(propertiesOfLabels));
    return {};
  }
  const Shape &shape = shapeOf(base);
  if (name != "channels")
    read_ |= infoOf(base).scale;
  if (name == "height")
    return Value::ofInt(shape.height);
  if (name == "width")
    return Value::ofInt(shape.width);
  Value channels = Value::ofInt(shape.channels);
  if (LearnedWidthPtr width = widthOf(base)) {
    auto &[element, factor] = *width->terms.begin();
    channels.hole = element.first;
    channels.element = width->terms.size() == 1 && factor == 1 && width->constant == 0 ? element.second : -1;
  }
  return channels;
}

Value Elaborator::evalComprehension(const ComprehensionExpr &loop, Frame &frame) {
  Value list = eval(*loop.list, frame);
  std::vector<Value> elements;
  bool finished = iterate(list, loop.pattern, loop.list->span, frame, [&] {
    if (loop.filter) {
      std::optional<bool> kept = truth(*loop.filter, "a filter", frame);
      if (!kept)
        return false;
      if (!*kept)
        return true;
    }
    elements.push_back(eval(*loop.element, frame));
    return !aborted_;
  });
  return finished ? makeList(std::move(elements), loop.span) : Value();
}

} // namespace vernier::dsl
