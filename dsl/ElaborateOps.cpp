// From a call of an operation to its node. Parameter numbers are those of the table in Ops.cpp.
#include "dsl/Elaborator.h"

#include "dsl/ShapeRules.h"

#include <algorithm>
#include <cmath>

namespace vernier::dsl {

Value Elaborator::callOp(const OpSignature &signature, const CallExpr &call, const Arguments &arguments,
                         Frame &frame) {
  OpCall op;
  op.call = &call;
  op.op = &signature;
  op.frame = &frame;
  for (size_t i = 0; i < signature.parameters.size(); ++i) {
    const auto &argument = arguments[i];
    op.given.push_back(argument.has_value());
    op.values.push_back(argument ? argument->value : Value());
    op.spans.push_back(argument ? argument->span : call.callee.span);
    if (!argument)
      continue;
    op.failed |= op.values[i].error();
    const OpParam kind = signature.parameters[i].kind;
    if (kind != OpParam::Tensor && kind != OpParam::Tensors)
      op.choices |= op.values[i].choices;
    if (!op.failed && (kind == OpParam::Tensor || kind == OpParam::Labels) &&
        !op.values[i].is(kind == OpParam::Tensor ? Value::Kind::Tensor : Value::Kind::Labels)) {
      const OpParameter &parameter = signature.parameters[i];
      const Type found = typeOf(op.values[i]);
      auto report =
          error(diag::TypeMismatch, op.span(i), frame, op.what(i), describe(parameter), describe(found));
      report.help(std::string(conversionHelp(typeOf(parameter), found)));
      op.failed = true;
    }
  }
  if (op.failed || aborted_)
    return {};
  switch (op.op->op) {
  case Op::Conv:
    return convolution(op);
  case Op::ConvTranspose:
    return transposedConvolution(op);
  case Op::Linear:
    return linear(op);
  case Op::BatchNorm:
    return batchNorm(op);
  case Op::LayerNorm:
    return layerNorm(op);
  case Op::GroupNorm:
    return groupNorm(op);
  case Op::LayerScale:
    return layerScale(op);
  case Op::Parameter:
    return parameter(op);
  case Op::Prelu:
    return prelu(op);
  case Op::Dropout:
  case Op::ChannelDropout:
  case Op::DropPath:
    return dropout(op);
  case Op::Activate:
    return activate(op);
  case Op::MaxPool:
  case Op::AvgPool:
    return pool(op);
  case Op::GlobalAvgPool:
  case Op::GlobalMaxPool:
    return globalPool(op);
  case Op::AdaptiveAvgPool:
    return adaptivePool(op);
  case Op::ChannelMean:
  case Op::ChannelMax:
    return overChannels(op);
  case Op::Resize:
    return resize(op);
  case Op::Pad:
    return pad(op);
  case Op::Crop:
    return crop(op);
  case Op::Slice:
    return slice(op);
  case Op::Split:
    return split(op);
  case Op::Concat:
    return concat(op);
  case Op::ChannelShuffle:
    return channelShuffle(op);
  case Op::PixelShuffle:
  case Op::PixelUnshuffle:
    return pixelShuffle(op);
  case Op::Softmax:
    return softmaxOf(op);
  case Op::ChannelSoftmax:
  case Op::ChannelLogSoftmax:
  case Op::SpatialSoftmax:
    return softmax(op);
  case Op::Matmul:
    return matmul(op);
  case Op::Add:
    return combine(OpKind::Add, op.values[0], op.values[1], &call, op.op->name, call.callee.span, frame);
  case Op::Subtract:
    return combine(OpKind::Subtract, op.values[0], op.values[1], &call, op.op->name, call.callee.span, frame);
  case Op::Multiply:
    return combine(OpKind::Multiply, op.values[0], op.values[1], &call, op.op->name, call.callee.span, frame);
  case Op::Divide:
    return combine(OpKind::Divide, op.values[0], op.values[1], &call, op.op->name, call.callee.span, frame);
  case Op::SoftmaxCrossEntropy:
    return softmaxCrossEntropy(op);
  case Op::PointwiseLoss:
    return pointwiseLoss(op);
  }
  return {};
}

// Whether the window fits the padded map at least once.
bool Elaborator::windowFits(OpCall &op, const Node &node, const Shape &input) {
  int64_t extent[2] = {windowExtent(node.kernel[0], node.dilation[0]),
                       windowExtent(node.kernel[1], node.dilation[1])};
  int64_t height = input.height + node.padding[0] + node.padding[1];
  int64_t width = input.width + node.padding[2] + node.padding[3];
  if (extent[0] <= height && extent[1] <= width)
    return true;
  auto report = error(diag::WindowTooLarge, op.call->callee.span, *op.frame, op.op->name,
                      formatSize(extent[0], extent[1]), formatSize(height, width));
  if (report) {
    if (height != input.height || width != input.width)
      report.label("padding included");
    traceSizes(report, {op.values[0]});
  }
  return false;
}

// The output channels of a layer; the element of a learned hole, where it decides them.
LearnedWidthPtr Elaborator::channelsArgument(OpCall &op, size_t i, Node &node) {
  const Value &channels = op.values[i];
  if (!channels.is(Value::Kind::Int) || !channels.learned() || channels.element < 0) {
    node.channels = intArgument(op, i, 1, maxChannels, 1);
    return nullptr;
  }
  node.channels = channels.integer;
  node.channelsFrom = HoleUse{channels.hole, channels.element};
  auto form = std::make_shared<LearnedWidth>();
  form->terms[{channels.hole, channels.element}] = 1;
  return form;
}

// Whether the channels of a convolution divide into its groups, argument `groups`, and its weights are not
// too many. `hole`: one that decides channels, or -1.
bool Elaborator::layerFits(OpCall &op, const Node &node, size_t groups, int hole) {
  const int64_t inputs = shapeOf(op.values[0]).channels;
  if (inputs == 0) {
    error(diag::NothingLeft, op.call->callee.span, *op.frame, op.op->name);
    return false;
  }
  if (node.groups > 1 && hole >= 0) {
    error(diag::LearnedGroups, op.span(groups), *op.frame)
        .note("the learned hole", holeSpans_[hole])
        .help("another allocation would not divide into the groups");
    return false;
  }
  for (bool in : {true, false}) {
    if ((in ? inputs : node.channels) % node.groups == 0)
      continue;
    auto report = error(diag::GroupsDoNotDivide, op.span(groups), *op.frame, node.groups,
                        in ? inputs : node.channels, in ? "input" : "output");
    if (report && in)
      traceChannels(report, op.values[0]);
    return false;
  }
  if (weightCount(node, inputs) > maxElements) {
    error(diag::WeightsTooLarge, op.call->callee.span, *op.frame, op.op->name, weightCount(node, inputs));
    return false;
  }
  return true;
}

// A hole that decides channels of a layer's operand or of its result; -1: none does.
static int holeOf(const LearnedWidthPtr &operand, const LearnedWidthPtr &result) {
  const LearnedWidthPtr &width = operand ? operand : result;
  return width ? width->terms.begin()->first.first : -1;
}

// Padding on both sides together with which a stride makes ceil(size / stride) of a size.
static int64_t roundedUpPadding(int64_t size, int64_t kernel, int64_t stride, int64_t dilation) {
  const int64_t needed = (size - 1) / stride * stride + windowExtent(kernel, dilation);
  return std::max<int64_t>(0, needed - size);
}

// Argument `i`, of a window whose kernel, argument `kernel`, stride and dilation are known. Not given it is
// `same`, or none.
void Elaborator::windowPadding(OpCall &op, size_t kernel, size_t i, bool same, Node &node) {
  const auto isWord = [&](std::string_view word) {
    return op.given[i] && op.values[i].is(Value::Kind::String) && *op.values[i].text == word;
  };
  same = same || isWord("same");
  if (op.failed || (!op.given[i] && !same))
    return;
  if (!same && !isWord("same_upper"))
    return paddingArgument(op, i, node.padding);
  if (same && (node.kernel[0] % 2 == 0 || node.kernel[1] % 2 == 0)) {
    op.failed = true;
    error(diag::EvenKernel, op.span(kernel), *op.frame, formatSize(node.kernel[0], node.kernel[1]))
        .help("an even kernel has no middle: give `padding` as an int or [top, bottom, left, right]");
    return;
  }
  const Shape &input = shapeOf(op.values[0]);
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t size = axis == 0 ? input.height : input.width, taps = node.kernel[axis],
                  dilation = node.dilation[axis];
    const int64_t all =
        same ? 2 * samePadding(taps, dilation) : roundedUpPadding(size, taps, node.stride[axis], dilation);
    node.padding[2 * axis] = all / 2;
    node.padding[2 * axis + 1] = all - all / 2;
  }
  if (!same)
    op.choices |= infoOf(op.values[0]).scale; // it follows from the map's size
}

Value Elaborator::convolution(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  Node node;
  node.kind = OpKind::Convolution;
  node.operands = {op.values[0].node()};
  LearnedWidthPtr width = channelsArgument(op, 1, node);
  pairArgument(op, 2, 1, maxKernel, node.kernel);
  pairArgument(op, 3, 1, maxSide, node.stride);
  pairArgument(op, 5, 1, maxSide, node.dilation);
  windowPadding(op, 2, 4, /*same=*/!op.given[4], node);
  node.groups = intArgument(op, 6, 1, maxChannels, 1);
  node.bias = boolArgument(op, 7, false);
  if (op.failed || !layerFits(op, node, 6, holeOf(widthOf(op.values[0]), width)) ||
      !windowFits(op, node, input))
    return {};
  node.shape = {node.channels,
                convolutionSize(input.height, node.kernel[0], node.stride[0], node.dilation[0],
                                node.padding[0], node.padding[1]),
                convolutionSize(input.width, node.kernel[1], node.stride[1], node.dilation[1],
                                node.padding[2], node.padding[3])};
  return addNode(op, std::move(node), width);
}

Value Elaborator::transposedConvolution(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  Node node;
  node.kind = OpKind::TransposedConvolution;
  node.operands = {op.values[0].node()};
  LearnedWidthPtr width = channelsArgument(op, 1, node);
  pairArgument(op, 2, 1, maxKernel, node.kernel);
  pairArgument(op, 3, 1, maxSide, node.stride);
  if (op.given[4])
    paddingArgument(op, 4, node.padding);
  pairArgument(op, 5, 0, maxSide, node.outputPadding, 0);
  pairArgument(op, 6, 1, maxSide, node.dilation);
  node.groups = intArgument(op, 7, 1, maxChannels, 1);
  node.bias = boolArgument(op, 8, false);
  if (op.failed)
    return {};
  for (int axis : {0, 1})
    if (node.outputPadding[axis] >= std::max(node.stride[axis], node.dilation[axis])) {
      error(diag::OutputPaddingTooLarge, op.span(5), *op.frame, op.op->name, node.outputPadding[axis],
            node.stride[axis], node.dilation[axis])
          .help("output padding is less than the stride or the dilation; more rows are `pad(...)`");
      return {};
    }
  if (!layerFits(op, node, 7, holeOf(widthOf(op.values[0]), width)))
    return {};
  const auto size = [&](int axis, int64_t extent, bool padded) {
    return transposedConvolutionSize(extent, node.kernel[axis], node.stride[axis], node.dilation[axis],
                                     padded ? node.padding[2 * axis] : 0,
                                     padded ? node.padding[2 * axis + 1] : 0, node.outputPadding[axis]);
  };
  node.shape = {node.channels, size(0, input.height, true), size(1, input.width, true)};
  if (node.shape.height < 1 || node.shape.width < 1) {
    auto report = error(diag::PaddingTakesAll, op.span(4), *op.frame, op.op->name,
                        formatSize(size(0, input.height, false), size(1, input.width, false)));
    report.help("the padding of a transposed convolution is cut off its result");
    if (report)
      traceSizes(report, {op.values[0]});
    return {};
  }
  return addNode(op, std::move(node), width);
}

Value Elaborator::linear(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  Node node;
  node.kind = OpKind::Linear;
  node.operands = {op.values[0].node()};
  node.channels = intArgument(op, 1, 1, maxChannels, 1);
  node.bias = boolArgument(op, 2, true);
  node.shape = {node.channels, 1, 1};
  if (op.failed)
    return {};
  if (input.height != 1 || input.width != 1) {
    auto report =
        error(diag::LinearOnMap, op.call->callee.span, *op.frame, formatSize(input.height, input.width));
    report.help("`global_avg_pool` makes a map 1x1");
    if (report)
      traceSizes(report, {op.values[0]});
    return {};
  }
  if (input.channels == 0) {
    error(diag::NothingLeft, op.call->callee.span, *op.frame, "linear");
    return {};
  }
  if (weightCount(node, input.channels) > maxElements) {
    error(diag::WeightsTooLarge, op.call->callee.span, *op.frame, "linear",
          weightCount(node, input.channels));
    return {};
  }
  return addNode(op, std::move(node), nullptr);
}

// With the shape of its only operand.
Value Elaborator::addLike(OpCall &op, Node node) {
  node.operands = {op.values[0].node()};
  node.shape = shapeOf(op.values[0]);
  node.channels = node.shape.channels;
  return addNode(op, std::move(node), widthOf(op.values[0]));
}

Value Elaborator::batchNorm(OpCall &op) {
  Node node;
  node.kind = OpKind::BatchNorm;
  node.epsilon = floatArgument(op, 1, 1e-5);
  node.momentum = floatArgument(op, 2, 0.1);
  if (!op.failed && !(node.epsilon > 0 && node.epsilon <= 1))
    badValue(op, 1, "above 0 and at most 1", op.values[1]);
  if (!op.failed && !(node.momentum >= 0 && node.momentum <= 1))
    badValue(op, 2, "from 0 to 1", op.values[2]);
  return op.failed ? Value() : addLike(op, std::move(node));
}

Value Elaborator::layerNorm(OpCall &op) {
  Node node;
  node.kind = OpKind::LayerNorm;
  node.epsilon = floatArgument(op, 1, 1e-5);
  if (!op.failed && !(node.epsilon > 0 && node.epsilon <= 1))
    badValue(op, 1, "above 0 and at most 1", op.values[1]);
  return op.failed ? Value() : addLike(op, std::move(node));
}

Value Elaborator::layerScale(OpCall &op) {
  Node node;
  node.kind = OpKind::LayerScale;
  node.initial = floatArgument(op, 1, 1e-6);
  if (!op.failed && !(std::abs(node.initial) <= 1e6))
    badValue(op, 1, "from -1e6 to 1e6", op.values[1]);
  return op.failed ? Value() : addLike(op, std::move(node));
}

Value Elaborator::groupNorm(OpCall &op) {
  Node node;
  node.kind = OpKind::GroupNorm;
  node.groups = intArgument(op, 1, 1, maxChannels, 1);
  node.epsilon = floatArgument(op, 2, 1e-5);
  if (!op.failed && !(node.epsilon > 0 && node.epsilon <= 1))
    badValue(op, 2, "above 0 and at most 1", op.values[2]);
  if (op.failed)
    return {};
  if (const int hole = holeOf(widthOf(op.values[0]), nullptr); node.groups > 1 && hole >= 0) {
    error(diag::LearnedGroups, op.span(1), *op.frame)
        .note("the learned hole", holeSpans_[hole])
        .help("another allocation would not divide into the groups");
    return {};
  }
  if (const int64_t channels = shapeOf(op.values[0]).channels; channels % node.groups != 0) {
    auto report = error(diag::UnevenSplit, op.span(1), *op.frame, op.op->name, channels, node.groups);
    if (report)
      traceChannels(report, op.values[0]);
    return {};
  }
  return addLike(op, std::move(node));
}

Value Elaborator::parameter(OpCall &op) {
  Node node;
  node.kind = OpKind::Parameter;
  node.channels = intArgument(op, 0, 1, maxChannels, 1);
  node.initial = floatArgument(op, 1, 1);
  if (!op.failed && !(std::abs(node.initial) <= 1e6))
    badValue(op, 1, "from -1e6 to 1e6", op.values[1]);
  node.shape = {node.channels, 1, 1};
  return op.failed ? Value() : addNode(op, std::move(node), nullptr, 0);
}

Value Elaborator::prelu(OpCall &op) {
  Node node;
  node.kind = OpKind::Prelu;
  node.perChannel = boolArgument(op, 1, false);
  node.initial = floatArgument(op, 2, 0.25);
  if (!op.failed && !(std::abs(node.initial) <= 1e6))
    badValue(op, 2, "from -1e6 to 1e6", op.values[2]);
  return op.failed ? Value() : addLike(op, std::move(node));
}

Value Elaborator::dropout(OpCall &op) {
  Node node;
  node.kind = OpKind::Dropout;
  node.rate = floatArgument(op, 1, 0);
  node.part = op.op->op == Op::Dropout          ? DroppedPart::Element
              : op.op->op == Op::ChannelDropout ? DroppedPart::Channel
                                                : DroppedPart::Image;
  if (!op.failed && !(node.rate >= 0 && node.rate < 1))
    badValue(op, 1, "from 0 to below 1", op.values[1]);
  if (!op.failed && isFrozen())
    return op.values[0];
  return op.failed ? Value() : addLike(op, std::move(node));
}

Value Elaborator::activate(OpCall &op) {
  Node node;
  node.kind = OpKind::Activate;
  node.activation = op.op->activation;
  if (node.activation.kind == Activation::LeakyRelu)
    node.activation.slope = floatArgument(op, 1, 0.01);
  // Its gradient is told from the result, whose sign a negative slope would hide.
  if (!op.failed && node.activation.slope < 0)
    badValue(op, 1, "a slope from 0", op.values[1]);
  return op.failed ? Value() : addLike(op, std::move(node));
}

Value Elaborator::pool(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  Node node;
  node.kind = op.op->op == Op::MaxPool ? OpKind::MaxPool : OpKind::AvgPool;
  node.operands = {op.values[0].node()};
  node.channels = input.channels;
  pairArgument(op, 1, 1, maxSide, node.kernel);
  if (op.given[2])
    pairArgument(op, 2, 1, maxSide, node.stride);
  else
    std::copy(node.kernel, node.kernel + 2, node.stride);
  windowPadding(op, 1, 3, /*same=*/false, node);
  node.ceil = boolArgument(op, 4, false);
  if (op.op->op == Op::AvgPool)
    node.countPadding = boolArgument(op, 5, true);
  if (op.failed)
    return {};
  // Otherwise a window could lie in the padding alone and would have no maximum.
  for (int side = 0; side < 4; ++side)
    if (2 * node.padding[side] > node.kernel[side / 2]) {
      error(diag::PaddingTooLarge, op.span(3), *op.frame, op.op->name, std::to_string(node.padding[side]),
            formatSize(node.kernel[0], node.kernel[1]))
          .help("padding is at most half of the window");
      return {};
    }
  if (!windowFits(op, node, input))
    return {};
  node.shape = {
      input.channels,
      poolSize(input.height, node.kernel[0], node.stride[0], node.padding[0], node.padding[1], node.ceil),
      poolSize(input.width, node.kernel[1], node.stride[1], node.padding[2], node.padding[3], node.ceil)};
  return addNode(op, std::move(node), widthOf(op.values[0]));
}

Value Elaborator::globalPool(OpCall &op) {
  Node node;
  const Shape input = shapeOf(op.values[0]);
  node.kind = OpKind::GlobalAvgPool;
  node.operands = {op.values[0].node()};
  node.channels = input.channels;
  node.shape = {node.channels, 1, 1};
  if (op.op->op == Op::GlobalMaxPool) {
    node.kind = OpKind::MaxPool;
    node.kernel[0] = node.stride[0] = input.height;
    node.kernel[1] = node.stride[1] = input.width;
    op.choices |= infoOf(op.values[0]).scale; // they are arguments
  }
  return addNode(op, std::move(node), widthOf(op.values[0]), 0);
}

Value Elaborator::overChannels(OpCall &op) {
  Node node;
  const Shape input = shapeOf(op.values[0]);
  node.kind = op.op->op == Op::ChannelMean ? OpKind::ChannelMean : OpKind::ChannelMax;
  node.operands = {op.values[0].node()};
  node.channels = 1;
  node.shape = {1, input.height, input.width};
  return addNode(op, std::move(node), nullptr);
}

Value Elaborator::pad(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  Node node;
  node.kind = OpKind::Pad;
  node.operands = {op.values[0].node()};
  node.channels = input.channels;
  paddingArgument(op, 1, node.padding);
  node.replicate = wordArgument(op, 2, "zero") == "replicate";
  if (op.failed)
    return {};
  node.shape = {input.channels, input.height + node.padding[0] + node.padding[1],
                input.width + node.padding[2] + node.padding[3]};
  return addNode(op, std::move(node), widthOf(op.values[0]));
}

Value Elaborator::crop(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  Node node;
  node.kind = OpKind::Crop;
  node.operands = {op.values[0].node()};
  node.channels = input.channels;
  int64_t height = 1, width = 1;
  if (op.given[1] == op.given[2]) {
    error(diag::ConflictingArguments, op.call->callee.span, *op.frame, "crop", "`like` and `size`");
    return {};
  }
  sizeArgument(op, 1, 2, height, width);
  if (op.given[3])
    listArgument(op, 3, 2, 0, maxSide, node.offset);
  if (op.failed)
    return {};
  if (node.offset[0] + height > input.height || node.offset[1] + width > input.width) {
    std::string at = node.offset[0] || node.offset[1] ? " at [" + std::to_string(node.offset[0]) + ", " +
                                                            std::to_string(node.offset[1]) + "]"
                                                      : "";
    auto report = error(diag::OutsideOperand, op.call->callee.span, *op.frame, "crop");
    report.label(formatSize(height, width) + at + " of a map of " + formatSize(input.height, input.width));
    if (report)
      traceSizes(report, {op.values[0]});
    return {};
  }
  node.shape = {input.channels, height, width};
  return addNode(op, std::move(node), widthOf(op.values[0]), newScale(op, 1, 2));
}

// Slices of a map of learned width would not be where they were for the seed.
bool Elaborator::constantWidth(OpCall &op, const Value &tensor) {
  LearnedWidthPtr width = widthOf(tensor);
  if (!width)
    return true;
  error(diag::LearnedSlice, op.call->callee.span, *op.frame, op.op->name)
      .note("the learned hole", holeSpans_[width->terms.begin()->first.first])
      .help("use the branches before they are concatenated");
  return false;
}

Value Elaborator::slice(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  Node node;
  node.kind = OpKind::Slice;
  node.operands = {op.values[0].node()};
  node.begin = intArgument(op, 1, 0, maxChannels, 0);
  node.channels = intArgument(op, 2, 1, maxChannels, 1);
  if (op.failed || !constantWidth(op, op.values[0]))
    return {};
  if (node.begin + node.channels > input.channels) {
    auto report = error(diag::OutsideOperand, op.call->callee.span, *op.frame, "slice");
    report.label("channels " + std::to_string(node.begin) + " to " +
                 std::to_string(node.begin + node.channels - 1) + " of " + std::to_string(input.channels));
    if (report)
      traceChannels(report, op.values[0]);
    return {};
  }
  node.shape = {node.channels, input.height, input.width};
  return addNode(op, std::move(node), nullptr);
}

Value Elaborator::split(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  if (!constantWidth(op, op.values[0]))
    return {};
  std::vector<int64_t> sizes;
  if (op.values[1].is(Value::Kind::List)) {
    int64_t total = 0;
    for (const Value &element : op.values[1].list->elements) {
      auto size = integer(element, op.what(1), op.span(1), *op.frame);
      if (!size)
        return {};
      if (*size < 1 || *size > maxChannels) {
        badValue(op, 1, "from 1 to " + std::to_string(maxChannels), element);
        return {};
      }
      total += *size;
      sizes.push_back(*size);
    }
    if (total != input.channels) {
      auto report = error(diag::BadValue, op.span(1), *op.frame, "the sum of `parts`",
                          "the number of channels, " + std::to_string(input.channels), std::to_string(total));
      if (report)
        traceChannels(report, op.values[0]);
      return {};
    }
  } else {
    int64_t parts = intArgument(op, 1, 1, maxChannels, 1);
    if (op.failed)
      return {};
    if (input.channels % parts != 0 || parts > input.channels) {
      auto report = error(diag::UnevenSplit, op.span(1), *op.frame, "split", input.channels, parts);
      report.help("a list of sizes splits unevenly: `split(x, even(x.channels, " + std::to_string(parts) +
                  "))`");
      if (report)
        traceChannels(report, op.values[0]);
      return {};
    }
    sizes.assign(parts, input.channels / parts);
  }
  auto place = placeOf(op.call, op.op->place, *op.frame);
  if (!place || !step(static_cast<int64_t>(sizes.size())))
    return {};
  std::vector<Value> slices;
  int64_t begin = 0;
  for (int64_t size : sizes) {
    Node node;
    node.kind = OpKind::Slice;
    node.operands = {op.values[0].node()};
    node.begin = begin;
    node.channels = size;
    node.shape = {size, input.height, input.width};
    begin += size;
    Value value = addNode(std::move(node), op.call, "", "split", op.call->callee.span, nullptr, *op.frame,
                          *place + "." + std::to_string(slices.size()));
    if (value.error())
      return {};
    slices.push_back(value);
  }
  return makeList(std::move(slices), op.call->span);
}

Value Elaborator::channelShuffle(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  Node node;
  node.kind = OpKind::ChannelShuffle;
  node.operands = {op.values[0].node()};
  node.groups = intArgument(op, 1, 1, maxChannels, 1);
  if (op.failed || !constantWidth(op, op.values[0]))
    return {};
  if (input.channels % node.groups != 0) {
    auto report =
        error(diag::UnevenSplit, op.span(1), *op.frame, "channel_shuffle", input.channels, node.groups);
    if (report)
      traceChannels(report, op.values[0]);
    return {};
  }
  node.channels = input.channels;
  node.shape = input;
  return addNode(op, std::move(node), nullptr);
}

LearnedWidth Elaborator::formOf(const Value &tensor) const {
  if (LearnedWidthPtr width = widthOf(tensor))
    return *width;
  LearnedWidth form;
  form.constant = shapeOf(tensor).channels;
  return form;
}

Value Elaborator::concat(OpCall &op) {
  if (!op.values[0].is(Value::Kind::List)) {
    badValue(op, 0, "a list of tensors", op.values[0]);
    return {};
  }
  const std::vector<Value> &parts = op.values[0].list->elements;
  if (parts.empty()) {
    error(diag::EmptyList, op.call->callee.span, *op.frame, "concat");
    return {};
  }
  Node node;
  node.kind = OpKind::Concat;
  LearnedWidth form;
  for (const Value &part : parts) {
    if (part.error())
      return {};
    if (!part.is(Value::Kind::Tensor)) {
      error(diag::TypeMismatch, op.span(0), *op.frame, op.what(0), "a list of tensors",
            describe(typeOf(op.values[0])));
      return {};
    }
    const Shape &shape = shapeOf(part), &first = shapeOf(parts[0]);
    if (shape.height != first.height || shape.width != first.width) {
      auto report = sizeMismatch(first, shape, "concat", op.call->callee.span, *op.frame);
      if (report)
        traceSizes(report, parts);
      return {};
    }
    node.operands.push_back(part.node());
    node.channels += shape.channels;
    LearnedWidth own = formOf(part);
    form.constant += own.constant;
    for (auto &[element, factor] : own.terms)
      form.terms[element] += factor;
    if (!step(1 + static_cast<int64_t>(own.terms.size())))
      return {};
  }
  if (node.channels > maxChannels) {
    badValue(op, 0, "at most " + std::to_string(maxChannels) + " channels together",
             Value::ofInt(node.channels));
    return {};
  }
  node.shape = {node.channels, shapeOf(parts[0]).height, shapeOf(parts[0]).width};
  if (!charge(static_cast<int64_t>(64 * form.terms.size() + sizeof(int) * parts.size())))
    return {};
  LearnedWidthPtr width =
      form.terms.empty() ? nullptr : std::make_shared<const LearnedWidth>(std::move(form));
  return addNode(op, std::move(node), width);
}

static const char *unlabelledPlace(OpKind kind) {
  switch (kind) {
  case OpKind::Add:
    return "add";
  case OpKind::Subtract:
    return "subtract";
  case OpKind::Divide:
    return "divide";
  default:
    return "multiply";
  }
}

// A tensor and a number.
Value Elaborator::scaleShift(const Value &x, double slope, double offset, ChoiceSet choices,
                             std::string_view written, Span span, Frame &frame) {
  Node node;
  node.kind = OpKind::Activate;
  node.activation = {Activation::ScaleShift, slope, offset};
  node.operands = {x.node()};
  node.shape = shapeOf(x);
  node.channels = node.shape.channels;
  const ChoiceSet scale = scaleOf(node) | choices;
  return addNode(std::move(node), nullptr, "scale_shift", written, span, widthOf(x), frame, "", scale,
                 choices);
}

Value Elaborator::combine(OpKind kind, const Value &a, const Value &b, const CallExpr *call,
                          std::string_view written, Span span, Frame &frame) {
  Shape left = shapeOf(a), right = shapeOf(b);
  // One number for each pixel, or for all of them, is every channel's.
  const bool perPixel = right.channels == 1 && left.channels > 1;
  if (left.channels != right.channels && !perPixel) {
    auto report = channelMismatch(a, b, written, span, frame);
    if (left.channels == 1)
      report.help("the second operand may have one channel: exchange them");
    return {};
  }
  if (!fitsPixels(left, right)) {
    auto report = sizeMismatch(left, right, written, span, frame);
    if (!perPixel && fitsPixels(right, left))
      report.help("the second operand may be 1x1: exchange them");
    else if (report)
      traceSizes(report, {a, b});
    return {};
  }
  LearnedWidthPtr leftWidth = widthOf(a), rightWidth = widthOf(b);
  if (perPixel ? rightWidth != nullptr : (leftWidth || rightWidth) && formOf(a) != formOf(b)) {
    learnedMismatch(leftWidth ? leftWidth : rightWidth, written, span, frame);
    return {};
  }
  Node node;
  node.kind = kind;
  node.operands = {a.node(), b.node()};
  node.shape = left;
  node.channels = left.channels;
  return addNode(std::move(node), call, unlabelledPlace(kind), written, span, leftWidth, frame);
}

DiagnosticBuilder Elaborator::channelMismatch(const Value &a, const Value &b, std::string_view written,
                                              Span span, Frame &frame) {
  auto report = error(diag::ChannelMismatch, span, frame, written, shapeOf(a).channels, shapeOf(b).channels);
  if (report) {
    traceChannels(report, a);
    traceChannels(report, b);
  }
  return report;
}

DiagnosticBuilder Elaborator::sizeMismatch(const Shape &a, const Shape &b, std::string_view written,
                                           Span span, Frame &frame) {
  return error(diag::SizeMismatch, span, frame, written,
               formatSize(a.height, a.width) + " and " + formatSize(b.height, b.width));
}

void Elaborator::learnedMismatch(const LearnedWidthPtr &width, std::string_view written, Span span,
                                 Frame &frame) {
  error(diag::LearnedMismatch, span, frame, written)
      .note("the learned hole", holeSpans_[width->terms.begin()->first.first])
      .help("a 1x1 convolution to a fixed number of channels makes them agree for every allocation");
}

} // namespace vernier::dsl
