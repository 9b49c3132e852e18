#include "tests/codegen/Network.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace vernier::tests {
namespace {

std::string tensor(const std::vector<int64_t> &shape) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + "f32>";
}

template <size_t N> std::string list(const std::array<int64_t, N> &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? "[" : ", ") + std::to_string(value);
  return text + "]";
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17e", value);
  return text;
}

int64_t convolved(int64_t size, int64_t kernel, int64_t stride, int64_t before, int64_t after,
                  int64_t dilation) {
  return (size + before + after - dilation * (kernel - 1) - 1) / stride + 1;
}

int64_t pooled(int64_t size, int64_t kernel, int64_t stride, int64_t before, int64_t after, bool ceil) {
  const int64_t room = size + before + after - kernel;
  if (!ceil)
    return room / stride + 1;
  int64_t count = (room + stride - 1) / stride + 1;
  if ((count - 1) * stride >= size + before)
    --count;
  return count;
}

} // namespace

std::string Map::type() const { return tensor({n, h, w, c}); }

Network::Network(int64_t n, int64_t h, int64_t w, int64_t c) : theImage{"%image", n, h, w, c} {}

Map Network::result(const std::string &op, const std::vector<Map> &operands, const std::string &attributes,
                    Map shape, const std::vector<std::string> &parameterNames) {
  shape.name = "%v" + std::to_string(values++);
  std::string names, operandTypes;
  const auto append = [](std::string &text, const std::string &item) {
    text += (text.empty() ? "" : ", ") + item;
  };
  for (const Map &operand : operands) {
    append(names, operand.name);
    append(operandTypes, operand.type());
  }
  for (const std::string &name : parameterNames) {
    const auto found =
        std::find_if(types.begin(), types.end(), [&](const auto &entry) { return entry.first == name; });
    append(operandTypes, found->second);
    // A convolution's or linear layer's bias comes behind its own word.
    if (found->second.find('x') == found->second.rfind('x') &&
        (op.ends_with("convolution") || op == "linear"))
      names += " bias " + name;
    else
      append(names, name);
  }
  body += "  " + shape.name + " = vn." + op + " " + names + attributes + " : (" + operandTypes + ") -> " +
          shape.type() + "\n";
  return shape;
}

std::string Network::parameter(const std::string &kind, std::vector<int64_t> shape) {
  const std::string name = "p" + std::to_string(parameters++);
  types.push_back({"%" + name, tensor(shape)});
  body +=
      "  %" + name + " = vn.parameter \"" + name + "." + kind + "\" " + kind + " : " + tensor(shape) + "\n";
  return "%" + name;
}

Map Network::part(int64_t h, int64_t w, int64_t c, bool asSlice, unsigned seed) {
  const Map &x = theImage;
  if (h > x.h || w > x.w || c > x.c)
    throw std::logic_error("the image has no part that large");
  const Pair offset{int64_t(seed) % (x.h - h + 1), int64_t(seed * 7) % (x.w - w + 1)};
  const int64_t begin = int64_t(seed * 5) % (x.c - c + 1);
  if (asSlice)
    return slice(crop(x, h, w, offset), begin, c);
  return crop(slice(x, begin, c), h, w, offset);
}

std::string Network::weight(int64_t outputs, int64_t inputsPerGroup, Pair kernel) {
  return parameter("convolution_weight", {outputs, inputsPerGroup, kernel[0], kernel[1]});
}

Map Network::convolution(const Map &x, const Convolution &o) {
  return convolution(x, o, weight(o.channels, x.c / o.groups, o.kernel));
}

Map Network::convolution(const Map &x, const Convolution &o, const std::string &weightName) {
  std::vector<std::string> names = {weightName};
  if (o.bias)
    names.push_back(parameter("bias", {o.channels}));
  const int64_t h = convolved(x.h, o.kernel[0], o.strides[0], o.padding[0], o.padding[1], o.dilations[0]);
  const int64_t w = convolved(x.w, o.kernel[1], o.strides[1], o.padding[2], o.padding[3], o.dilations[1]);
  return result("convolution", {x},
                " strides " + list(o.strides) + " padding " + list(o.padding) + " dilations " +
                    list(o.dilations) + " groups " + std::to_string(o.groups),
                {"", x.n, h, w, o.channels}, names);
}

Map Network::transposedConvolution(const Map &x, const Convolution &o) {
  std::vector<std::string> names = {weight(x.c, o.channels / o.groups, o.kernel)};
  if (o.bias)
    names.push_back(parameter("bias", {o.channels}));
  const auto size = [&](int axis, int64_t extent) {
    return (extent - 1) * o.strides[axis] - o.padding[2 * axis] - o.padding[2 * axis + 1] +
           o.dilations[axis] * (o.kernel[axis] - 1) + o.outputPadding[axis] + 1;
  };
  return result("transposed_convolution", {x},
                " strides " + list(o.strides) + " padding " + list(o.padding) + " dilations " +
                    list(o.dilations) + " groups " + std::to_string(o.groups) + " output_padding " +
                    list(o.outputPadding),
                {"", x.n, size(0, x.h), size(1, x.w), o.channels}, names);
}

Map Network::linear(const Map &x, int64_t features, bool bias) {
  std::vector<std::string> names = {parameter("linear_weight", {features, x.c})};
  if (bias)
    names.push_back(parameter("bias", {features}));
  return result("linear", {x}, "", {"", x.n, 1, 1, features}, names);
}

Map Network::batchNorm(const Map &x, double epsilon, double momentum) {
  std::vector<std::string> names;
  for (const char *kind : {"gamma", "beta", "running_mean", "running_var"})
    names.push_back(parameter(kind, {x.c}));
  return result("batch_norm", {x}, " epsilon " + number(epsilon) + " momentum " + number(momentum), x, names);
}

Map Network::layerNorm(const Map &x, double epsilon) {
  const std::vector<std::string> names = {parameter("gamma", {x.c}), parameter("beta", {x.c})};
  return result("layer_norm", {x}, " epsilon " + number(epsilon), x, names);
}

Map Network::groupNorm(const Map &x, int64_t groups, double epsilon) {
  const std::vector<std::string> names = {parameter("gamma", {x.c}), parameter("beta", {x.c})};
  return result("group_norm", {x}, " in " + std::to_string(groups) + " epsilon " + number(epsilon), x, names);
}

Map Network::prelu(const Map &x, bool perChannel) {
  return result("prelu", {x}, "", x, {parameter("gamma", {perChannel ? x.c : 1})});
}

Map Network::parameterMap(int64_t channels) {
  return result("parameter_map", {}, "", {"", theImage.n, 1, 1, channels}, {parameter("gamma", {channels})});
}

Map Network::softmax(const Map &x, int64_t runs, bool log) {
  return result(log ? "softmax log" : "softmax", {x}, " of " + std::to_string(runs), x);
}

Map Network::spatialSoftmax(const Map &x) { return result("spatial_softmax", {x}, "", x); }

Map Network::matmul(const Map &a, const Map &b, bool transposeA, bool transposeB) {
  const Map shape = {"", a.n, transposeA ? a.c : a.h, transposeA ? 1 : a.w, transposeB ? b.h * b.w : b.c};
  return result("matmul", {a, b},
                std::string(transposeA ? " transpose_lhs" : "") + (transposeB ? " transpose_rhs" : ""),
                shape);
}

Map Network::pixelShuffle(const Map &x, int64_t factor) {
  return result("pixel_shuffle", {x}, " by " + std::to_string(factor),
                {"", x.n, x.h * factor, x.w * factor, x.c / (factor * factor)});
}

Map Network::pixelUnshuffle(const Map &x, int64_t factor) {
  return result("pixel_unshuffle", {x}, " by " + std::to_string(factor),
                {"", x.n, x.h / factor, x.w / factor, x.c * factor * factor});
}

Map Network::scaleChannels(const Map &x) {
  return result("scale_channels", {x}, "", x, {parameter("gamma", {x.c})});
}

Map Network::reduceChannels(const Map &x, const std::string &reduction) {
  return result("reduce_channels " + reduction, {x}, "", {"", x.n, x.h, x.w, 1});
}

Map Network::activate(const Map &x, const std::string &function) {
  Map y = x;
  y.name = "%v" + std::to_string(values++);
  body += "  " + y.name + " = vn.activate " + function + " " + x.name + " : " + x.type() + "\n";
  return y;
}

static std::string poolAttributes(const Pool &o) {
  return " kernel " + list(o.kernel) + " strides " + list(o.strides) + " padding " + list(o.padding) +
         (o.ceil ? " ceil" : "");
}

static Map poolShape(const Map &x, const Pool &o) {
  return {"", x.n, pooled(x.h, o.kernel[0], o.strides[0], o.padding[0], o.padding[1], o.ceil),
          pooled(x.w, o.kernel[1], o.strides[1], o.padding[2], o.padding[3], o.ceil), x.c};
}

Map Network::maxPool(const Map &x, const Pool &o) {
  return result("max_pool", {x}, poolAttributes(o), poolShape(x, o));
}

Map Network::maxPoolGradient(const Map &x, const Map &gradient, const Pool &o) {
  return result("max_pool_grad", {x, maxPool(x, o), gradient}, poolAttributes(o), x);
}

Map Network::averagePool(const Map &x, const Pool &o) {
  return result("avg_pool", {x}, poolAttributes(o) + " count_padding " + (o.countPadding ? "true" : "false"),
                poolShape(x, o));
}

Map Network::globalPool(const Map &x) { return result("global_avg_pool", {x}, "", {"", x.n, 1, 1, x.c}); }

Map Network::resize(const Map &x, int64_t h, int64_t w, const std::string &mode, bool alignCorners) {
  return result("resize " + mode, {x}, alignCorners ? " align_corners" : "", {"", x.n, h, w, x.c});
}

Map Network::scale(const Map &x, double factor, const std::string &mode) {
  char digits[32];
  snprintf(digits, sizeof digits, "%.17e", factor);
  return result(
      "resize " + mode, {x}, std::string(" scale ") + digits,
      {"", x.n, int64_t(std::floor(double(x.h) * factor)), int64_t(std::floor(double(x.w) * factor)), x.c});
}

Map Network::resample(const Map &x, int64_t h, int64_t w, const std::string &kind,
                      const std::string &attributes) {
  return result("resample " + kind, {x}, attributes, {"", x.n, h, w, x.c});
}

Map Network::pad(const Map &x, Four padding, const std::string &mode) {
  return result("pad " + mode, {x}, " by " + list(padding),
                {"", x.n, x.h + padding[0] + padding[1], x.w + padding[2] + padding[3], x.c});
}

Map Network::crop(const Map &x, int64_t h, int64_t w, Pair offset) {
  return result("crop", {x}, " at " + list(offset), {"", x.n, h, w, x.c});
}

Map Network::slice(const Map &x, int64_t begin, int64_t count) {
  return result("slice", {x}, " from " + std::to_string(begin), {"", x.n, x.h, x.w, count});
}

Map Network::channelShuffle(const Map &x, int64_t groups) {
  return result("channel_shuffle", {x}, " in " + std::to_string(groups), x);
}

Map Network::concat(const std::vector<Map> &inputs) {
  Map shape = inputs.front();
  shape.c = 0;
  for (const Map &input : inputs)
    shape.c += input.c;
  return result("concat", inputs, "", shape);
}

Map Network::add(const Map &a, const Map &b) { return result("add", {a, b}, "", a); }
Map Network::subtract(const Map &a, const Map &b) { return result("subtract", {a, b}, "", a); }
Map Network::divide(const Map &a, const Map &b) { return result("divide", {a, b}, "", a); }
Map Network::multiply(const Map &a, const Map &b) { return result("multiply", {a, b}, "", a); }

void Network::output(const Map &map, const std::string &name) {
  outputs.push_back(map);
  outputNames.push_back(name);
}

void Network::outputLogits(const std::vector<Map> &results, int64_t classes) {
  std::vector<Map> pooled;
  for (const Map &map : results) {
    const unsigned seed = unsigned(pooled.size());
    Map probe = part(std::min(map.h, theImage.h), std::min(map.w, theImage.w), std::min(map.c, theImage.c),
                     false, seed);
    if (probe.h < map.h || probe.w < map.w)
      probe = pad(probe, {0, map.h - probe.h, 0, map.w - probe.w}, "replicate");
    while (probe.c < map.c)
      probe = concat({probe, slice(probe, 0, std::min(probe.c, map.c - probe.c))});
    pooled.push_back(globalPool(multiply(map, probe)));
  }
  outputs.insert(outputs.begin(), linear(concat(pooled), classes));
  outputNames.insert(outputNames.begin(), "logits");
}

std::string Network::text() const {
  std::string names, results, resultTypes;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const char *comma = i ? ", " : "";
    names += comma + ("\"" + outputNames[i] + "\"");
    results += comma + outputs[i].name;
    resultTypes += comma + outputs[i].type();
  }
  return "func.func @infer(" + theImage.name + ": " + theImage.type() + ") -> (" + resultTypes +
         ") attributes {vn.outputs = [" + names + "]} {\n" + body + "  return " + results + " : " +
         resultTypes + "\n}\n";
}

} // namespace vernier::tests
