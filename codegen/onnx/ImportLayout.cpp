// Operators that move elements, or only change how they are laid out.
#include "codegen/onnx/FoldConstants.h"
#include "codegen/onnx/OnnxImporter.h"

#include "dsl/Sampling.h"
#include "dsl/ShapeRules.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace vernier::codegen {
namespace {

using dsl::OpKind;
using Ints = std::vector<int64_t>;

constexpr int64_t kLargest = 65536;

// Where a slice begins or ends: counted from the end where negative, cut to the dimension.
int64_t boundOf(int64_t position, int64_t size) {
  return std::clamp<int64_t>(position < 0 ? (position < -size ? 0 : position + size) : position, 0, size);
}

} // namespace

//===- The same elements in another layout
//----------------------------------------------------------------===//

void OnnxImporter::giveReshaped(const OnnxNode &node, const Ints &shape) {
  const Value value = anyLayout(node, 0);
  const std::optional<ChannelView> view = value.view.reshaped(shape);
  if (!view)
    throw Unsupported("its result has dimensions that mix channels, rows and columns");
  giveLaidOut(node, value.node, *view);
}

void OnnxImporter::reshape(const OnnxNode &node) {
  const Ints shape = anyLayout(node, 0).view.shape();
  giveReshaped(node, reshapedSizes(shape, integers(node, 1, "shape"), integerOf(node, "allowzero", 0) != 0));
}

void OnnxImporter::flatten(const OnnxNode &node) {
  const Ints shape = anyLayout(node, 0).view.shape();
  const int64_t axis = integerOf(node, "axis", 1);
  const size_t end = axis == int64_t(shape.size()) ? shape.size() : axisOf(axis, shape.size());
  Ints sizes = {1, 1};
  for (size_t i = 0; i < shape.size(); ++i)
    sizes[i < end ? 0 : 1] *= shape[i];
  giveReshaped(node, sizes);
}

void OnnxImporter::squeeze(const OnnxNode &node) {
  const Ints shape = anyLayout(node, 0).view.shape(), axes = integers(node, 1, "axes");
  const std::vector<bool> dropped = axisFlags(axes, shape.size());
  Ints sizes;
  for (size_t i = 0; i < shape.size(); ++i)
    if (axes.empty() ? shape[i] != 1 : !dropped[i])
      sizes.push_back(shape[i]);
  giveReshaped(node, sizes);
}

void OnnxImporter::unsqueeze(const OnnxNode &node) {
  const Ints shape = anyLayout(node, 0).view.shape(), axes = integers(node, 1, "axes");
  Ints sizes;
  size_t next = 0;
  for (const bool added : axisFlags(axes, shape.size() + axes.size()))
    sizes.push_back(added || next == shape.size() ? 1 : shape[next++]);
  giveReshaped(node, sizes);
}

void OnnxImporter::transpose(const OnnxNode &node) {
  const Value value = anyLayout(node, 0);
  Ints order = integersOf(node, "perm");
  if (order.empty())
    for (size_t i = value.view.rank(); i > 0; --i)
      order.push_back(int64_t(i) - 1);
  Ints sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i)
    if (order.size() != value.view.rank() || sorted[i] != int64_t(i))
      throw Unsupported("`perm` is no order of the dimensions");
  giveLaidOut(node, value.node, value.view.transposed(order));
}

void OnnxImporter::shape(const OnnxNode &node) {
  const Value &of = operand(node, 0);
  const Ints sizes = of.kind == Value::Kind::Constant ? of.constant->shape : anyLayout(node, 0).view.shape();
  const int64_t rank = int64_t(sizes.size());
  auto part = std::make_shared<OnnxTensor>();
  part->real = false;
  for (int64_t i = boundOf(integerOf(node, "start", 0), rank);
       i < boundOf(integerOf(node, "end", rank), rank); ++i)
    part->integers.push_back(sizes[size_t(i)]);
  part->shape = {int64_t(part->integers.size())};
  Value value;
  value.kind = Value::Kind::Constant;
  value.constant = part;
  give(node, value);
}

void OnnxImporter::identity(const OnnxNode &node) {
  if (node.operation == "Dropout" && has(node, 2) && constant(node, 2)->at(0) != 0)
    throw Unsupported("it is in training mode", "export the model for inference: `model.eval()`");
  if (const int64_t type = integerOf(node, "to", 1);
      node.operation == "Cast" && type != 1 && type != 10 && type != 11 && type != 16)
    throw Unsupported("it makes other than real numbers of a map");
  give(node, anyLayout(node, 0));
}

//===- Parts of maps
//--------------------------------------------------------------------------------------===//

void OnnxImporter::pad(const OnnxNode &node) {
  const int input = map(node, 0);
  const std::string mode = textOf(node, "mode", "constant");
  Ints pads = integers(node, 1, "pads");
  Ints axes = has(node, 3) ? integers(node, 3, "axes") : Ints{0, 1, 2, 3};
  if (pads.size() != 2 * axes.size())
    throw Unsupported("`pads` has " + std::to_string(pads.size()) + " numbers");
  Ints padding(8);
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t axis = axisOf(axes[i], 4);
    padding[axis] = pads[i];
    padding[4 + axis] = pads[axes.size() + i];
  }
  for (const int64_t side : padding)
    if (side < 0 || side > kLargest)
      throw Unsupported("it pads by " + std::to_string(side), "`crop` takes away");
  if (padding[0] || padding[1] || padding[4] || padding[5])
    throw Unsupported("it pads other than rows and columns");
  const double with =
      has(node, 2) ? (constant(node, 2)->size() ? constant(node, 2)->at(0) : 0) : realOf(node, "value", 0);
  if ((mode != "constant" || with != 0) && mode != "edge")
    throw Unsupported("it pads by `" + printable(mode) + "`", "`pad` has modes `zero` and `replicate`");
  dsl::Node layer = like(input, OpKind::Pad);
  layer.replicate = mode == "edge";
  const int64_t sides[] = {padding[2], padding[6], padding[3], padding[7]};
  std::copy(sides, sides + 4, layer.padding);
  layer.shape.height += sides[0] + sides[1];
  layer.shape.width += sides[2] + sides[3];
  giveMap(node, padding == Ints(8) ? input : add(node, layer));
}

int OnnxImporter::channelsFrom(const OnnxNode &node, int input, int64_t begin, int64_t count) {
  dsl::Node part = like(input, OpKind::Slice);
  if (begin == 0 && count == part.shape.channels)
    return input;
  part.begin = begin;
  part.channels = part.shape.channels = count;
  return add(node, part);
}

int OnnxImporter::crop(const OnnxNode &node, int input, MapAxis axis, int64_t begin, int64_t count) {
  dsl::Node part = like(input, OpKind::Crop);
  int64_t &size = axis == MapAxis::Row ? part.shape.height : part.shape.width;
  if (begin == 0 && count == size)
    return input;
  const dsl::Node &before = result.graph.nodes[size_t(input)];
  if (before.kind == OpKind::Crop) { // of the other side
    part.operands = before.operands;
    std::copy(before.offset, before.offset + 2, part.offset);
  }
  part.offset[axis == MapAxis::Row ? 0 : 1] += begin;
  size = count;
  return add(node, part);
}

void OnnxImporter::slice(const OnnxNode &node) {
  int input = map(node, 0);
  const Ints begins = integers(node, 1, "starts"), ends = integers(node, 2, "ends");
  Ints axes = integers(node, 3, "axes"),
       steps = has(node, 4) ? integers(node, 4, "steps") : Ints(begins.size(), 1);
  if (axes.empty())
    for (size_t i = 0; i < begins.size(); ++i)
      axes.push_back(int64_t(i));
  if (begins.size() != ends.size() || begins.size() != axes.size() || begins.size() != steps.size())
    throw Unsupported("its operands are of different lengths");
  const size_t rank = valueOf(node.inputs[0]).view.rank();
  for (size_t i = 0; i < begins.size(); ++i) {
    const size_t axis = axisOf(axes[i], rank);
    const Sizes sizes = sizesOf(input);
    const int64_t begin = boundOf(begins[i], sizes[axis]), end = boundOf(ends[i], sizes[axis]);
    if (steps[i] != 1)
      throw Unsupported("it takes every " + std::to_string(steps[i]) + ". element");
    if (axis == 0 && (begin != 0 || end != sizes[0]))
      throw Unsupported("it takes images out of the batch");
    if (begin >= end)
      throw Unsupported("nothing is left of the map");
    if (axis == 1)
      input = channelsFrom(node, input, begin, end - begin);
    else if (axis > 1)
      input = crop(node, input, MapAxis(axis), begin, end - begin);
  }
  const Sizes sizes = sizesOf(input);
  if (rank == 2)
    return giveLaidOut(node, input, *ChannelView::ofMap(sizes).reshaped({sizes[0], sizes[1]}));
  giveMap(node, input);
}

void OnnxImporter::split(const OnnxNode &node) {
  const int input = map(node, 0);
  const size_t axis = axisOf(integerOf(node, "axis", 0), valueOf(node.inputs[0]).view.rank());
  const int64_t channels = sizesOf(input)[1], outputs = int64_t(node.outputs.size());
  if (axis != 1 || valueOf(node.inputs[0]).view.rank() != 4)
    throw Unsupported("it splits other than channels");
  Ints counts = integers(node, 1, "split");
  if (counts.empty()) {
    const int64_t each = (channels + outputs - 1) / std::max<int64_t>(1, outputs);
    for (int64_t left = channels; left > 0; left -= each)
      counts.push_back(std::min(each, left));
  }
  int64_t begin = 0;
  for (const int64_t count : counts) {
    if (count < 1 || count > channels - begin)
      throw Unsupported("its parts are not those of " + std::to_string(channels) + " channels");
    begin += count;
  }
  if (begin != channels || int64_t(counts.size()) != outputs)
    throw Unsupported("its parts are not those of " + std::to_string(channels) + " channels");
  begin = 0;
  for (size_t i = 0; i < counts.size(); begin += counts[i++]) {
    OnnxNode part = node;
    part.outputs = {node.outputs[i]};
    giveMap(part, channelsFrom(node, input, begin, counts[i]));
  }
}

void OnnxImporter::concat(const OnnxNode &node) {
  if (node.inputs.empty())
    throw Unsupported("it has no operands");
  dsl::Node joined = like(map(node, 0), OpKind::Concat);
  const size_t rank = valueOf(node.inputs[0]).view.rank();
  if (axisOf(integerOf(node, "axis", 1), rank) != 1)
    throw Unsupported("it joins maps otherwise than along channels");
  joined.operands.clear();
  joined.shape.channels = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const int part = map(node, i);
    const dsl::Shape shape = result.graph.nodes[size_t(part)].shape;
    if (shape.height != joined.shape.height || shape.width != joined.shape.width ||
        valueOf(node.inputs[i]).view.rank() != rank)
      throw Unsupported("it joins maps of different sizes");
    joined.operands.push_back(part);
    joined.shape.channels += shape.channels;
  }
  joined.channels = joined.shape.channels;
  const int made = joined.operands.size() == 1 ? joined.operands[0] : add(node, joined);
  const Sizes sizes = sizesOf(made);
  if (rank == 2)
    return giveLaidOut(node, made, *ChannelView::ofMap(sizes).reshaped({sizes[0], sizes[1]}));
  giveMap(node, made);
}

//===- Other sizes
//----------------------------------------------------------------------------------------===//

namespace {

void resample(dsl::Node &layer, dsl::Resampling kind) {
  layer.kind = OpKind::Resample;
  layer.resampling = kind;
}

// As PyTorch's: Keys' cubic, with a filter one of its own.
void cubic(const OnnxNode &node, const std::string &position, dsl::Node &layer) {
  const bool filters = integerOf(node, "antialias", 0) != 0;
  const float wanted = filters ? -0.5f : -0.75f, a = attribute<float>(node, "cubic_coeff_a", -0.75f);
  layer.alignCorners = position == "align_corners";
  if ((!layer.alignCorners && position != "half_pixel") || a != wanted ||
      (integerOf(node, "exclude_outside", 0) != 0) != filters)
    throw Unsupported(
        "it resizes by a cubic of " + std::to_string(a) + " at `" + printable(position) + "`",
        "`resize(bicubic)` is `half_pixel` or `align_corners`, of -0.75; with `antialias` of -0.5 "
        "and with `exclude_outside`");
  resample(layer, filters ? dsl::Resampling::BicubicAntialias : dsl::Resampling::Bicubic);
}

} // namespace

// Rows or columns by number: those that `nearest` or `nearest_exact` takes. They are two nodes of a file, and
// one resize.
void OnnxImporter::gather(const OnnxNode &node) {
  const int input = map(node, 0);
  const OnnxConstant sources = constant(node, 1);
  const size_t axis = axisOf(integerOf(node, "axis", 0), valueOf(node.inputs[0]).view.rank());
  if (axis < 2 || sources->real || sources->shape.size() != 1 || sources->size() == 0 ||
      sources->size() > size_t(kLargest))
    throw Unsupported("it takes other than rows or columns by number");
  dsl::Node resized = like(input, OpKind::Resize);
  Ints rows, columns;
  const dsl::Node &before = result.graph.nodes[size_t(input)];
  const dsl::Shape &small =
      result.graph.nodes[size_t(before.operands.empty() ? input : before.operands[0])].shape;
  const auto source = [](bool exact, int64_t i, int64_t in, int64_t out, double scale) {
    return exact ? dsl::resamplingRun({dsl::Resampling::NearestExact, in, out, false, scale}, i).begin
                 : dsl::nearestSource(i, in, out, scale);
  };
  const bool repeats = before.kind == OpKind::Resize && before.mode == dsl::ResizeMode::Nearest,
             centres = before.kind == OpKind::Resample && before.resampling == dsl::Resampling::NearestExact;
  if (axis == 3 && (repeats || centres) && before.shape.width == small.width) {
    resized.operands = before.operands;
    for (int64_t i = 0; i < before.shape.height; ++i)
      rows.push_back(source(centres, i, small.height, before.shape.height, before.scale));
  }
  (axis == 2 ? rows : columns) = sources->integers;
  const Sizes sizes = sizesOf(resized.operands[0]);
  const auto fits = [&](bool exact, const Ints &wanted, int64_t in, double scale) {
    for (size_t i = 0; i < wanted.size(); ++i)
      if (wanted[i] != source(exact, int64_t(i), in, int64_t(wanted.size()), scale))
        return false;
    return wanted.empty() || scale == 0 || dsl::scaledSize(in, scale) == int64_t(wanted.size());
  };
  // By size, or by a factor in hundredths that gives this size.
  std::optional<double> scale;
  const int64_t out = int64_t(sources->size()), most = 100 * (out + 1) / sizes[axis] + 1;
  for (const bool exact : {false, true})
    for (int64_t percent = 0; percent <= most && !scale;
         percent = std::max(percent + 1, 100 * out / sizes[axis]))
      if (fits(exact, rows, sizes[2], double(percent) / 100) &&
          fits(exact, columns, sizes[3], double(percent) / 100)) {
        scale = double(percent) / 100;
        if (exact)
          resample(resized, dsl::Resampling::NearestExact);
      }
  if (!scale)
    throw Unsupported("the rows or columns that it takes are not those of a resize");
  if (!rows.empty())
    resized.shape.height = int64_t(rows.size());
  if (!columns.empty())
    resized.shape.width = int64_t(columns.size());
  resized.scale = *scale;
  giveMap(node, add(node, resized));
}

void OnnxImporter::resize(const OnnxNode &node) {
  const int input = map(node, 0);
  const Sizes sizes = sizesOf(input);
  dsl::Node layer = like(input, OpKind::Resize);
  const bool old = node.operation == "Upsample" || model.opset < 11;
  const size_t scalesAt = old ? 1 : 2;
  const std::string mode = textOf(node, "mode", "nearest");
  const std::string position =
      textOf(node, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
  std::array<double, 2> scales = {0, 0};
  if (!old && has(node, 3)) {
    const Ints wanted = integers(node, 3, "sizes");
    const Ints axes = integersOf(node, "axes", {0, 1, 2, 3});
    Ints all(sizes.begin(), sizes.end());
    if (wanted.size() != axes.size())
      throw Unsupported("it is not of four dimensions");
    for (size_t i = 0; i < axes.size(); ++i)
      all[axisOf(axes[i], 4)] = wanted[i];
    if (all[0] != sizes[0] || all[1] != sizes[1] ||
        textOf(node, "keep_aspect_ratio_policy", "stretch") != "stretch")
      throw Unsupported("it resizes other than rows and columns");
    layer.shape.height = all[2];
    layer.shape.width = all[3];
  } else {
    std::vector<float> given;
    if (has(node, scalesAt))
      given = constant(node, scalesAt)->floats;
    else
      given = attribute<std::vector<float>>(node, "scales", {});
    if (given.size() == 2 && integersOf(node, "axes") == Ints{2, 3})
      given.insert(given.begin(), {1, 1});
    if (given.size() != 4 || given[0] != 1 || given[1] != 1)
      throw Unsupported("it resizes other than rows and columns");
    for (size_t side : {0, 1}) {
      scales[side] = given[2 + side];
      if (!(scales[side] > 0 && scales[side] <= kLargest))
        throw Unsupported("it resizes by " + std::to_string(scales[side]));
      (side == 0 ? layer.shape.height : layer.shape.width) = dsl::scaledSize(sizes[2 + side], scales[side]);
    }
  }
  if (layer.shape.height < 1 || layer.shape.width < 1 || layer.shape.height > kLargest ||
      layer.shape.width > kLargest)
    throw Unsupported("it makes a map of " + std::to_string(layer.shape.height) + " x " +
                      std::to_string(layer.shape.width));
  const bool whole = layer.shape.height % sizes[2] == 0 && layer.shape.width % sizes[3] == 0;
  if (mode == "nearest") {
    const std::string rounding = old ? "floor" : textOf(node, "nearest_mode", "round_prefer_floor");
    // From centre to centre, the pixels of a map that becomes a whole number of times as large are repeated.
    const bool repeated =
        whole && position.find("half_pixel") != std::string::npos && rounding.rfind("round_prefer", 0) == 0;
    const bool exact = position == "half_pixel" && rounding == "round_prefer_ceil";
    if (!(position == "asymmetric" && rounding == "floor") && !repeated && !exact)
      throw Unsupported(
          "it takes the nearest pixel by `" + printable(position) + "` and `" + printable(rounding) + "`",
          "`resize(nearest)` is `asymmetric` and `floor`, `resize(nearest_exact)` is `half_pixel` and "
          "`round_prefer_ceil`, as PyTorch's");
    if (exact && !repeated)
      resample(layer, dsl::Resampling::NearestExact);
    layer.mode = dsl::ResizeMode::Nearest;
  } else if (mode == "linear" || mode == "bilinear") {
    layer.mode = dsl::ResizeMode::Bilinear;
    layer.alignCorners = position == "align_corners";
    if (!layer.alignCorners && position != "half_pixel" &&
        (position != "pytorch_half_pixel" || layer.shape.height == 1 || layer.shape.width == 1))
      throw Unsupported("it interpolates at `" + printable(position) + "`",
                        "`resize(bilinear)` is `half_pixel` or `align_corners`");
    if (integerOf(node, "antialias", 0) != 0)
      resample(layer, dsl::Resampling::BilinearAntialias);
  } else if (mode == "cubic") {
    cubic(node, position, layer);
  } else {
    throw Unsupported("it resizes by `" + printable(mode) + "`",
                      "`resize` has `nearest`, `nearest_exact`, `bilinear` and `bicubic`");
  }
  if (layer.alignCorners && integerOf(node, "antialias", 0) != 0)
    throw Unsupported("it filters and aligns corners");
  // A factor that is not the quotient of the sizes is kept; where a size stays it does not matter.
  const bool nearest = layer.kind == OpKind::Resize && layer.mode == dsl::ResizeMode::Nearest;
  double scale = 0;
  const int64_t made[] = {layer.shape.height, layer.shape.width};
  for (size_t side : {0, 1}) {
    if (scales[side] == 0 || layer.alignCorners || made[side] == sizes[2 + side] ||
        dsl::samplesAsSizesDo(nearest, sizes[2 + side], made[side], scales[side]))
      continue;
    scale = scales[side];
  }
  // 0.65 was rounded to float32, or to its neighbour of which all runtimes make the same size.
  const double plain = std::round(scale * 1e4) / 1e4;
  if (std::abs(plain - scale) < 1e-6 && dsl::scaledSize(sizes[2], plain) == made[0] &&
      dsl::scaledSize(sizes[3], plain) == made[1])
    scale = plain;
  for (size_t side : {0, 1})
    if (scale != 0 && (dsl::scaledSize(sizes[2 + side], scale) != made[side] ||
                       (made[side] != sizes[2 + side] && std::abs(scale - scales[side]) > 1e-5 * scale)))
      throw Unsupported("it resizes rows and columns by different factors that give no whole sizes");
  layer.scale = scale;
  giveMap(node, add(node, layer));
}

} // namespace vernier::codegen
