#include "dsl/Value.h"

#include <algorithm>
#include <charconv>

namespace vernier::dsl {

namespace {

int depthOf(const Value &value) {
  return value.is(Value::Kind::List)    ? value.list->depth
         : value.is(Value::Kind::Block) ? value.block->depth
                                        : 0;
}

} // namespace

Value Value::none() {
  Value out;
  out.kind = Kind::None;
  return out;
}

Value Value::ofInt(int64_t value) {
  Value out;
  out.kind = Kind::Int;
  out.integer = value;
  return out;
}

Value Value::ofFloat(double value) {
  Value out;
  out.kind = Kind::Float;
  out.number = value;
  return out;
}

Value Value::ofBool(bool value) {
  Value out = ofInt(value);
  out.kind = Kind::Bool;
  return out;
}

Value Value::ofString(std::string value) {
  Value out;
  out.kind = Kind::String;
  out.text = std::make_shared<const std::string>(std::move(value));
  return out;
}

Value Value::ofTensor(int node) {
  Value out = ofInt(node);
  out.kind = Kind::Tensor;
  return out;
}

Value Value::ofLabels(int node) {
  Value out = ofInt(node);
  out.kind = Kind::Labels;
  return out;
}

Value Value::ofLoss(LossTerms terms) {
  Value out;
  out.kind = Kind::Loss;
  out.loss = std::make_shared<const LossTerms>(std::move(terms));
  return out;
}

Value Value::ofList(std::vector<Value> elements) {
  auto list = std::make_shared<ListValue>();
  for (const Value &element : elements)
    list->depth = std::max(list->depth, depthOf(element) + 1);
  list->elements = std::move(elements);
  Value out;
  out.kind = Kind::List;
  out.list = std::move(list);
  return out;
}

Value Value::ofBlock(BlockValue block) {
  for (const std::optional<BlockValue::Argument> &argument : block.bound)
    if (argument)
      block.depth = std::max(block.depth, depthOf(argument->value) + 1);
  Value out;
  out.kind = Kind::Block;
  out.block = std::make_shared<const BlockValue>(std::move(block));
  return out;
}

Type typeOf(const Value &value) {
  switch (value.kind) {
  case Value::Kind::Error:
    return Type::unknown();
  case Value::Kind::None:
    return Type::none();
  case Value::Kind::Int:
    return Type::integer();
  case Value::Kind::Float:
    return Type::floating();
  case Value::Kind::Bool:
    return Type::boolean();
  case Value::Kind::String:
    return Type::string();
  case Value::Kind::Tensor:
    return Type::tensor();
  case Value::Kind::Labels:
    return Type::labels();
  case Value::Kind::Loss:
    return Type::loss();
  case Value::Kind::List: {
    constexpr size_t enough = 4;
    constexpr int deepest = 4;
    auto &elements = value.list->elements;
    if (elements.empty() || value.list->depth > deepest)
      return Type::list(Type::unknown());
    Type type = typeOf(elements[0]);
    for (size_t i = 1; i < std::min(enough, elements.size()); ++i)
      type = join(type, typeOf(elements[i]));
    return Type::list(type);
  }
  case Value::Kind::Block:
    return value.block->type;
  }
  return Type::unknown();
}

std::string formatFloat(double value) {
  char buffer[32];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end);
}

std::string describe(const Value &value) {
  switch (value.kind) {
  case Value::Kind::None:
    return "none";
  case Value::Kind::Int:
    return std::to_string(value.integer);
  case Value::Kind::Float:
    return formatFloat(value.number);
  case Value::Kind::Bool:
    return value.integer ? "true" : "false";
  case Value::Kind::String:
    return "`" + value.text->substr(0, 40) + (value.text->size() > 40 ? "..." : "") + "`";
  case Value::Kind::List:
    return "a list of " + std::to_string(value.list->elements.size());
  case Value::Kind::Tensor:
    return "a tensor";
  case Value::Kind::Labels:
    return "labels";
  case Value::Kind::Loss:
    return "a loss";
  case Value::Kind::Block:
    return std::string(value.block->callee.block ? "block `" : "operation `") +
           std::string(value.block->callee.name()) + "`";
  case Value::Kind::Error:
    break;
  }
  return "nothing";
}

} // namespace vernier::dsl
