// Softmax, products of maps as matrices, and what exchanges channels and pixels.
#include "dsl/Elaborator.h"

#include <algorithm>

namespace vernier::dsl {

Value Elaborator::softmax(OpCall &op) {
  Node node;
  node.kind = op.op->op == Op::SpatialSoftmax ? OpKind::SpatialSoftmax : OpKind::Softmax;
  node.logarithm = op.op->op == Op::ChannelLogSoftmax;
  if (node.kind == OpKind::Softmax) {
    const int64_t channels = shapeOf(op.values[0]).channels;
    node.groups = intArgument(op, 1, 1, maxChannels, std::max<int64_t>(1, channels));
    if (op.failed || !constantWidth(op, op.values[0]))
      return {};
    if (channels % node.groups != 0) {
      auto report = error(diag::UnevenSplit, op.span(1), *op.frame, op.op->name, channels, node.groups);
      if (report)
        traceChannels(report, op.values[0]);
      return {};
    }
  }
  return addLike(op, std::move(node));
}

// Of maps of one shape, the weights that each has beside the others: one softmax over what holds them all.
Value Elaborator::softmaxOf(OpCall &op) {
  if (!op.values[0].is(Value::Kind::List)) {
    badValue(op, 0, "a list of tensors", op.values[0]);
    return {};
  }
  const std::vector<Value> &parts = op.values[0].list->elements;
  const Value whole = concat(op);
  if (whole.error())
    return {};
  const Shape first = shapeOf(parts[0]);
  for (const Value &part : parts)
    if (shapeOf(part).channels != first.channels) {
      channelMismatch(parts[0], part, "softmax", op.span(0), *op.frame);
      return {};
    }
  if (!constantWidth(op, whole))
    return {};
  const std::string place = graph_.nodes[static_cast<size_t>(whole.node())].place;
  const auto add = [&](Node node, const Value &of, int64_t channels, const std::string &suffix) {
    node.operands = {of.node()};
    node.channels = channels;
    node.shape = {channels, first.height, first.width};
    const ChoiceSet scale = scaleOf(node) | op.choices;
    return addNode(std::move(node), op.call, "", "softmax", op.call->callee.span, nullptr, *op.frame,
                   place + suffix, scale, op.choices);
  };
  Node node;
  node.kind = OpKind::Softmax;
  node.groups = static_cast<int64_t>(parts.size());
  const Value weights = add(std::move(node), whole, shapeOf(whole).channels, ".weights");
  std::vector<Value> results;
  for (size_t i = 0; i < parts.size() && !weights.error(); ++i) {
    Node slice;
    slice.kind = OpKind::Slice;
    slice.begin = static_cast<int64_t>(i) * first.channels;
    results.push_back(add(std::move(slice), weights, first.channels, "." + std::to_string(i)));
    if (results.back().error())
      return {};
  }
  return weights.error() ? Value() : makeList(std::move(results), op.call->span);
}

Value Elaborator::matmul(OpCall &op) {
  Node node;
  node.kind = OpKind::Matmul;
  Shape sides[2];
  int64_t rows[2] = {}, columns[2] = {};
  for (size_t i : {0, 1}) {
    node.operands.push_back(op.values[i].node());
    node.transposed[i] = boolArgument(op, 2 + i, false);
    if (!op.failed && !constantWidth(op, op.values[i]))
      op.failed = true;
    sides[i] = shapeOf(op.values[i]);
    rows[i] = sides[i].height * sides[i].width;
    columns[i] = sides[i].channels;
    if (node.transposed[i])
      std::swap(rows[i], columns[i]);
  }
  if (op.failed)
    return {};
  if (columns[0] != rows[1]) {
    auto report = error(diag::MatricesDoNotFit, op.call->callee.span, *op.frame, rows[0], columns[0], rows[1],
                        columns[1]);
    report.help(
        "a map is a matrix with a row for each pixel and a column for each channel; `transpose_a` and "
        "`transpose_b` exchange them");
    if (report) {
      traceSizes(report, {op.values[0], op.values[1]});
      traceChannels(report, op.values[0]);
      traceChannels(report, op.values[1]);
    }
    return {};
  }
  node.channels = columns[1];
  if (columns[1] > maxChannels || rows[0] > maxSide * maxSide || (node.transposed[0] && rows[0] > maxSide)) {
    badValue(op, 1, "at most " + std::to_string(maxChannels) + " columns", Value::ofInt(columns[1]));
    return {};
  }
  node.shape =
      node.transposed[0] ? Shape{columns[1], rows[0], 1} : Shape{columns[1], sides[0].height, sides[0].width};
  return addNode(op, std::move(node), nullptr);
}

Value Elaborator::pixelShuffle(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  const bool enlarges = op.op->op == Op::PixelShuffle;
  Node node;
  node.kind = enlarges ? OpKind::PixelShuffle : OpKind::PixelUnshuffle;
  node.operands = {op.values[0].node()};
  node.factor = intArgument(op, 1, 1, 64, 1);
  if (op.failed || !constantWidth(op, op.values[0]))
    return {};
  const int64_t f = node.factor, square = f * f;
  if (enlarges && input.channels % square != 0) {
    auto report = error(diag::UnevenSplit, op.span(1), *op.frame, op.op->name, input.channels, square);
    if (report)
      traceChannels(report, op.values[0]);
    return {};
  }
  if (!enlarges && (input.height % f != 0 || input.width % f != 0)) {
    auto report = error(diag::BadValue, op.span(1), *op.frame, op.what(1),
                        "a divisor of " + formatSize(input.height, input.width), std::to_string(f));
    if (report)
      traceSizes(report, {op.values[0]});
    return {};
  }
  node.shape = enlarges ? Shape{input.channels / square, input.height * f, input.width * f}
                        : Shape{input.channels * square, input.height / f, input.width / f};
  if (node.shape.channels > maxChannels || node.shape.height > maxSide || node.shape.width > maxSide) {
    badValue(op, 1,
             "one that leaves at most " + std::to_string(maxChannels) + " channels and " +
                 std::to_string(maxSide) + " rows and columns",
             op.values[1]);
    return {};
  }
  node.channels = node.shape.channels;
  return addNode(op, std::move(node), nullptr);
}

} // namespace vernier::dsl
