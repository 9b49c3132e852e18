// Softmax and products of maps, and what exchanges channels and pixels.
#include "codegen/onnx/OnnxImporter.h"

namespace vernier::codegen {

using dsl::OpKind;

// Over all channels, over runs of them or over all pixels, or its logarithm over channels. Before opset 13 it
// is over the dimensions from the axis on together.
void OnnxImporter::softmax(const OnnxNode &node) {
  const Value value = anyLayout(node, 0);
  const Sizes sizes = sizesOf(value.node);
  const size_t axis = axisOf(integerOf(node, "axis", model.opset < 13 ? 1 : -1), value.view.rank());
  if (model.opset < 13)
    for (size_t i = axis + 1; i < value.view.rank(); ++i)
      if (value.view.shape()[i] != 1)
        throw Unsupported("it is over several dimensions");
  dsl::Node layer = like(value.node, OpKind::Softmax);
  if (const std::optional<int64_t> runs = value.view.channelRuns(axis, sizes))
    layer.groups = *runs, layer.logarithm = node.operation == "LogSoftmax";
  else if (value.view.isPixels(axis, sizes) && node.operation == "Softmax")
    layer.kind = OpKind::SpatialSoftmax;
  else
    throw Unsupported("it is neither over the channels of a map nor over its pixels",
                      "`channel_softmax` is over channels or runs of them, `spatial_softmax` over pixels");
  giveLaidOut(node, add(node, layer), value.view);
}

// Of batches of matrices with rows or columns of pixels: N x pixels x channels or N x channels x pixels.
bool OnnxImporter::productOfMaps(const OnnxNode &node) {
  for (const size_t i : {0, 1})
    if (operand(node, i).kind != Value::Kind::Map)
      return false;
  struct Matrix {
    Value value;
    Sizes sizes;
    bool pixelsFirst = false;
  };
  const auto matrixOf = [&](size_t i) -> std::optional<Matrix> {
    Matrix matrix{operand(node, i), sizesOf(operand(node, i).node)};
    const ChannelView &view = matrix.value.view;
    if (view.rank() != 3 || !view.isWhole(0, MapAxis::Batch, matrix.sizes[0]))
      return std::nullopt;
    const auto isChannels = [&](size_t d) { return view.isWhole(d, MapAxis::Channel, matrix.sizes[1]); };
    matrix.pixelsFirst = view.isPixels(1, matrix.sizes) && isChannels(2);
    if (!matrix.pixelsFirst && !(isChannels(1) && view.isPixels(2, matrix.sizes)))
      return std::nullopt;
    return matrix;
  };
  const std::optional<Matrix> first = matrixOf(0), second = matrixOf(1);
  if (!first || !second)
    return false;
  if (first->value.view.shape()[2] != second->value.view.shape()[1])
    throw Unsupported("its matrices do not fit");
  // The result has the first's rows as pixels, or all is transposed: whichever keeps height and width.
  const bool straight = first->pixelsFirst || second->pixelsFirst;
  const Matrix &a = straight ? *first : *second, &b = straight ? *second : *first;
  dsl::Node product = like(a.value.node, OpKind::Matmul);
  product.operands.push_back(b.value.node);
  product.transposed[0] = straight ? !a.pixelsFirst : a.pixelsFirst;
  product.transposed[1] = straight ? !b.pixelsFirst : b.pixelsFirst;
  const auto pixels = [](const Matrix &matrix) { return matrix.sizes[2] * matrix.sizes[3]; };
  product.shape.channels = product.transposed[1] ? pixels(b) : b.sizes[1];
  if (product.transposed[0]) {
    product.shape.height = a.sizes[1];
    product.shape.width = 1;
  }
  product.channels = product.shape.channels;
  const int made = add(node, product);
  const Sizes sizes = sizesOf(made);
  const ChannelView map = ChannelView::ofMap(sizes);
  const std::vector<int64_t> order =
      straight ? std::vector<int64_t>{0, 2, 3, 1} : std::vector<int64_t>{0, 1, 2, 3};
  const int64_t rows = sizes[2] * sizes[3];
  giveLaidOut(node, made,
              *map.transposed(order).reshaped(straight ? std::vector<int64_t>{sizes[0], rows, sizes[1]}
                                                       : std::vector<int64_t>{sizes[0], sizes[1], rows}));
  return true;
}

// DepthToSpace in both orders of channels, and SpaceToDepth, whose channels come square by square.
void OnnxImporter::depthToSpace(const OnnxNode &node) {
  int input = map(node, 0);
  const Sizes sizes = sizesOf(input);
  const int64_t f = integerOf(node, "blocksize", 0);
  const bool enlarges = node.operation == "DepthToSpace";
  if (f < 1 || f > 64 || (enlarges ? sizes[1] % (f * f) != 0 : sizes[2] % f != 0 || sizes[3] % f != 0))
    throw Unsupported("its blocks are of " + std::to_string(f) + " pixels a side");
  const auto shuffled = [&](int map, int64_t groups) {
    if (groups == 1 || groups == sizesOf(map)[1])
      return map;
    dsl::Node shuffle = like(map, OpKind::ChannelShuffle);
    shuffle.groups = groups;
    return add(node, shuffle);
  };
  if (enlarges && textOf(node, "mode", "DCR") == "DCR")
    input = shuffled(input, f * f);
  dsl::Node layer = like(input, enlarges ? OpKind::PixelShuffle : OpKind::PixelUnshuffle);
  layer.factor = f;
  layer.shape = enlarges ? dsl::Shape{sizes[1] / (f * f), sizes[2] * f, sizes[3] * f}
                         : dsl::Shape{sizes[1] * f * f, sizes[2] / f, sizes[3] / f};
  layer.channels = layer.shape.channels;
  const int made = add(node, layer);
  giveMap(node, enlarges ? made : shuffled(made, sizes[1]));
}

} // namespace vernier::codegen
