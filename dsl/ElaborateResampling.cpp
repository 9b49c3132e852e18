// Operations that make a map of another size from all of it: `resize` and `adaptive_avg_pool`.
#include "dsl/Elaborator.h"

#include "dsl/Sampling.h"
#include "dsl/ShapeRules.h"

namespace vernier::dsl {

Value Elaborator::adaptivePool(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  int64_t size[2];
  pairArgument(op, 1, 1, maxSide, size);
  if (op.failed)
    return {};
  if (size[0] > input.height || size[1] > input.width) {
    auto report = error(diag::BadValue, op.span(1), *op.frame, op.what(1),
                        "at most the map's size, " + formatSize(input.height, input.width),
                        formatSize(size[0], size[1]));
    report.help("`resize` enlarges a map");
    if (report)
      traceSizes(report, {op.values[0]});
    return {};
  }
  Node node;
  node.kind = OpKind::Resample;
  node.resampling = Resampling::AdaptiveAverage;
  node.operands = {op.values[0].node()};
  node.channels = input.channels;
  node.shape = {input.channels, size[0], size[1]};
  // Of windows that are all alike it is a pool of theirs. A map that may get another size has one operation
  // for all of them.
  if (size[0] == 1 && size[1] == 1) {
    node.kind = OpKind::GlobalAvgPool;
  } else if (!infoOf(op.values[0]).scale && input.height % size[0] == 0 && input.width % size[1] == 0) {
    node.kind = OpKind::AvgPool;
    node.kernel[0] = node.stride[0] = input.height / size[0];
    node.kernel[1] = node.stride[1] = input.width / size[1];
  }
  return addNode(op, std::move(node), widthOf(op.values[0]), op.values[1].choices);
}

// The operation of a mode: nearest and bilinear ones are resizes, all others weigh runs of pixels.
static void setMode(Node &node, std::string_view mode, bool antialias) {
  node.kind = OpKind::Resample;
  if (mode == "nearest_exact") {
    node.resampling = Resampling::NearestExact;
  } else if (mode == "bicubic") {
    node.resampling = antialias ? Resampling::BicubicAntialias : Resampling::Bicubic;
  } else if (mode == "bilinear" && antialias) {
    node.resampling = Resampling::BilinearAntialias;
  } else {
    node.kind = OpKind::Resize;
    node.mode = mode == "bilinear" ? ResizeMode::Bilinear : ResizeMode::Nearest;
  }
}

Value Elaborator::resize(OpCall &op) {
  const Shape input = shapeOf(op.values[0]);
  Node node;
  node.operands = {op.values[0].node()};
  node.channels = input.channels;
  const std::string mode = wordArgument(op, 1, "nearest");
  const bool filters = mode == "bilinear" || mode == "bicubic", antialias = boolArgument(op, 6, false);
  node.alignCorners = boolArgument(op, 5, false);
  const auto refuse = [&](size_t flag, const std::string &where) {
    op.failed = true;
    return error(diag::BadValue, op.span(flag), *op.frame, op.what(flag), "false with " + where, "true");
  };
  if (!op.failed && antialias && !filters)
    refuse(6, "`" + mode + "`").help("`bilinear` and `bicubic` have a filter; the nearest modes copy pixels");
  else if (!op.failed && node.alignCorners && !filters)
    refuse(5, "`" + mode + "`").help("`bilinear` and `bicubic` align corners");
  else if (!op.failed && node.alignCorners && antialias)
    refuse(5, "`antialias`");
  if (op.failed)
    return {};
  setMode(node, mode, antialias);
  if (op.given[2] + op.given[3] + op.given[4] != 1) {
    error(diag::ConflictingArguments, op.call->callee.span, *op.frame, "resize",
          "`like`, `size` and `scale`");
    return {};
  }
  int64_t height = 1, width = 1;
  if (!sizeArgument(op, 2, 3, height, width)) {
    double scale = floatArgument(op, 4, 1);
    if (!op.failed && !(scale > 0 && scale <= maxSide)) {
      badValue(op, 4, "above 0 and at most " + std::to_string(maxSide), op.values[4]);
      return {};
    }
    height = scaledSize(input.height, scale);
    width = scaledSize(input.width, scale);
    if (height < 1 || width < 1 || height > maxSide || width > maxSide) {
      auto report = error(diag::BadValue, op.span(4), *op.frame, "a size made by `resize`",
                          "from 1 to " + std::to_string(maxSide), formatSize(height, width));
      if (report)
        traceSizes(report, {op.values[0]});
      return {};
    }
    const bool nearest = mode == "nearest";
    if (!node.alignCorners && !(samplesAsSizesDo(nearest, input.height, height, scale) &&
                                samplesAsSizesDo(nearest, input.width, width, scale)))
      node.scale = scale;
  }
  node.shape = {input.channels, height, width};
  return op.failed ? Value() : addNode(op, std::move(node), widthOf(op.values[0]), newScale(op, 2, 3));
}

} // namespace vernier::dsl
