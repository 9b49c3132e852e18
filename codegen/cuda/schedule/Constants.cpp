#include "codegen/cuda/schedule/Constants.h"

#include "llvm/ADT/StringExtras.h"

#include <cstdio>

namespace vernier::codegen {

::vn::Map mapAt(const View &view, const Location &place) {
  const int64_t bytes = elementBytes(view.element), most = view.element == Element::BF16 ? 8 : 4;
  int align = 1;
  while (align < most && place.offset % (2 * align * bytes) == 0 && view.pixel % (2 * align) == 0)
    align *= 2;
  return {
      int(view.n), int(view.h),     int(view.w),
      int(view.c), int(view.pixel), view.element == Element::BF16 ? ::vn::Element::BF16 : ::vn::Element::F32,
      align};
}

::vn::Pair pairOf(const std::array<int64_t, 2> &values) { return {int(values[0]), int(values[1])}; }

static ::vn::Activation::Kind deviceKind(Activation::Kind kind) {
  using To = ::vn::Activation;
  switch (kind) {
  case Activation::None:
    return To::None;
  case Activation::Relu:
    return To::Relu;
  case Activation::Relu6:
    return To::Relu6;
  case Activation::LeakyRelu:
    return To::LeakyRelu;
  case Activation::Sigmoid:
    return To::Sigmoid;
  case Activation::HardSigmoid:
    return To::HardSigmoid;
  case Activation::Tanh:
    return To::Tanh;
  case Activation::Exp:
    return To::Exp;
  case Activation::Silu:
    return To::Silu;
  case Activation::HardSwish:
    return To::HardSwish;
  case Activation::Gelu:
    return To::Gelu;
  case Activation::GeluTanh:
    return To::GeluTanh;
  case Activation::ScaleShift:
    return To::ScaleShift;
  }
  return To::None;
}

::vn::Activation deviceActivation(Activation activation) {
  return {deviceKind(activation.kind), float(activation.slope), float(activation.offset)};
}

std::string elementType(Element element, bool written) {
  const char *name = element == Element::BF16  ? "vn::bf16"
                     : element == Element::I32 ? "int"
                     : element == Element::F64 ? "double"
                                               : "float";
  return (written ? "" : "const ") + std::string(name);
}

// --- fields

std::string textOf(const ::vn::Map &map) {
  std::string text = "{";
  for (int extent : {map.n, map.h, map.w, map.c, map.pixel})
    text += std::to_string(extent) + ", ";
  return text + (map.element == ::vn::Element::BF16 ? "vn::Element::BF16, " : "vn::Element::F32, ") +
         std::to_string(map.align) + "}";
}

static std::string textOf(::vn::Pair pair) {
  return "{" + std::to_string(pair.y) + ", " + std::to_string(pair.x) + "}";
}

// In hexadecimal digits, which are exact.
static std::string textOf(double value) {
  char digits[64];
  std::snprintf(digits, sizeof digits, "%a", value);
  return digits;
}

static std::string textOf(::vn::Activation activation) {
  static constexpr const char *names[] = {"None",        "Relu",     "Relu6",     "LeakyRelu", "Sigmoid",
                                          "HardSigmoid", "Tanh",     "Exp",       "Silu",      "HardSwish",
                                          "Gelu",        "GeluTanh", "ScaleShift"};
  const std::string kind = std::string("vn::Activation::") + names[activation.kind];
  if (activation.slope == 0 && activation.offset == 0)
    return kind;
  return "{" + kind + ", " + textOf(double(activation.slope)) + "f, " + textOf(double(activation.offset)) +
         "f}";
}

static const char *nameOf(::vn::Arithmetic arithmetic) {
  static constexpr const char *names[] = {"vn::Arithmetic::F32", "vn::Arithmetic::TF32",
                                          "vn::Arithmetic::BF16"};
  return names[size_t(arithmetic)];
}

static std::string nameOf(::vn::Direction direction) {
  return direction == ::vn::Direction::Forward ? "vn::Direction::Forward" : "vn::Direction::InputGradient";
}

std::string Constant::str(unsigned indent) const {
  constexpr size_t line = 100;
  const std::string text = llvm::join(fields, ", ");
  const std::string next = "\n" + std::string(indent, ' ');
  return "{" + (text.size() < line ? text : next + llvm::join(fields, "," + next)) + "}";
}

Constant &Constant::field(const char *name, const ::vn::Map &map) { return field(name, textOf(map)); }
Constant &Constant::field(const char *name, ::vn::Pair pair) { return field(name, textOf(pair)); }
Constant &Constant::other(const char *name, ::vn::Pair pair, int usual) {
  return pair.y == usual && pair.x == usual ? *this : field(name, pair);
}
Constant &Constant::field(const char *name, double value) { return field(name, textOf(value)); }
Constant &Constant::field(const char *name, float value) { return field(name, textOf(double(value)) + "f"); }
Constant &Constant::field(const char *name, llvm::ArrayRef<double> floats) {
  std::string list;
  for (const double value : floats)
    list += (list.empty() ? "" : ", ") + textOf(double(float(value))) + "f";
  return field(name, "{" + list + "}");
}
Constant &Constant::field(const char *name, ::vn::Activation activation) {
  return activation == ::vn::Activation::None ? *this : field(name, textOf(activation));
}

// --- structs

static std::string textOf(const ::vn::Tile &tile) {
  Constant constant;
  constant.field("m", tile.m).field("n", tile.n).field("k_bytes", tile.k_bytes);
  constant.field("warps_m", tile.warps_m).field("warps_n", tile.warps_n).field("stages", tile.stages);
  if (tile.slices > 1)
    constant.field("slices", tile.slices);
  return constant.str();
}

Constant constantOf(const ::vn::Epilogue &epilogue) {
  Constant constant;
  constant.field("scale", epilogue.scale).field("bias", epilogue.bias);
  if (epilogue.addends > 0) {
    std::string addends;
    for (int i = 0; i < epilogue.addends; ++i)
      addends +=
          (i ? ", {" : "{") + textOf(epilogue.addend[i].map) + ", " + textOf(epilogue.addend[i].factor) + "}";
    constant.field("addends", epilogue.addends).field("addend", "{" + addends + "}");
  }
  constant.field("activation", epilogue.activation).field("masked", epilogue.masked);
  if (epilogue.masked != ::vn::Activation::None)
    constant.field("mask", epilogue.mask);
  if (epilogue.sums == ::vn::Sums::Moments)
    constant.field("sums", std::string("vn::Sums::Moments"));
  if (epilogue.sums == ::vn::Sums::Gradient)
    constant.field("sums", std::string("vn::Sums::Gradient")).field("x", epilogue.x);
  if (epilogue.first_part)
    constant.field("first_part", epilogue.first_part);
  return constant;
}

Constant constantOf(const ::vn::Convolution &c) {
  Constant constant;
  constant.field("in", c.in).field("out", c.out).field("kernel", c.kernel).other("stride", c.stride, 1);
  constant.other("padding", c.padding, 0).other("dilation", c.dilation, 1).field("groups", c.groups);
  constant.field("direction", nameOf(c.direction)).other("residue", c.residue, 0);
  if (c.row)
    constant.field("row", c.row);
  if (c.weight_rows > 0)
    constant.field("weight_rows", c.weight_rows).field("weight_channels", c.weight_channels);
  constant.field("arithmetic", std::string(nameOf(c.arithmetic))).field("epilogue", constantOf(c.epilogue));
  return constant.field("tile", textOf(c.tile));
}

Constant constantOf(const ::vn::WeightLayout &layout) {
  Constant constant;
  constant.field("groups", layout.groups).field("outputs", layout.outputs).field("inputs", layout.inputs);
  constant.field("kernel", layout.kernel).field("arithmetic", std::string(nameOf(layout.arithmetic)));
  constant.field("direction", nameOf(layout.direction));
  if (layout.merged > 1)
    constant.field("merged", layout.merged);
  constant.field("row_taps", layout.row_taps);
  if (layout.rows > 0)
    constant.field("rows", layout.rows).field("channels", layout.channels);
  return constant;
}

Constant constantOf(const ::vn::WeightGradient &g) {
  Constant constant;
  constant.field("x", g.x).field("dy", g.dy).field("groups", g.groups);
  if (g.merged > 1)
    constant.field("merged", g.merged);
  constant.field("kernel", g.kernel);
  constant.other("stride", g.stride, 1).other("dilation", g.dilation, 1).other("padding", g.padding, 0);
  constant.field("arithmetic", std::string(nameOf(g.arithmetic))).field("splits", g.splits);
  return constant.field("tile", textOf(g.tile));
}

} // namespace vernier::codegen
