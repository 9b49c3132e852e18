// Operators on single elements, and what exporters make of several of them: SiLU, GELU, layer normalisation.
#include "codegen/onnx/ImportNames.h"
#include "codegen/onnx/OnnxImporter.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vernier::codegen {
namespace {

using dsl::OpKind;
using Kind = ImportedValue::Kind;

bool isNear(double found, double expected) { return std::abs(found - expected) <= 1e-5 * std::abs(expected); }

bool isFunction(const dsl::Node &node, Activation::Kind kind) {
  return node.kind == OpKind::Activate && node.activation.kind == kind;
}

// All elements are the same.
bool isNumber(const OnnxTensor &tensor) {
  for (size_t i = 1; i < tensor.size(); ++i)
    if (tensor.at(i) != tensor.at(0))
      return false;
  return tensor.size() > 0;
}

} // namespace

void OnnxImporter::giveActivation(const OnnxNode &node, const Value &value, Activation activation) {
  const ChannelView view = value.view;
  dsl::Node function = like(value.node, OpKind::Activate);
  function.activation = activation;
  giveLaidOut(node, add(node, function), view);
}

void OnnxImporter::activation(const OnnxNode &node) {
  const Value value = anyLayout(node, 0);
  const std::string &name = node.operation;
  Activation activation;
  if (name == "Relu")
    activation = Activation::Relu;
  else if (name == "LeakyRelu")
    activation = {Activation::LeakyRelu, realOf(node, "alpha", 0.01f)};
  else if (name == "Sigmoid")
    activation = Activation::Sigmoid;
  else if (name == "Tanh")
    activation = Activation::Tanh;
  else if (name == "Exp")
    activation = Activation::Exp;
  else if (name == "HardSwish")
    activation = Activation::HardSwish;
  else if (name == "Neg")
    activation = {Activation::ScaleShift, -1, 0};
  else if (name == "Gelu")
    activation = textOf(node, "approximate", "none") == "tanh" ? Activation::GeluTanh : Activation::Gelu;
  else if (name == "Swish" && realOf(node, "alpha", 1) == 1)
    activation = Activation::Silu;
  else if (name == "HardSigmoid" && isNear(realOf(node, "alpha", 0.2f), 1.0 / 6) &&
           isNear(realOf(node, "beta", 0.5f), 0.5))
    activation = Activation::HardSigmoid;
  else
    throw Unsupported("with these attributes the language does not have it",
                      name == "HardSigmoid" ? "`hard_sigmoid` has alpha 1/6 and beta 0.5" : "");
  if (activation.kind == Activation::LeakyRelu && !(activation.slope >= 0))
    throw Unsupported("its slope is negative");
  giveActivation(node, value, activation);
}

void OnnxImporter::clip(const OnnxNode &node) {
  const Value value = anyLayout(node, 0);
  const auto bound = [&](size_t i, const char *name, float otherwise) {
    if (!has(node, i))
      return realOf(node, name, otherwise);
    const OnnxConstant number = constant(node, i);
    if (number->size() != 1)
      throw Unsupported("its bounds are no numbers");
    return number->at(0);
  };
  const double least = bound(1, "min", -std::numeric_limits<float>::max());
  const double most = bound(2, "max", std::numeric_limits<float>::max());
  if (least != 0 || (most != 6 && most < 3e38))
    throw Unsupported("it clips to other bounds than 0 and 6",
                      "`relu` and `relu6` are what the language has");
  giveActivation(node, value, most == 6 ? Activation::Relu6 : Activation::Relu);
}

//===- Two operands
//---------------------------------------------------------------------------------------===//

void OnnxImporter::binary(const OnnxNode &node) {
  if (stepOfGelu(node) || normalised(node))
    return;
  const Value left = operand(node, 0), right = operand(node, 1);
  const std::string &name = node.operation;
  for (const bool first : {false, true}) {
    const Value &value = first ? right : left, &other = first ? left : right;
    if (other.kind != Kind::Constant)
      continue;
    anyLayout(node, first ? 1 : 0);
    // A bias may be the same number for each channel by chance.
    if (other.constant->size() == 1 && withNumber(node, value, *other.constant, first))
      return;
    if (withChannels(node, first ? 1 : 0, *other.constant) || withNumber(node, value, *other.constant, first))
      return;
    throw Unsupported("operand " + std::to_string(first ? 1 : 2) + ", `" +
                          printable(node.inputs[first ? 0 : 1]) +
                          "`, is a constant that is neither a number nor one number for each channel",
                      "the language has no constant maps");
  }
  anyLayout(node, 0);
  anyLayout(node, 1);
  const OpKind kind = name == "Add"   ? OpKind::Add
                      : name == "Sub" ? OpKind::Subtract
                      : name == "Mul" ? OpKind::Multiply
                                      : OpKind::Divide;
  if (kind == OpKind::Multiply)
    for (const bool first : {false, true}) { // x * sigmoid(x)
      const Value &gate = first ? left : right, &value = first ? right : left;
      const dsl::Node &function = result.graph.nodes[size_t(gate.node)];
      const bool smooth = isFunction(function, Activation::Sigmoid);
      if ((smooth || isFunction(function, Activation::HardSigmoid)) && function.operands[0] == value.node &&
          gate.view == value.view)
        return giveActivation(node, value, smooth ? Activation::Silu : Activation::HardSwish);
    }
  binaryOfMaps(node, kind, left, right);
}

void OnnxImporter::binaryOfMaps(const OnnxNode &node, OpKind kind, const Value &left, const Value &right) {
  const Sizes a = sizesOf(left.node), b = sizesOf(right.node);
  dsl::Node both = like(left.node, kind);
  if (left.view == right.view && a == b) {
    both.operands = {left.node, right.node};
    return giveLaidOut(node, add(node, both), left.view);
  }
  const bool last = left.view.rank() == 4 && right.view.rank() == 4 && left.view.isChannelsLast(a) &&
                    right.view.isChannelsLast(b);
  const int x = last ? left.node : map(left), y = last ? right.node : map(right);
  const auto fits = [](const Sizes &large, const Sizes &small) {
    return (small[1] == large[1] || small[1] == 1) &&
           ((small[2] == large[2] && small[3] == large[3]) || (small[2] == 1 && small[3] == 1));
  };
  const bool straight = fits(a, b);
  if (left.view.rank() != right.view.rank() || (!straight && !fits(b, a)))
    throw Unsupported("its operands are of shapes that are not combined",
                      "the smaller one is C x 1 x 1, 1 x H x W or 1 x 1 x 1");
  both.operands = straight ? std::vector<int>{x, y} : std::vector<int>{y, x};
  both.shape = result.graph.nodes[size_t(both.operands[0])].shape;
  both.channels = both.shape.channels;
  if (!straight && (kind == OpKind::Subtract || kind == OpKind::Divide))
    throw Unsupported("its first operand is smaller than its second");
  const int made = add(node, both);
  giveLaidOut(node, made, last ? (straight ? left.view : right.view) : ChannelView::ofMap(sizesOf(made)));
}

void OnnxImporter::sum(const OnnxNode &node) {
  Value value = anyLayout(node, 0);
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    binaryOfMaps(node, OpKind::Add, value, anyLayout(node, i));
    value = valueOf(node.outputs[0]);
  }
  give(node, value);
}

void OnnxImporter::power(const OnnxNode &node) {
  const Value value = anyLayout(node, 0);
  const OnnxConstant exponent = constant(node, 1);
  if (!isNumber(*exponent) || exponent->at(0) != 2)
    throw Unsupported("its exponent is not 2");
  binaryOfMaps(node, OpKind::Multiply, value, value);
}

//===- With constants
//-------------------------------------------------------------------------------------===//

bool OnnxImporter::withNumber(const OnnxNode &node, const Value &value, const OnnxTensor &number,
                              bool numberFirst) {
  if (!isNumber(number) || number.shape.size() > value.view.rank())
    return false;
  for (size_t i = 0; i < number.shape.size(); ++i) // it enlarges nothing
    if (number.shape[i] != 1 &&
        number.shape[i] != value.view.shape()[value.view.rank() - number.shape.size() + i])
      return false;
  const double c = number.real ? decimal(number.floats[0]) : number.at(0);
  const std::string &name = node.operation;
  double slope = 1, offset = 0;
  if (name == "Add") {
    offset = c;
  } else if (name == "Sub") {
    slope = numberFirst ? -1 : 1;
    offset = numberFirst ? c : -c;
  } else if (name == "Mul") {
    slope = c;
  } else {
    if (numberFirst)
      throw Unsupported("a number is divided by a map");
    if (c == 0)
      throw Unsupported("it divides by 0");
    slope = 1 / c;
  }
  if (!std::isfinite(slope) || !std::isfinite(offset))
    throw Unsupported("its constant is not finite");
  if (slope == 1 && offset == 0)
    give(node, value);
  else
    giveActivation(node, value, {Activation::ScaleShift, slope, offset});
  return true;
}

// Adds to the bias of the layer that the value comes from and of which nothing else is known.
bool OnnxImporter::addToBias(const OnnxNode &node, const Value &value, const std::vector<float> &numbers) {
  dsl::Node &layer = result.graph.nodes[size_t(value.node)];
  std::vector<LayerWeight> &tensors = weights[size_t(value.node)];
  if ((layer.kind == OpKind::LayerNorm || layer.kind == OpKind::GroupNorm) && tensors[1].source.empty()) {
    bare.erase(value.node);
    for (size_t i = 0; i < numbers.size(); ++i)
      tensors[1].values[i] += numbers[i];
  } else if ((layer.kind == OpKind::Convolution || layer.kind == OpKind::TransposedConvolution ||
              layer.kind == OpKind::Linear) &&
             !layer.bias) {
    layer.bias = true;
    tensors.push_back({"bias", "", {int64_t(numbers.size())}, numbers});
  } else {
    return false;
  }
  giveLaidOut(node, value.node, value.view);
  return true;
}

// One number for each channel: a bias, the weight of a layer normalisation, a layer scale; what is added to
// anything else is a 1x1 convolution of each channel alone.
bool OnnxImporter::withChannels(const OnnxNode &node, size_t i, const OnnxTensor &numbers) {
  const Value value = operand(node, i);
  const Sizes sizes = sizesOf(value.node);
  const size_t rank = value.view.rank();
  if (!numbers.real || numbers.size() != size_t(sizes[1]) || numbers.shape.size() > rank)
    return false;
  size_t axis = rank;
  for (size_t d = 0; d < numbers.shape.size(); ++d)
    if (numbers.shape[d] != 1)
      axis = rank - numbers.shape.size() + d;
  if (axis == rank || !value.view.isWhole(axis, MapAxis::Channel, sizes[1]))
    return false;
  const bool add = node.operation == "Add", multiply = node.operation == "Mul";
  std::vector<float> values = numbers.floats;
  const std::string source = operand(node, 1 - i).source;
  if (add && usedOnce(node, i) && addToBias(node, value, values))
    return true;
  dsl::Node &layer = result.graph.nodes[size_t(value.node)];
  if (multiply && usedOnce(node, i) && (layer.kind == OpKind::LayerNorm || layer.kind == OpKind::GroupNorm) &&
      bare.erase(value.node)) {
    weights[size_t(value.node)][0].values = values;
    weights[size_t(value.node)][0].source = source;
    if (const std::string name = layerOf(source); !name.empty())
      modules[size_t(value.node)] = name;
    giveLaidOut(node, value.node, value.view);
    return true;
  }
  const bool first = i == 1; // the constant comes first
  if (multiply || (node.operation == "Div" && !first)) {
    if (!multiply)
      for (float &number : values)
        number = 1 / number;
    const dsl::Node scale = like(value.node, OpKind::LayerScale);
    giveLaidOut(node, this->add(node, scale, {{"weight", source, {sizes[1]}, values}}), value.view);
    return true;
  }
  if (!add && node.operation != "Sub")
    return false;
  const bool negated = !add && first;
  if (!add && !first)
    for (float &number : values)
      number = -number;
  dsl::Node shift = like(value.node, OpKind::Convolution);
  shift.groups = sizes[1];
  shift.bias = true;
  giveLaidOut(
      node,
      this->add(node, shift,
                {{"weight", "", {sizes[1], 1, 1, 1}, std::vector<float>(values.size(), negated ? -1 : 1)},
                 {"bias", source, {sizes[1]}, values}}),
      value.view);
  return true;
}

//===- GELU
//-----------------------------------------------------------------------------------------------===//

void OnnxImporter::errorFunction(const OnnxNode &node) {
  const Value value = anyLayout(node, 0);
  const dsl::Node &scaled = result.graph.nodes[size_t(value.node)];
  if (!isFunction(scaled, Activation::ScaleShift) || scaled.activation.offset != 0 ||
      !isNear(scaled.activation.slope, std::sqrt(0.5)))
    throw Unsupported("it is known as a part of GELU only, of x / sqrt(2)");
  Value erf = value;
  erf.kind = Kind::Erf;
  erf.node = scaled.operands[0];
  give(node, erf);
}

// x / 2 * (1 + erf(x / sqrt(2))), multiplied in any order.
bool OnnxImporter::stepOfGelu(const OnnxNode &node) {
  for (const size_t i : {0, 1}) {
    const Value value = operand(node, i), other = operand(node, 1 - i);
    if (value.kind != Kind::Erf && value.kind != Kind::OnePlusErf && value.kind != Kind::TimesErf)
      continue;
    Value next = value;
    const bool number = other.kind == Kind::Constant && isNumber(*other.constant);
    if (value.kind == Kind::Erf) {
      if (node.operation != "Add" || !number || other.constant->at(0) != 1)
        return false;
      next.kind = Kind::OnePlusErf;
      next.factor = 1;
    } else if (node.operation == "Mul" && number) {
      next.factor *= other.constant->at(0);
    } else if (node.operation == "Div" && number && i == 0) {
      next.factor /= other.constant->at(0);
    } else if (node.operation == "Mul" && value.kind == Kind::OnePlusErf && other.kind == Kind::Map &&
               other.view == value.view) {
      const dsl::Node &scaled = result.graph.nodes[size_t(other.node)];
      next.kind = Kind::TimesErf;
      if (other.node != value.node) {
        if (!isFunction(scaled, Activation::ScaleShift) || scaled.activation.offset != 0 ||
            scaled.operands[0] != value.node)
          return false;
        next.factor *= scaled.activation.slope;
      }
    } else {
      return false;
    }
    if (next.kind == Kind::TimesErf && isNear(next.factor, 0.5))
      giveActivation(node, next, Activation::Gelu);
    else
      give(node, next);
    return true;
  }
  return false;
}

//===- Layer normalisation
//--------------------------------------------------------------------------------===//

void OnnxImporter::squareRoot(const OnnxNode &node) {
  Value root = anyLayout(node, 0);
  root.kind = Kind::SquareRoot;
  give(node, root);
}

// d / sqrt(mean(d * d) + epsilon), d being x - mean(x), all over channels.
bool OnnxImporter::normalised(const OnnxNode &node) {
  if (node.operation != "Div" || operand(node, 1).kind != Kind::SquareRoot ||
      operand(node, 0).kind != Kind::Map)
    return false;
  const auto at = [&](int i) -> const dsl::Node & { return result.graph.nodes[size_t(i)]; };
  const Value difference = operand(node, 0);
  const dsl::Node &shifted = at(operand(node, 1).node), &d = at(difference.node);
  if (d.kind != OpKind::Subtract || !isFunction(shifted, Activation::ScaleShift) ||
      shifted.activation.slope != 1)
    return false;
  const dsl::Node &mean = at(d.operands[1]), &variance = at(shifted.operands[0]);
  if (mean.kind != OpKind::ChannelMean || mean.operands[0] != d.operands[0] ||
      variance.kind != OpKind::ChannelMean)
    return false;
  const dsl::Node &square = at(variance.operands[0]);
  if (square.kind != OpKind::Multiply || square.operands[0] != difference.node ||
      square.operands[1] != difference.node)
    return false;
  dsl::Node layer = like(d.operands[0], OpKind::LayerNorm);
  layer.epsilon = shifted.activation.offset;
  if (!(layer.epsilon > 0) || layer.epsilon > 1)
    return false;
  const size_t channels = size_t(layer.shape.channels);
  const int made = add(node, layer,
                       {{"weight", "", {layer.shape.channels}, std::vector<float>(channels, 1)},
                        {"bias", "", {layer.shape.channels}, std::vector<float>(channels)}});
  bare.insert(made);
  giveLaidOut(node, made, difference.view);
  return true;
}

} // namespace vernier::codegen
