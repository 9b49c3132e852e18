// The operations and functions of the language: their parameters, for checking, elaborating and messages.
#ifndef VERNIER_DSL_OPS_H
#define VERNIER_DSL_OPS_H

#include "dsl/Graph.h"
#include "dsl/Types.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vernier::dsl {

enum class Op {
  Conv,
  ConvTranspose,
  Linear,
  BatchNorm,
  LayerNorm,
  GroupNorm,
  LayerScale,
  Parameter,
  Prelu,
  Dropout,
  ChannelDropout,
  DropPath,
  ChannelMean,
  ChannelMax,
  Activate,
  MaxPool,
  AvgPool,
  GlobalAvgPool,
  GlobalMaxPool,
  AdaptiveAvgPool,
  Resize,
  Pad,
  Crop,
  Slice,
  Split,
  Concat,
  ChannelShuffle,
  PixelShuffle,
  PixelUnshuffle,
  Softmax,
  ChannelSoftmax,
  ChannelLogSoftmax,
  SpatialSoftmax,
  Matmul,
  Add,
  Subtract,
  Multiply,
  Divide,
  SoftmaxCrossEntropy,
  PointwiseLoss,
};

enum class OpParam {
  Tensor,
  Labels,
  Tensors, // list of tensors
  Int,
  Ints, // list of ints
  IntOrInts,
  Padding, // int, list of ints, `same` or `same_upper`
  Float,
  Floats, // list of numbers
  Bool,
  Word, // one of `words`
};

struct OpParameter {
  std::string_view name;
  OpParam kind;
  bool required = true;
  std::vector<std::string_view> words{};
};

struct OpSignature {
  Op op;
  std::string_view name;
  std::string_view place; // how an unlabelled one is named
  std::vector<OpParameter> parameters;
  Activation::Kind activation = Activation::None; // of Activate
  Pointwise pointwise = Pointwise::Mean;          // of PointwiseLoss
  Type result = Type::tensor();
};

enum class Function {
  None,
  Len,
  Sum,
  Min,
  Max,
  Range,
  Zip,
  Enumerate,
  Reverse,
  Even,
  Floor,
  Ceil,
  Round,
  Int
};

struct FunctionSignature {
  Function function;
  std::string_view name;
  int least, most; // arguments
};

// What `+` and its like do, for messages.
inline constexpr std::string_view tensorOperators =
    "tensors have `+`, `-`, `*` and `/`, with tensors and with numbers";
inline constexpr std::string_view divisibleTensors = "a tensor can be divided by a number or by a tensor";
inline constexpr std::string_view propertiesOfLabels = "labels have `height` and `width`";
// What can be done with operands of which one is a loss or labels; empty where none is.
std::string_view helpOfLosses(const Type &left, const Type &right);

const std::vector<OpSignature> &operations();
const std::vector<FunctionSignature> &functions();
const OpSignature *findOperation(std::string_view name);
const FunctionSignature *findFunction(std::string_view name);
// `nearest`, `bicubic`, `zero`, `replicate`, `same`: names whose value is themselves.
const std::vector<std::string> &argumentWords();
bool isWord(std::string_view name);

// The type of a value that it takes; unknown where there are several.
Type typeOf(const OpParameter &parameter);
// "int", "int or list of ints", "`nearest` or `bilinear`": for messages.
std::string describe(const OpParameter &parameter);

} // namespace vernier::dsl

#endif
