// Values of the language while a model is elaborated.
#ifndef VERNIER_DSL_VALUE_H
#define VERNIER_DSL_VALUE_H

#include "dsl/Callee.h"
#include "dsl/Source.h"
#include "dsl/Types.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vernier::dsl {

struct BlockValue;
struct ListValue;

// The terms of a loss: weights of loss nodes.
using LossTerms = std::map<int, double>;

// A bit for each `choose` hole, in the order of the graph's.
using ChoiceSet = uint64_t;

struct Value {
  // Error: something that was reported; whatever is done with it is an Error again, silently.
  enum class Kind { Error, None, Int, Float, Bool, String, List, Tensor, Labels, Loss, Block };
  Kind kind = Kind::Error;
  // A number of channels that depends on hole `hole`: its element `element`, or, at -1, something made of it.
  int hole = -1, element = -1;
  // The `choose` holes that it was computed from; not a tensor's or labels', which their node knows.
  ChoiceSet choices = 0;
  union {
    int64_t integer = 0; // Int, Bool; Tensor, Labels: index of the node
    double number;       // Float
  };
  std::shared_ptr<const std::string> text;
  std::shared_ptr<const ListValue> list;
  std::shared_ptr<const BlockValue> block;
  std::shared_ptr<const LossTerms> loss;

  bool is(Kind k) const { return kind == k; }
  bool error() const { return kind == Kind::Error; }
  bool numeric() const { return kind == Kind::Int || kind == Kind::Float; }
  bool learned() const { return hole >= 0; }
  double asDouble() const { return kind == Kind::Float ? number : static_cast<double>(integer); }
  bool map() const { return kind == Kind::Tensor || kind == Kind::Labels; }
  int node() const { return static_cast<int>(integer); }

  static Value none();
  static Value ofInt(int64_t value);
  static Value ofFloat(double value);
  static Value ofBool(bool value);
  static Value ofString(std::string value);
  static Value ofTensor(int node);
  static Value ofLabels(int node);
  static Value ofLoss(LossTerms terms);
  static Value ofList(std::vector<Value> elements);
  static Value ofBlock(BlockValue block);
};

struct ListValue {
  std::vector<Value> elements;
  int depth = 1; // of lists and blocks in lists
};

// A block or an operation that is a value: what calls it gives the open parameters, in their order.
struct BlockValue {
  Callee callee;
  struct Argument {
    Value value;
    Span span;
  };
  std::vector<std::optional<Argument>> bound{}; // of each parameter
  std::vector<size_t> open{};                   // parameters
  std::shared_ptr<const std::string> shared{};  // the place of all calls' parameters; null: each has its own
  bool frozen = false;                          // training leaves them as they are
  Type type{};
  int depth = 1; // of blocks and lists in blocks
};

// The type of a value; of a long list, by its first elements.
Type typeOf(const Value &value);
// "3", "`nearest`", "a list of 4", "tensor": for messages.
std::string describe(const Value &value);
// A float as it would be written.
std::string formatFloat(double value);

} // namespace vernier::dsl

#endif
