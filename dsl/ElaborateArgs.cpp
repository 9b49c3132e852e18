// The arguments of operations: from values to the numbers a node holds.
#include "dsl/Elaborator.h"

#include <algorithm>
#include <cmath>

namespace vernier::dsl {

std::string Elaborator::OpCall::what(size_t i) const {
  return "`" + std::string(op->parameters[i].name) + "` of `" + std::string(op->name) + "`";
}

void Elaborator::badValue(OpCall &op, size_t i, std::string_view wanted, const Value &found) {
  op.failed = true;
  error(diag::BadValue, op.span(i), *op.frame, op.what(i), wanted, describe(found));
}

int64_t Elaborator::intArgument(OpCall &op, size_t i, int64_t least, int64_t most, int64_t fallback) {
  if (!op.given[i])
    return fallback;
  auto value = integer(op.values[i], op.what(i), op.span(i), *op.frame);
  if (value && *value >= least && *value <= most)
    return *value;
  op.failed = true;
  if (value)
    badValue(op, i, "from " + std::to_string(least) + " to " + std::to_string(most), op.values[i]);
  return fallback;
}

// A list of exactly `count` ints within bounds.
bool Elaborator::listArgument(OpCall &op, size_t i, size_t count, int64_t least, int64_t most, int64_t *out) {
  const Value &value = op.values[i];
  if (!value.is(Value::Kind::List) || value.list->elements.size() != count) {
    std::string wanted = count == 2 ? "[height, width]" : "[top, bottom, left, right]";
    if (op.op->op == Op::Crop && op.op->parameters[i].name == "offset")
      wanted = "[top, left]";
    badValue(op, i, (value.is(Value::Kind::List) ? "" : "an int or ") + wanted, value);
    return false;
  }
  for (size_t k = 0; k < count; ++k) {
    const Value &element = value.list->elements[k];
    auto found = integer(element, op.what(i), op.span(i), *op.frame);
    if (!found || *found < least || *found > most) {
      op.failed = true;
      if (found)
        badValue(op, i, "from " + std::to_string(least) + " to " + std::to_string(most), element);
      return false;
    }
    out[k] = *found;
  }
  return true;
}

// An int for both axes, or [height, width].
void Elaborator::pairArgument(OpCall &op, size_t i, int64_t least, int64_t most, int64_t (&out)[2],
                              int64_t fallback) {
  if (!op.given[i] || op.values[i].is(Value::Kind::Int))
    out[0] = out[1] = intArgument(op, i, least, most, fallback);
  else
    listArgument(op, i, 2, least, most, out);
}

void Elaborator::paddingArgument(OpCall &op, size_t i, int64_t (&out)[4]) {
  if (op.values[i].is(Value::Kind::Int))
    std::fill(out, out + 4, intArgument(op, i, 0, maxSide, 0));
  else
    listArgument(op, i, 4, 0, maxSide, out);
}

bool Elaborator::boolArgument(OpCall &op, size_t i, bool fallback) {
  if (!op.given[i])
    return fallback;
  if (!op.values[i].is(Value::Kind::Bool))
    badValue(op, i, "true or false", op.values[i]);
  return op.values[i].integer != 0;
}

double Elaborator::floatArgument(OpCall &op, size_t i, double fallback) {
  if (!op.given[i])
    return fallback;
  const Value &value = op.values[i];
  if (value.learned()) {
    op.failed = true;
    learnedUse(value, op.what(i), op.span(i), *op.frame);
    return fallback;
  }
  if (!value.numeric()) {
    badValue(op, i, "a number", value);
    return fallback;
  }
  return value.asDouble();
}

std::string Elaborator::wordArgument(OpCall &op, size_t i, std::string_view fallback) {
  if (!op.given[i])
    return std::string(fallback);
  const OpParameter &parameter = op.op->parameters[i];
  const Value &value = op.values[i];
  if (value.is(Value::Kind::String))
    for (std::string_view word : parameter.words)
      if (word == *value.text)
        return std::string(word);
  badValue(op, i, describe(parameter), value);
  return std::string(fallback);
}

// `like = t` or `size = [h, w]`; at most one of them. False where neither is given.
bool Elaborator::sizeArgument(OpCall &op, size_t like, size_t size, int64_t &height, int64_t &width) {
  if (op.given[like]) {
    if (op.values[like].is(Value::Kind::Tensor)) {
      height = shapeOf(op.values[like]).height;
      width = shapeOf(op.values[like]).width;
    } else {
      badValue(op, like, "a tensor", op.values[like]);
    }
    return true;
  }
  if (!op.given[size])
    return false;
  int64_t sizes[2] = {1, 1};
  listArgument(op, size, 2, 1, maxSide, sizes);
  height = sizes[0];
  width = sizes[1];
  return true;
}

// Where `like` or `size` say how large a map becomes, its former size no longer matters.
std::optional<ChoiceSet> Elaborator::newScale(const OpCall &op, size_t like, size_t size) const {
  if (op.given[like])
    return infoOf(op.values[like]).scale;
  return op.given[size] ? std::optional(op.values[size].choices) : std::nullopt;
}

} // namespace vernier::dsl
