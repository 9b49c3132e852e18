#include "dsl/Elaborator.h"

#include <algorithm>
#include <cmath>

namespace vernier::dsl {

Value Elaborator::evalFunction(const CallExpr &call, Frame &frame, const Value *piped) {
  std::vector<Value> values;
  if (piped)
    values.push_back(*piped);
  for (const Argument &argument : call.arguments)
    values.push_back(eval(*argument.value, frame));
  for (const Value &value : values)
    if (value.error())
      return {};
  switch (call.function) {
  case Function::None:
    return {};
  case Function::Len:
  case Function::Enumerate:
  case Function::Reverse:
    return functionOfList(call, values[0], call.span, frame);
  case Function::Sum:
    return sum(call, values, frame);
  case Function::Min:
  case Function::Max:
    return extreme(call, values, frame);
  case Function::Range:
    return range(call, values, frame);
  case Function::Zip:
    return zip(call, values, frame);
  case Function::Even:
    return even(call, values, frame);
  case Function::Floor:
  case Function::Ceil:
  case Function::Round:
  case Function::Int:
    return rounded(call, values[0], call.span, frame);
  }
  return {};
}

namespace {

std::string argumentOf(const CallExpr &call) { return "the argument of `" + call.callee.text + "`"; }

} // namespace

Value Elaborator::functionOfList(const CallExpr &call, const Value &list, Span span, Frame &frame) {
  if (!list.is(Value::Kind::List)) {
    error(diag::TypeMismatch, span, frame, argumentOf(call), "a list", describe(typeOf(list)));
    return {};
  }
  std::vector<Value> elements = list.list->elements;
  if (call.function == Function::Len)
    return Value::ofInt(static_cast<int64_t>(elements.size()));
  if (!step(3 * static_cast<int64_t>(elements.size())))
    return {};
  if (call.function == Function::Reverse)
    std::reverse(elements.begin(), elements.end());
  else
    for (size_t i = 0; i < elements.size(); ++i)
      elements[i] = Value::ofList({Value::ofInt(static_cast<int64_t>(i)), elements[i]});
  return makeList(std::move(elements), span);
}

Value Elaborator::zip(const CallExpr &call, const std::vector<Value> &lists, Frame &frame) {
  for (const Value &list : lists) {
    if (!list.is(Value::Kind::List)) {
      error(diag::TypeMismatch, call.span, frame, argumentOf(call), "a list", describe(typeOf(list)));
      return {};
    }
    size_t first = lists[0].list->elements.size(), other = list.list->elements.size();
    if (first != other) {
      error(diag::LengthMismatch, call.span, frame, static_cast<int64_t>(first), static_cast<int64_t>(other));
      return {};
    }
  }
  std::vector<Value> rows;
  for (size_t i = 0; i < lists[0].list->elements.size(); ++i) {
    if (!step(static_cast<int64_t>(lists.size())))
      return {};
    std::vector<Value> row;
    for (const Value &list : lists)
      row.push_back(list.list->elements[i]);
    rows.push_back(Value::ofList(std::move(row)));
  }
  return makeList(std::move(rows), call.span);
}

Value Elaborator::range(const CallExpr &call, const std::vector<Value> &values, Frame &frame) {
  int64_t bounds[2] = {0, 0};
  for (size_t i = 0; i < values.size(); ++i) {
    auto bound = integer(values[i], "`range`", call.span, frame);
    if (!bound)
      return {};
    bounds[values.size() == 1 ? 1 : i] = *bound;
  }
  std::vector<Value> elements;
  for (int64_t i = bounds[0]; i < bounds[1]; ++i) {
    if (static_cast<int64_t>(elements.size()) >= options_.limits.listLength || !step()) {
      diagnostics_.report(diag::ListTooLong, call.span, options_.limits.listLength);
      failed_ = aborted_ = true;
      return {};
    }
    elements.push_back(Value::ofInt(i));
  }
  return makeList(std::move(elements), call.span);
}

Value Elaborator::even(const CallExpr &call, const std::vector<Value> &values, Frame &frame) {
  auto total = integer(values[0], "`even`", call.span, frame);
  auto count = integer(values[1], "`even`", call.span, frame);
  if (!total || !count)
    return {};
  if (*total < 0 || *count < 1 || *count > options_.limits.listLength) {
    bool badTotal = *total < 0;
    error(diag::BadValue, call.span, frame, badTotal ? "the total of `even`" : "the count of `even`",
          badTotal ? "0 or more" : "from 1 to " + std::to_string(options_.limits.listLength),
          std::to_string(badTotal ? *total : *count));
    return {};
  }
  std::vector<Value> elements;
  for (int64_t i = 0; i < *count; ++i)
    elements.push_back(Value::ofInt(*total / *count + (i < *total % *count ? 1 : 0)));
  return makeList(std::move(elements), call.span);
}

Value Elaborator::rounded(const CallExpr &call, const Value &value, Span span, Frame &frame) {
  if (value.learned()) {
    learnedUse(value, "`" + call.callee.text + "`", span, frame);
    return {};
  }
  if (!value.numeric()) {
    error(diag::TypeMismatch, span, frame, argumentOf(call), "a number", describe(typeOf(value)));
    return {};
  }
  if (value.is(Value::Kind::Int))
    return value;
  double v = value.number;
  v = call.function == Function::Floor   ? std::floor(v)
      : call.function == Function::Ceil  ? std::ceil(v)
      : call.function == Function::Round ? std::round(v)
                                         : std::trunc(v);
  constexpr double bound = 9223372036854775808.0; // 2^63
  if (!(v >= -bound && v < bound)) {
    error(diag::Overflow, span, frame, call.callee.text);
    return {};
  }
  return Value::ofInt(static_cast<int64_t>(v));
}

Value Elaborator::extreme(const CallExpr &call, const std::vector<Value> &values, Frame &frame) {
  bool list = values.size() == 1 && values[0].is(Value::Kind::List);
  const std::vector<Value> &candidates = list ? values[0].list->elements : values;
  if (candidates.empty()) {
    error(diag::EmptyList, call.span, frame, call.callee.text);
    return {};
  }
  if (!step(static_cast<int64_t>(candidates.size())))
    return {};
  const Value *best = nullptr;
  for (const Value &value : candidates) {
    if (value.error())
      return {};
    if (value.learned()) {
      learnedUse(value, "`" + call.callee.text + "`", call.span, frame);
      return {};
    }
    if (!value.numeric()) {
      error(diag::TypeMismatch, call.span, frame, argumentOf(call), "numbers", describe(typeOf(value)));
      return {};
    }
    bool ints = best && best->is(Value::Kind::Int) && value.is(Value::Kind::Int);
    bool less = best && (ints ? value.integer < best->integer : value.asDouble() < best->asDouble());
    bool greater = best && (ints ? value.integer > best->integer : value.asDouble() > best->asDouble());
    if (!best || (call.function == Function::Min ? less : greater))
      best = &value;
  }
  return *best;
}

Value Elaborator::sum(const CallExpr &call, const std::vector<Value> &values, Frame &frame) {
  if (!values[0].is(Value::Kind::List)) {
    error(diag::TypeMismatch, call.span, frame, argumentOf(call), "a list", describe(typeOf(values[0])));
    return {};
  }
  auto &elements = values[0].list->elements;
  if (!step(static_cast<int64_t>(elements.size())))
    return {};
  const auto isLoss = [](const Value &element) { return element.is(Value::Kind::Loss); };
  if (std::any_of(elements.begin(), elements.end(), [](const Value &element) { return element.error(); }))
    return {};
  if (!elements.empty() && std::all_of(elements.begin(), elements.end(), isLoss)) {
    LossTerms terms;
    for (const Value &element : elements)
      for (auto [node, weight] : *element.loss)
        if (step())
          terms[node] += weight;
    return makeLoss(std::move(terms), "sum", call.callee.span, frame);
  }
  Value total = elements.empty() ? Value::ofInt(0) : elements[0];
  for (size_t i = 0; i < elements.size(); ++i) {
    const Value &value = elements[i];
    if (total.error())
      return {};
    bool tensors = total.is(Value::Kind::Tensor) && value.is(Value::Kind::Tensor);
    if (!tensors && (!total.numeric() || !value.numeric())) {
      error(diag::TypeMismatch, call.span, frame, argumentOf(call), "a list of numbers, tensors or losses",
            describe(typeOf(values[0])));
      return {};
    }
    if (i == 0)
      continue;
    if (tensors) {
      total = combine(OpKind::Add, total, value, nullptr, "sum", call.callee.span, frame);
      continue;
    }
    int hole = total.learned() ? total.hole : value.hole;
    if (total.is(Value::Kind::Int) && value.is(Value::Kind::Int)) {
      if (__builtin_add_overflow(total.integer, value.integer, &total.integer)) {
        error(diag::Overflow, call.span, frame, "sum");
        return {};
      }
    } else {
      total = Value::ofFloat(total.asDouble() + value.asDouble());
    }
    total.hole = hole;
    total.element = -1;
  }
  return total;
}

} // namespace vernier::dsl
