// Operators with weights, and windows.
#include "codegen/onnx/OnnxImporter.h"

#include "dsl/ShapeRules.h"

#include <algorithm>
#include <cmath>

namespace vernier::codegen {
namespace {

using dsl::OpKind;
using Sides = std::vector<int64_t>;

// Of kernels, strides, dilations and padding.
constexpr int64_t kLargest = 65536;

void checkSides(const char *what, const Sides &sides, size_t count, int64_t least) {
  if (sides.size() != count)
    throw Unsupported(std::string("`") + what + "` has " + std::to_string(sides.size()) + " numbers, not " +
                          std::to_string(count),
                      "convolutions and pools are over the two sides of a map");
  for (const int64_t side : sides)
    if (side < least || side > kLargest)
      throw Unsupported(std::string("`") + what + "` has " + std::to_string(side));
}

std::vector<float> transposed(const OnnxTensor &matrix) {
  const size_t rows = size_t(matrix.shape[0]), columns = size_t(matrix.shape[1]);
  std::vector<float> result(matrix.size());
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < columns; ++j)
      result[j * rows + i] = matrix.floats[i * columns + j];
  return result;
}

} // namespace

OnnxImporter::LayerWeight OnnxImporter::weight(const std::string &suffix, const OnnxNode &node, size_t i,
                                               size_t elements) const {
  const OnnxConstant value = constant(node, i);
  if (!value->real || value->size() != elements)
    throw Unsupported("operand " + std::to_string(i + 1) + ", `" + printable(node.inputs[i]) + "`, has " +
                      std::to_string(value->size()) + " elements, not " + std::to_string(elements));
  const std::vector<int64_t> vector = {int64_t(elements)};
  return {suffix, valueOf(node.inputs[i]).source, value->shape.size() == 4 ? value->shape : vector,
          value->floats};
}

// kernel_shape, strides, pads and dilations; `layer.kernel` may be known already.
void OnnxImporter::readWindow(const OnnxNode &node, dsl::Node &layer, const dsl::Shape &input) {
  const Sides kernel = integersOf(node, "kernel_shape", {layer.kernel[0], layer.kernel[1]});
  const Sides strides = integersOf(node, "strides", {1, 1}),
              dilations = integersOf(node, "dilations", {1, 1});
  Sides padding = integersOf(node, "pads", {0, 0, 0, 0});
  checkSides("kernel_shape", kernel, 2, 1);
  checkSides("strides", strides, 2, 1);
  checkSides("dilations", dilations, 2, 1);
  checkSides("pads", padding, 4, 0);
  const std::string automatic = textOf(node, "auto_pad", "NOTSET");
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    const int64_t sides[] = {input.height, input.width};
    for (size_t axis = 0; axis < 2; ++axis) {
      const int64_t count = (sides[axis] + strides[axis] - 1) / strides[axis];
      const int64_t all = std::max<int64_t>(
          0, (count - 1) * strides[axis] + dsl::windowExtent(kernel[axis], dilations[axis]) - sides[axis]);
      padding[axis] = automatic == "SAME_UPPER" ? all / 2 : all - all / 2;
      padding[2 + axis] = all - padding[axis];
    }
  } else if (automatic == "VALID") {
    padding = {0, 0, 0, 0};
  } else if (automatic != "NOTSET") {
    throw Unsupported("`auto_pad` is `" + printable(automatic) + "`");
  }
  for (size_t axis = 0; axis < 2; ++axis) {
    layer.kernel[axis] = kernel[axis];
    layer.stride[axis] = strides[axis];
    layer.dilation[axis] = dilations[axis];
    layer.padding[2 * axis] = padding[axis];
    layer.padding[2 * axis + 1] = padding[2 + axis];
  }
}

void OnnxImporter::convolution(const OnnxNode &node) {
  int input = map(node, 0);
  const OnnxConstant kernel = constant(node, 1);
  if (kernel->shape.size() != 4 || !kernel->real)
    throw Unsupported("its weight has " + std::to_string(kernel->shape.size()) + " dimensions",
                      "convolutions are over the two sides of a map");
  dsl::Node layer = like(input, OpKind::Convolution);
  layer.kernel[0] = kernel->shape[2];
  layer.kernel[1] = kernel->shape[3];
  readWindow(node, layer, layer.shape);
  // Zeros that were put around the map before belong to the convolution.
  const dsl::Node &before = result.graph.nodes[size_t(input)];
  if (before.kind == OpKind::Pad && !before.replicate) {
    input = before.operands[0];
    for (size_t side = 0; side < 4; ++side)
      layer.padding[side] += before.padding[side];
    layer.operands = {input};
    layer.shape = result.graph.nodes[size_t(input)].shape;
  }
  const dsl::Shape in = layer.shape;
  layer.channels = kernel->shape[0];
  layer.groups = integerOf(node, "group", 1);
  if (layer.groups < 1 || in.channels % layer.groups != 0 || layer.channels % layer.groups != 0 ||
      kernel->shape[1] != in.channels / layer.groups || kernel->shape[2] != layer.kernel[0] ||
      kernel->shape[3] != layer.kernel[1])
    throw Unsupported("its weight does not fit its operand of " + std::to_string(in.channels) + " channels");
  const auto size = [&](int64_t side, size_t axis) {
    return dsl::convolutionSize(side, layer.kernel[axis], layer.stride[axis], layer.dilation[axis],
                                layer.padding[2 * axis], layer.padding[2 * axis + 1]);
  };
  layer.shape = {layer.channels, size(in.height, 0), size(in.width, 1)};
  giveConvolution(node, layer, kernel->size());
}

void OnnxImporter::giveConvolution(const OnnxNode &node, dsl::Node layer, size_t elements) {
  std::vector<LayerWeight> tensors = {weight("weight", node, 1, elements)};
  if (has(node, 2)) {
    layer.bias = true;
    tensors.push_back(weight("bias", node, 2, size_t(layer.channels)));
  }
  giveMap(node, add(node, layer, std::move(tensors)));
}

void OnnxImporter::transposedConvolution(const OnnxNode &node) {
  const int input = map(node, 0);
  const OnnxConstant kernel = constant(node, 1);
  if (kernel->shape.size() != 4 || !kernel->real)
    throw Unsupported("its weight has " + std::to_string(kernel->shape.size()) + " dimensions",
                      "convolutions are over the two sides of a map");
  dsl::Node layer = like(input, OpKind::TransposedConvolution);
  dsl::Shape in = layer.shape;
  layer.kernel[0] = kernel->shape[2];
  layer.kernel[1] = kernel->shape[3];
  if (node.attributes.count("output_shape") || textOf(node, "auto_pad", "NOTSET").rfind("SAME", 0) == 0)
    throw Unsupported("its padding follows from the size of its result",
                      "write `pads` and `output_padding` out");
  readWindow(node, layer, in);
  Sides more = integersOf(node, "output_padding", {0, 0});
  checkSides("output_padding", more, 2, 0);
  layer.groups = integerOf(node, "group", 1);
  if (layer.groups < 1 || in.channels % layer.groups != 0 || kernel->shape[0] != in.channels ||
      kernel->shape[2] != layer.kernel[0] || kernel->shape[3] != layer.kernel[1])
    throw Unsupported("its weight does not fit its operand of " + std::to_string(in.channels) + " channels");
  // Zeros behind the operand are what runtimes take instead of output padding of a stride or more.
  Sides behind = {0, 0};
  const dsl::Node &before = result.graph.nodes[size_t(input)];
  if (before.kind == OpKind::Pad && !before.replicate && before.padding[0] == 0 && before.padding[2] == 0) {
    behind = {before.padding[1] * layer.stride[0], before.padding[3] * layer.stride[1]};
    for (size_t axis : {0, 1})
      if (more[axis] + behind[axis] >= std::max(layer.stride[axis], layer.dilation[axis]))
        behind = {-1, -1};
  }
  if (behind[0] > 0 || behind[1] > 0) {
    layer.operands = before.operands;
    in = result.graph.nodes[size_t(before.operands[0])].shape;
    for (size_t axis : {0, 1})
      more[axis] += behind[axis];
  }
  layer.channels = kernel->shape[1] * layer.groups;
  const auto size = [&](int64_t side, size_t axis) {
    layer.outputPadding[axis] = more[axis];
    return dsl::transposedConvolutionSize(side, layer.kernel[axis], layer.stride[axis], layer.dilation[axis],
                                          layer.padding[2 * axis], layer.padding[2 * axis + 1], more[axis]);
  };
  layer.shape = {layer.channels, size(in.height, 0), size(in.width, 1)};
  giveConvolution(node, layer, kernel->size());
}

//===- Products of matrices
//-------------------------------------------------------------------------------===//

void OnnxImporter::gemm(const OnnxNode &node) {
  const OnnxConstant matrix = constant(node, 1);
  if (matrix->shape.size() != 2 || !matrix->real || integerOf(node, "transA", 0) != 0)
    throw Unsupported("it is no product of a batch of vectors and a matrix");
  const bool turned = integerOf(node, "transB", 0) != 0;
  std::vector<float> values = turned ? matrix->floats : transposed(*matrix);
  const int64_t features = matrix->shape[turned ? 0 : 1];
  const double alpha = realOf(node, "alpha", 1), beta = realOf(node, "beta", 1);
  for (float &value : values)
    value = float(value * alpha);
  OnnxConstant bias;
  if (has(node, 2) && beta != 0) {
    const OnnxConstant given = constant(node, 2);
    if (!given->real || (given->size() != 1 && given->size() != size_t(features)))
      throw Unsupported("its third operand is no bias");
    auto scaled = std::make_shared<OnnxTensor>();
    for (int64_t i = 0; i < features; ++i)
      scaled->floats.push_back(float(beta * given->floats[given->size() == 1 ? 0 : size_t(i)]));
    bias = scaled;
  }
  linear(node, std::move(values), features, valueOf(node.inputs[1]).source, bias,
         bias ? valueOf(node.inputs[2]).source : "");
}

// A matrix of the means that an adaptive pool makes of rows, or of columns. They are two nodes of a file, and
// one pool.
bool OnnxImporter::adaptivePool(const OnnxNode &node) {
  const bool ofRows = node.inputs.size() == 2 && valueOf(node.inputs[0]).constant;
  const size_t matrixAt = ofRows ? 0 : 1;
  const OnnxConstant matrix = constant(node, matrixAt);
  const Value &value = valueOf(node.inputs[1 - matrixAt]);
  if (matrix->shape.size() != 2 || !matrix->real || value.constant || !value.view.isMap(sizesOf(value.node)))
    return false;
  const int input = value.node;
  dsl::Node pooled = like(input, OpKind::Resample);
  const int64_t in = ofRows ? pooled.shape.height : pooled.shape.width, out = matrix->shape[matrixAt];
  if (matrix->shape[1 - matrixAt] != in || out > in)
    return false;
  const auto runs = dsl::resamplingRuns({dsl::Resampling::AdaptiveAverage, in, out}, false);
  for (int64_t i = 0; i < out; ++i)
    for (int64_t position = 0; position < in; ++position) {
      const int64_t k = position - runs[size_t(i)].begin;
      const bool within = k >= 0 && k < int64_t(runs[size_t(i)].weights.size());
      const double wanted = within ? runs[size_t(i)].weights[size_t(k)] : 0;
      if (!(std::abs(matrix->floats[size_t(ofRows ? i * in + position : position * out + i)] - wanted) <=
            1e-7))
        return false;
    }
  const dsl::Node &before = result.graph.nodes[size_t(input)];
  if (!ofRows && before.kind == OpKind::Resample && before.resampling == dsl::Resampling::AdaptiveAverage &&
      result.graph.nodes[size_t(before.operands[0])].shape.width == in)
    pooled.operands = before.operands;
  (ofRows ? pooled.shape.height : pooled.shape.width) = out;
  giveMap(node, add(node, pooled));
  return true;
}

void OnnxImporter::matMul(const OnnxNode &node) {
  if (productOfMaps(node) || adaptivePool(node))
    return;
  const OnnxConstant matrix = constant(node, 1);
  if (matrix->shape.size() != 2 || !matrix->real)
    throw Unsupported("it is a product neither of vectors and a matrix nor of maps as pixels and channels");
  linear(node, transposed(*matrix), matrix->shape[1], valueOf(node.inputs[1]).source, nullptr, "");
}

// `matrix` is features x channels. On one pixel it is a linear layer, on each pixel of a map a 1x1
// convolution, on a map that was flattened a convolution whose kernel is as large as the map.
void OnnxImporter::linear(const OnnxNode &node, std::vector<float> matrix, int64_t features,
                          const std::string &source, OnnxConstant bias, const std::string &biasSource) {
  const Value &value = anyLayout(node, 0);
  const Sizes sizes = sizesOf(value.node);
  const bool flat = value.view.isFlat(sizes), matrixForm = value.view.isMatrix(sizes);
  if (!flat && !value.view.isChannelsLast(sizes))
    throw Unsupported("its first operand is neither N x C nor a map whose channels come last");
  const int64_t inputs = flat ? sizes[1] * sizes[2] * sizes[3] : sizes[1];
  if (features < 1 || matrix.size() != size_t(inputs) * size_t(features))
    throw Unsupported("its weight has " + std::to_string(matrix.size()) + " elements, not " +
                      std::to_string(inputs) + " x " + std::to_string(features));
  dsl::Node layer = like(value.node, matrixForm ? OpKind::Linear : OpKind::Convolution);
  layer.channels = features;
  layer.shape.channels = features;
  std::vector<int64_t> shape = {features, sizes[1]};
  if (!matrixForm) {
    for (size_t axis = 0; axis < 2; ++axis) {
      layer.kernel[axis] = flat ? sizes[2 + axis] : 1;
      shape.push_back(layer.kernel[axis]);
    }
    if (flat)
      layer.shape = {features, 1, 1};
  }
  std::vector<LayerWeight> tensors = {{"weight", source, shape, std::move(matrix)}};
  if (bias) {
    layer.bias = true;
    tensors.push_back({"bias", biasSource, {features}, bias->floats});
  }
  const ChannelView view = value.view;
  const int made = add(node, layer, std::move(tensors));
  const Sizes after = sizesOf(made);
  if (flat)
    return giveLaidOut(node, made, *ChannelView::ofMap(after).reshaped({after[0], after[1]}));
  const std::optional<ChannelView> laidOut = view.resized(sizes, after);
  if (!laidOut)
    throw Unsupported("a map of one channel whose channels come last");
  giveLaidOut(node, made, *laidOut);
}

//===- Normalisations
//-------------------------------------------------------------------------------------===//

void OnnxImporter::batchNorm(const OnnxNode &node) {
  const Value &value = anyLayout(node, 0);
  const Sizes sizes = sizesOf(value.node);
  if (integerOf(node, "training_mode", 0) != 0)
    throw Unsupported("it is in training mode", "export the model for inference: `model.eval()`");
  if (value.view.rank() < 2 || !value.view.isWhole(1, MapAxis::Channel, sizes[1]))
    throw Unsupported("its operand's second dimension is not the channels of a map");
  dsl::Node layer = like(value.node, OpKind::BatchNorm);
  layer.epsilon = realOf(node, "epsilon", 1e-5f);
  layer.momentum = std::round((1 - realOf(node, "momentum", 0.9f)) * 1e7) / 1e7;
  if (!(layer.epsilon > 0) || layer.epsilon > 1)
    throw Unsupported("its epsilon is " + std::to_string(layer.epsilon));
  layer.momentum = std::clamp(layer.momentum, 0.0, 1.0); // of no meaning in inference
  std::vector<LayerWeight> tensors;
  const char *suffixes[] = {"weight", "bias", "running_mean", "running_var"};
  for (size_t i = 0; i < 4; ++i)
    tensors.push_back(weight(suffixes[i], node, i + 1, size_t(sizes[1])));
  const ChannelView view = value.view;
  giveLaidOut(node, add(node, layer, std::move(tensors)), view);
}

void OnnxImporter::layerNorm(const OnnxNode &node) {
  const Value &value = anyLayout(node, 0);
  const Sizes sizes = sizesOf(value.node);
  if (!value.view.isChannelsLast(sizes) ||
      axisOf(integerOf(node, "axis", -1), value.view.rank()) + 1 != value.view.rank())
    throw Unsupported("it normalises otherwise than each pixel over its channels");
  dsl::Node layer = like(value.node, OpKind::LayerNorm);
  layer.epsilon = realOf(node, "epsilon", 1e-5f);
  if (!(layer.epsilon > 0) || layer.epsilon > 1)
    throw Unsupported("its epsilon is " + std::to_string(layer.epsilon));
  const size_t channels = size_t(sizes[1]);
  std::vector<LayerWeight> tensors = {weight("weight", node, 1, channels)};
  if (has(node, 2))
    tensors.push_back(weight("bias", node, 2, channels));
  else
    tensors.push_back({"bias", "", {sizes[1]}, std::vector<float>(channels)});
  const ChannelView view = value.view;
  giveLaidOut(node, add(node, layer, std::move(tensors)), view);
}

// With a weight for each channel (GroupNormalization from opset 21 on) or each group (before, and
// InstanceNormalization of what is reshaped to groups).
void OnnxImporter::groupNorm(const OnnxNode &node) {
  const Value value = anyLayout(node, 0);
  const Sizes sizes = sizesOf(value.node);
  const std::optional<int64_t> dimensions = value.view.channelGroups(sizes);
  if (!dimensions)
    throw Unsupported("it normalises otherwise than groups of neighbouring channels over rows and columns");
  const bool instance = node.operation == "InstanceNormalization";
  const int64_t groups = instance ? *dimensions : integerOf(node, "num_groups", 0);
  if (groups < 1 || sizes[1] % groups != 0 || (!instance && *dimensions != sizes[1]))
    throw Unsupported("it normalises " + std::to_string(groups) + " groups of " + std::to_string(sizes[1]) +
                      " channels");
  dsl::Node layer = like(value.node, OpKind::GroupNorm);
  layer.groups = groups;
  layer.epsilon = realOf(node, "epsilon", 1e-5f);
  if (!(layer.epsilon > 0) || layer.epsilon > 1)
    throw Unsupported("its epsilon is " + std::to_string(layer.epsilon));
  const size_t channels = size_t(sizes[1]);
  const bool ofGroups = constant(node, 1)->size() == size_t(groups);
  std::vector<LayerWeight> tensors;
  bool alone = true; // nothing is known of weight and bias yet
  for (const size_t i : {1, 2}) {
    LayerWeight tensor = weight(i == 1 ? "weight" : "bias", node, i, ofGroups ? size_t(groups) : channels);
    for (const float number : tensor.values)
      alone = alone && number == (i == 1 ? 1 : 0);
    if (ofGroups && size_t(groups) != channels) {
      std::vector<float> spread;
      for (size_t c = 0; c < channels; ++c)
        spread.push_back(tensor.values[c / (channels / size_t(groups))]);
      tensor = {tensor.suffix, "", {sizes[1]}, spread};
    }
    tensors.push_back(std::move(tensor));
  }
  if (alone)
    for (LayerWeight &tensor : tensors)
      tensor.source.clear();
  const ChannelView view = value.view;
  const int made = add(node, layer, std::move(tensors));
  if (alone)
    bare.insert(made);
  giveLaidOut(node, made, view);
}

// Slopes are one number, or broadcast along channels.
void OnnxImporter::prelu(const OnnxNode &node) {
  const Value value = anyLayout(node, 0);
  const Sizes sizes = sizesOf(value.node);
  const OnnxConstant slopes = constant(node, 1);
  dsl::Node layer = like(value.node, OpKind::Prelu);
  layer.initial = 0.25;
  layer.perChannel = slopes->size() > 1;
  if (layer.perChannel) {
    size_t axis = value.view.rank();
    for (size_t d = 0; d < slopes->shape.size(); ++d)
      if (slopes->shape[d] != 1)
        axis = value.view.rank() - slopes->shape.size() + d;
    if (slopes->shape.size() > value.view.rank() || slopes->size() != size_t(sizes[1]) ||
        !value.view.isWhole(axis, MapAxis::Channel, sizes[1]))
      throw Unsupported("its slopes are neither one number nor one for each channel");
  }
  LayerWeight slope = weight("weight", node, 1, slopes->size());
  slope.shape = {int64_t(slopes->size())};
  const ChannelView view = value.view;
  giveLaidOut(node, add(node, layer, {std::move(slope)}), view);
}

// One number for each channel, for each image.
void OnnxImporter::parameter(const OnnxNode &node) {
  const OnnxConstant numbers = constant(node, 0);
  const std::vector<int64_t> wanted = integers(node, 1, "shape");
  dsl::Node layer;
  layer.kind = OpKind::Parameter;
  layer.initial = 1;
  layer.channels = wanted.size() == 4 ? wanted[1] : 0;
  layer.shape = {layer.channels, 1, 1};
  const std::vector<int64_t> whole = {batch, layer.channels, 1, 1}, &given = numbers->shape;
  const bool fits = given.size() <= 4 && given.size() >= 3 && wanted == whole &&
                    std::equal(given.end() - 3, given.end(), whole.end() - 3) &&
                    int64_t(numbers->size()) == layer.channels;
  if (!fits)
    throw Unsupported("it gives no map of one pixel of a number for each channel");
  LayerWeight weight = this->weight("weight", node, 0, numbers->size());
  weight.shape = {layer.channels};
  for (size_t i = 0; i < weights.size(); ++i) // where it is read again it is the same map
    if (result.graph.nodes[i].kind == OpKind::Parameter && weights[i][0].source == weight.source)
      return giveMap(node, int(i));
  giveMap(node, add(node, layer, {std::move(weight)}));
}

//===- Pools
//----------------------------------------------------------------------------------------------===//

void OnnxImporter::pool(const OnnxNode &node) {
  int input = map(node, 0);
  const bool mean = node.operation == "AveragePool";
  dsl::Node layer = like(input, mean ? OpKind::AvgPool : OpKind::MaxPool);
  const dsl::Shape in = layer.shape;
  layer.kernel[0] = layer.kernel[1] = 0; // must be given
  readWindow(node, layer, in);
  if (layer.dilation[0] != 1 || layer.dilation[1] != 1)
    throw Unsupported("it is dilated");
  layer.ceil = integerOf(node, "ceil_mode", 0) != 0;
  layer.countPadding = !mean || integerOf(node, "count_include_pad", 0) != 0;
  const auto size = [&](const dsl::Node &pool, int64_t side, size_t axis) {
    return dsl::poolSize(side, pool.kernel[axis], pool.stride[axis], pool.padding[2 * axis],
                         pool.padding[2 * axis + 1], pool.ceil);
  };
  layer.shape = {in.channels, size(layer, in.height, 0), size(layer, in.width, 1)};
  // What exporters without ceil_mode write: more padding behind the map, which counts for nothing.
  dsl::Node rounded = layer;
  rounded.ceil = true;
  for (size_t axis = 0; axis < 2; ++axis)
    rounded.padding[2 * axis + 1] = std::min(layer.padding[2 * axis], layer.padding[2 * axis + 1]);
  const bool padded = layer.padding[0] + layer.padding[2] > 0;
  const dsl::Shape ceiled = {in.channels, size(rounded, in.height, 0), size(rounded, in.width, 1)};
  const bool more = rounded.padding[1] != layer.padding[1] || rounded.padding[3] != layer.padding[3];
  if (more && !layer.ceil && ceiled == layer.shape && (!mean || !layer.countPadding)) {
    rounded.countPadding = !mean || !padded;
    rounded.ceil = false; // unless it is needed
    rounded.ceil =
        dsl::Shape{in.channels, size(rounded, in.height, 0), size(rounded, in.width, 1)} != layer.shape;
    layer = rounded;
  } else if (layer.padding[0] + layer.padding[1] + layer.padding[2] + layer.padding[3] == 0) {
    layer.countPadding = true; // it has none to count
  }
  const auto tooWide = [&](size_t side) { return 2 * layer.padding[side] > layer.kernel[side / 2]; };
  if (tooWide(0) || tooWide(1) || tooWide(2) || tooWide(3)) {
    if (!mean || !layer.countPadding || layer.ceil)
      throw Unsupported("its padding is more than half of its window");
    dsl::Node zeros = like(input, OpKind::Pad); // which count as those of the padding
    std::copy(layer.padding, layer.padding + 4, zeros.padding);
    zeros.shape.height += zeros.padding[0] + zeros.padding[1];
    zeros.shape.width += zeros.padding[2] + zeros.padding[3];
    layer.operands = {add(node, zeros)};
    std::fill(layer.padding, layer.padding + 4, 0);
  }
  giveMap(node, add(node, layer));
}

void OnnxImporter::globalPool(const OnnxNode &node) {
  const int input = map(node, 0);
  const bool mean = node.operation == "GlobalAveragePool" || node.operation == "ReduceMean";
  dsl::Node layer = like(input, mean ? OpKind::GlobalAvgPool : OpKind::MaxPool);
  if (!mean) {
    layer.kernel[0] = layer.stride[0] = layer.shape.height;
    layer.kernel[1] = layer.stride[1] = layer.shape.width;
  }
  layer.shape.height = layer.shape.width = 1;
  giveMap(node, add(node, layer));
}

// Over rows and columns, or over channels.
void OnnxImporter::reduce(const OnnxNode &node) {
  const Value value = anyLayout(node, 0);
  const Sizes sizes = sizesOf(value.node);
  const std::vector<int64_t> axes = integers(node, 1, "axes");
  std::vector<bool> reduced(value.view.rank());
  for (const int64_t axis : axes)
    reduced[axisOf(axis, reduced.size())] = true;
  Sizes left = {1, 1, 1, 1};
  for (size_t i = 0; i < reduced.size(); ++i)
    for (const MapAxis axis : {MapAxis::Channel, MapAxis::Row, MapAxis::Column})
      if (reduced[i] && sizes[size_t(axis)] > 1 && value.view.isWhole(i, axis, sizes[size_t(axis)]))
        left[size_t(axis)] = 0;
  size_t count = 0, expected = 0;
  for (size_t i = 0; i < reduced.size(); ++i)
    count += reduced[i] && value.view.shape()[i] > 1;
  for (const int64_t kept : left)
    expected += kept == 0;
  if (count == 0) // of one pixel, say
    return giveLaidOut(node, value.node,
                       integerOf(node, "keepdims", 1) != 0 ? value.view : value.view.without(reduced));
  const bool mean = node.operation == "ReduceMean", overChannels = left[1] == 0;
  const bool overPixels = (left[2] == 0 || sizes[2] == 1) && (left[3] == 0 || sizes[3] == 1);
  if (count != expected || (overChannels ? left[2] == 0 || left[3] == 0 : !overPixels))
    throw Unsupported("it reduces neither over rows and columns nor over the channels of a map",
                      "`global_avg_pool` is over rows and columns, `channel_mean` over channels");
  dsl::Node layer = like(value.node, overChannels ? (mean ? OpKind::ChannelMean : OpKind::ChannelMax)
                                     : mean       ? OpKind::GlobalAvgPool
                                                  : OpKind::MaxPool);
  if (overChannels) {
    layer.channels = layer.shape.channels = 1;
  } else {
    if (!mean) {
      layer.kernel[0] = layer.stride[0] = layer.shape.height;
      layer.kernel[1] = layer.stride[1] = layer.shape.width;
    }
    layer.shape.height = layer.shape.width = 1;
  }
  const int made = add(node, layer);
  const std::optional<ChannelView> kept = value.view.resized(sizes, sizesOf(made));
  if (!kept)
    throw Unsupported("its operand is laid out otherwise than N x C x H x W");
  giveLaidOut(node, made, integerOf(node, "keepdims", 1) != 0 ? *kept : kept->without(reduced));
}

} // namespace vernier::codegen
