#include "dsl/Ops.h"

#include <algorithm>

namespace vernier::dsl {

static OpSignature activation(Activation::Kind kind, std::vector<OpParameter> parameters = {}) {
  parameters.insert(parameters.begin(), {"x", OpParam::Tensor});
  return {Op::Activate, nameOf(kind), nameOf(kind), std::move(parameters), kind};
}

// Of x and, but for the mean, of a target of its shape.
static OpSignature pointwise(Pointwise kind, std::string_view name,
                             std::vector<OpParameter> parameters = {}) {
  if (kind != Pointwise::Mean)
    parameters.insert(parameters.begin(), {"target", OpParam::Tensor});
  parameters.insert(parameters.begin(), {"x", OpParam::Tensor});
  return {Op::PointwiseLoss, name, name, std::move(parameters), Activation::None, kind, Type::loss()};
}

const std::vector<OpSignature> &operations() {
  using enum OpParam;
  static const std::vector<OpSignature> table = {
      {Op::Conv,
       "conv",
       "conv",
       {{"x", Tensor},
        {"channels", Int},
        {"kernel", IntOrInts},
        {"stride", IntOrInts, false},
        {"padding", Padding, false},
        {"dilation", IntOrInts, false},
        {"groups", Int, false},
        {"bias", Bool, false}}},
      {Op::ConvTranspose,
       "conv_transpose",
       "conv_transpose",
       {{"x", Tensor},
        {"channels", Int},
        {"kernel", IntOrInts},
        {"stride", IntOrInts, false},
        {"padding", IntOrInts, false},
        {"output_padding", IntOrInts, false},
        {"dilation", IntOrInts, false},
        {"groups", Int, false},
        {"bias", Bool, false}}},
      {Op::Linear, "linear", "fc", {{"x", Tensor}, {"features", Int}, {"bias", Bool, false}}},
      {Op::BatchNorm,
       "batch_norm",
       "bn",
       {{"x", Tensor}, {"epsilon", Float, false}, {"momentum", Float, false}}},
      {Op::LayerNorm, "layer_norm", "ln", {{"x", Tensor}, {"epsilon", Float, false}}},
      {Op::GroupNorm, "group_norm", "gn", {{"x", Tensor}, {"groups", Int}, {"epsilon", Float, false}}},
      {Op::LayerScale, "layer_scale", "scale", {{"x", Tensor}, {"initial", Float, false}}},
      {Op::Parameter, "parameter", "parameter", {{"channels", Int}, {"initial", Float, false}}},
      {Op::Prelu, "prelu", "prelu", {{"x", Tensor}, {"per_channel", Bool, false}, {"initial", Float, false}}},
      {Op::Dropout, "dropout", "dropout", {{"x", Tensor}, {"rate", Float}}},
      {Op::ChannelDropout, "channel_dropout", "channel_dropout", {{"x", Tensor}, {"rate", Float}}},
      {Op::DropPath, "drop_path", "drop_path", {{"x", Tensor}, {"rate", Float}}},
      activation(Activation::Relu),
      activation(Activation::Relu6),
      activation(Activation::LeakyRelu, {{"slope", Float, false}}),
      activation(Activation::Sigmoid),
      activation(Activation::HardSigmoid),
      activation(Activation::Tanh),
      activation(Activation::Exp),
      activation(Activation::Silu),
      activation(Activation::HardSwish),
      activation(Activation::Gelu),
      activation(Activation::GeluTanh),
      {Op::MaxPool,
       "max_pool",
       "max_pool",
       {{"x", Tensor},
        {"kernel", IntOrInts},
        {"stride", IntOrInts, false},
        {"padding", Padding, false},
        {"ceil", Bool, false}}},
      {Op::AvgPool,
       "avg_pool",
       "avg_pool",
       {{"x", Tensor},
        {"kernel", IntOrInts},
        {"stride", IntOrInts, false},
        {"padding", Padding, false},
        {"ceil", Bool, false},
        {"count_padding", Bool, false}}},
      {Op::GlobalAvgPool, "global_avg_pool", "global_avg_pool", {{"x", Tensor}}},
      {Op::GlobalMaxPool, "global_max_pool", "global_max_pool", {{"x", Tensor}}},
      {Op::AdaptiveAvgPool, "adaptive_avg_pool", "adaptive_avg_pool", {{"x", Tensor}, {"size", IntOrInts}}},
      {Op::ChannelMean, "channel_mean", "channel_mean", {{"x", Tensor}}},
      {Op::ChannelMax, "channel_max", "channel_max", {{"x", Tensor}}},
      {Op::Resize,
       "resize",
       "resize",
       {{"x", Tensor},
        {"mode", Word, true, {"nearest", "nearest_exact", "bilinear", "bicubic"}},
        {"like", Tensor, false},
        {"size", Ints, false},
        {"scale", Float, false},
        {"align_corners", Bool, false},
        {"antialias", Bool, false}}},
      {Op::Pad,
       "pad",
       "pad",
       {{"x", Tensor}, {"padding", IntOrInts}, {"mode", Word, false, {"zero", "replicate"}}}},
      {Op::Crop,
       "crop",
       "crop",
       {{"x", Tensor}, {"like", Tensor, false}, {"size", Ints, false}, {"offset", Ints, false}}},
      {Op::Slice, "slice", "slice", {{"x", Tensor}, {"begin", Int}, {"count", Int}}},
      {Op::Split,
       "split",
       "split",
       {{"x", Tensor}, {"parts", IntOrInts}},
       Activation::None,
       Pointwise::Mean,
       Type::list(Type::tensor())},
      {Op::Concat, "concat", "concat", {{"tensors", Tensors}}},
      {Op::ChannelShuffle, "channel_shuffle", "channel_shuffle", {{"x", Tensor}, {"groups", Int}}},
      {Op::PixelShuffle, "pixel_shuffle", "pixel_shuffle", {{"x", Tensor}, {"factor", Int}}},
      {Op::PixelUnshuffle, "pixel_unshuffle", "pixel_unshuffle", {{"x", Tensor}, {"factor", Int}}},
      {Op::Softmax,
       "softmax",
       "softmax",
       {{"tensors", Tensors}},
       Activation::None,
       Pointwise::Mean,
       Type::list(Type::tensor())},
      {Op::ChannelSoftmax, "channel_softmax", "channel_softmax", {{"x", Tensor}, {"runs", Int, false}}},
      {Op::ChannelLogSoftmax,
       "channel_log_softmax",
       "channel_log_softmax",
       {{"x", Tensor}, {"runs", Int, false}}},
      {Op::SpatialSoftmax, "spatial_softmax", "spatial_softmax", {{"x", Tensor}}},
      {Op::Matmul,
       "matmul",
       "matmul",
       {{"a", Tensor}, {"b", Tensor}, {"transpose_a", Bool, false}, {"transpose_b", Bool, false}}},
      {Op::Add, "add", "add", {{"a", Tensor}, {"b", Tensor}}},
      {Op::Subtract, "subtract", "subtract", {{"a", Tensor}, {"b", Tensor}}},
      {Op::Multiply, "multiply", "multiply", {{"a", Tensor}, {"b", Tensor}}},
      {Op::Divide, "divide", "divide", {{"a", Tensor}, {"b", Tensor}}},
      {Op::SoftmaxCrossEntropy,
       "softmax_cross_entropy",
       "softmax_cross_entropy",
       {{"x", Tensor},
        {"labels", Labels},
        {"smoothing", Float, false},
        {"ignore", Int, false},
        {"weights", Floats, false}},
       Activation::None,
       Pointwise::Mean,
       Type::loss()},
      pointwise(Pointwise::Binary, "binary_cross_entropy", {{"positive", Float, false}}),
      pointwise(Pointwise::Focal, "focal_loss", {{"gamma", Float, false}, {"alpha", Float, false}}),
      pointwise(Pointwise::Squared, "squared_error"),
      pointwise(Pointwise::Absolute, "absolute_error"),
      pointwise(Pointwise::SmoothL1, "smooth_l1", {{"beta", Float, false}}),
      pointwise(Pointwise::Mean, "mean"),
  };
  return table;
}

const std::vector<FunctionSignature> &functions() {
  constexpr int any = 1 << 20;
  static const std::vector<FunctionSignature> table = {
      {Function::Len, "len", 1, 1},
      {Function::Sum, "sum", 1, 1},
      {Function::Min, "min", 1, any},
      {Function::Max, "max", 1, any},
      {Function::Range, "range", 1, 2},
      {Function::Zip, "zip", 2, any},
      {Function::Enumerate, "enumerate", 1, 1},
      {Function::Reverse, "reverse", 1, 1},
      {Function::Even, "even", 2, 2},
      {Function::Floor, "floor", 1, 1},
      {Function::Ceil, "ceil", 1, 1},
      {Function::Round, "round", 1, 1},
      {Function::Int, "int", 1, 1},
  };
  return table;
}

const OpSignature *findOperation(std::string_view name) {
  for (const OpSignature &op : operations())
    if (op.name == name)
      return &op;
  return nullptr;
}

const FunctionSignature *findFunction(std::string_view name) {
  for (const FunctionSignature &function : functions())
    if (function.name == name)
      return &function;
  return nullptr;
}

const std::vector<std::string> &argumentWords() {
  static const std::vector<std::string> table = {"nearest", "nearest_exact", "bilinear", "bicubic",
                                                 "zero",    "replicate",     "same",     "same_upper"};
  return table;
}

bool isWord(std::string_view name) {
  return std::ranges::find(argumentWords(), name) != argumentWords().end();
}

std::string_view helpOfLosses(const Type &left, const Type &right) {
  if (left.is(Type::Kind::Loss) || right.is(Type::Kind::Loss))
    return "losses are added, and multiplied or divided by numbers: `a + 0.5 * b`; `sum` adds a list of them";
  if (left.is(Type::Kind::Labels) || right.is(Type::Kind::Labels))
    return conversionHelp(Type::tensor(), Type::labels());
  return "";
}

Type typeOf(const OpParameter &parameter) {
  switch (parameter.kind) {
  case OpParam::Tensor:
    return Type::tensor();
  case OpParam::Labels:
    return Type::labels();
  case OpParam::Tensors:
    return Type::list(Type::tensor());
  case OpParam::Int:
    return Type::integer();
  case OpParam::Ints:
    return Type::list(Type::integer());
  case OpParam::Float:
    return Type::floating();
  case OpParam::Floats:
    return Type::list(Type::floating());
  case OpParam::Bool:
    return Type::boolean();
  case OpParam::Word:
    return Type::word({parameter.words.begin(), parameter.words.end()});
  case OpParam::IntOrInts:
  case OpParam::Padding:
    break;
  }
  return Type::unknown();
}

std::string describe(const OpParameter &parameter) {
  switch (parameter.kind) {
  case OpParam::Tensor:
    return "a tensor";
  case OpParam::Labels:
    return "labels";
  case OpParam::Tensors:
    return "a list of tensors";
  case OpParam::Int:
    return "an int";
  case OpParam::Ints:
    return "a list of ints";
  case OpParam::IntOrInts:
    return "an int or a list of ints";
  case OpParam::Padding:
    return "an int, a list of ints, `same` or `same_upper`";
  case OpParam::Float:
    return "a number";
  case OpParam::Floats:
    return "a list of numbers";
  case OpParam::Bool:
    return "true or false";
  case OpParam::Word:
    return describeWords({parameter.words.begin(), parameter.words.end()});
  }
  return "";
}

} // namespace vernier::dsl
