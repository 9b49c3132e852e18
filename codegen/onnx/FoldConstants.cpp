#include "codegen/onnx/FoldConstants.h"

#include "codegen/onnx/OnnxAttributes.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace vernier::codegen {
namespace {

using Sizes = std::vector<int64_t>;

std::shared_ptr<OnnxTensor> like(const OnnxTensor &tensor, Sizes shape) {
  auto result = std::make_shared<OnnxTensor>();
  result->shape = std::move(shape);
  result->real = tensor.real;
  return result;
}

void copyElement(const OnnxTensor &from, size_t i, OnnxTensor &to) {
  if (from.real)
    to.floats.push_back(from.floats[i]);
  else
    to.integers.push_back(from.integers[i]);
}

OnnxConstant withShape(const OnnxTensor &tensor, Sizes shape) {
  auto result = std::make_shared<OnnxTensor>(tensor);
  result->shape = std::move(shape);
  return result;
}

int64_t product(const Sizes &sizes, size_t begin, size_t end) {
  int64_t count = 1;
  for (size_t i = begin; i < end; ++i)
    count *= sizes[i];
  return count;
}

OnnxConstant transpose(const OnnxNode &node, const OnnxTensor &tensor) {
  const size_t rank = tensor.shape.size();
  Sizes order = integersOf(node, "perm");
  if (order.empty())
    for (size_t i = rank; i > 0; --i)
      order.push_back(int64_t(i) - 1);
  Sizes sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i)
    if (order.size() != rank || sorted[i] != int64_t(i))
      throw Unsupported("`perm` is no order of the dimensions");
  Sizes shape, strides;
  for (const int64_t from : order) {
    shape.push_back(tensor.shape[size_t(from)]);
    strides.push_back(product(tensor.shape, size_t(from) + 1, rank));
  }
  auto result = like(tensor, shape);
  Sizes at(rank);
  for (size_t i = 0; i < tensor.size(); ++i) {
    int64_t from = 0;
    for (size_t axis = 0; axis < rank; ++axis)
      from += at[axis] * strides[axis];
    copyElement(tensor, size_t(from), *result);
    for (size_t axis = rank; axis > 0 && ++at[axis - 1] == shape[axis - 1]; --axis)
      at[axis - 1] = 0;
  }
  return result;
}

OnnxConstant gather(const OnnxNode &node, const OnnxTensor &tensor, const OnnxTensor &indices) {
  if (indices.real)
    throw Unsupported("indices that are no integers");
  const size_t axis = axisOf(integerOf(node, "axis", 0), tensor.shape.size());
  const int64_t outer = product(tensor.shape, 0, axis),
                inner = product(tensor.shape, axis + 1, tensor.shape.size());
  Sizes shape(tensor.shape.begin(), tensor.shape.begin() + long(axis));
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), tensor.shape.begin() + long(axis) + 1, tensor.shape.end());
  onnxElements(shape);
  auto result = like(tensor, shape);
  for (int64_t o = 0; o < outer; ++o)
    for (const int64_t index : indices.integers) {
      const int64_t at = int64_t(axisOf(index, size_t(tensor.shape[axis])));
      for (int64_t i = 0; i < inner; ++i)
        copyElement(tensor, size_t((o * tensor.shape[axis] + at) * inner + i), *result);
    }
  return result;
}

OnnxConstant concat(const std::vector<OnnxConstant> &operands) {
  auto result = like(*operands[0], {0});
  for (const OnnxConstant &operand : operands) {
    if (!operand || operand->shape.size() != 1 || operand->real != result->real)
      return nullptr;
    for (size_t i = 0; i < operand->size(); ++i)
      copyElement(*operand, i, *result);
  }
  result->shape = {int64_t(result->size())};
  return result;
}

OnnxConstant slice(const std::vector<OnnxConstant> &operands) {
  const OnnxTensor &tensor = *operands[0];
  if (operands.size() < 3 || !operands[1] || !operands[2] || tensor.shape.size() != 1 ||
      operands[1]->size() != 1 || operands[2]->size() != 1 ||
      (operands.size() > 4 && operands[4] && (operands[4]->size() != 1 || operands[4]->at(0) != 1)))
    return nullptr;
  const int64_t size = tensor.shape[0];
  const auto bound = [&](const OnnxTensor &value) {
    const int64_t at = int64_t(std::clamp(value.at(0), -1e9, 1e9));
    return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size);
  };
  auto result = like(tensor, {});
  for (int64_t i = bound(*operands[1]); i < bound(*operands[2]); ++i)
    copyElement(tensor, size_t(i), *result);
  result->shape = {int64_t(result->size())};
  return result;
}

// Two tensors of one shape, or one of them a single number.
OnnxConstant arithmetic(const std::string &operation, const OnnxTensor &a, const OnnxTensor &b) {
  if (a.real != b.real || (a.shape != b.shape && a.size() != 1 && b.size() != 1))
    return nullptr;
  auto result = like(a, a.size() == 1 ? b.shape : a.shape);
  const size_t count = std::max(a.size(), b.size());
  if (a.size() == 0 || b.size() == 0)
    return nullptr;
  for (size_t i = 0; i < count; ++i) {
    const double x = a.at(a.size() == 1 ? 0 : i), y = b.at(b.size() == 1 ? 0 : i);
    double value = operation == "Add"   ? x + y
                   : operation == "Sub" ? x - y
                   : operation == "Mul" ? x * y
                                        : x / y;
    if (a.real) {
      result->floats.push_back(float(value));
    } else {
      value = std::trunc(value);
      if (!(std::abs(value) < 9e15))
        throw Unsupported("integers that are too large");
      result->integers.push_back(int64_t(value));
    }
  }
  return result;
}

OnnxConstant elementwise(const OnnxTensor &tensor, const std::function<double(double)> &function) {
  if (!tensor.real)
    return nullptr;
  auto result = like(tensor, tensor.shape);
  for (const float value : tensor.floats)
    result->floats.push_back(float(function(value)));
  return result;
}

OnnxConstant cast(const OnnxNode &node, const OnnxTensor &tensor) {
  const int64_t type = integerOf(node, "to", 1); // 1, 10, 11, 16: real numbers
  const bool real = type == 1 || type == 10 || type == 11 || type == 16;
  auto result = std::make_shared<OnnxTensor>();
  result->shape = tensor.shape;
  result->real = real;
  for (size_t i = 0; i < tensor.size(); ++i)
    if (real)
      result->floats.push_back(float(tensor.at(i)));
    else if (std::abs(tensor.at(i)) < 9e15)
      result->integers.push_back(int64_t(tensor.at(i)));
    else
      result->integers.push_back(std::numeric_limits<int64_t>::max()); // "to the end" of a slice
  return result;
}

OnnxConstant constant(const OnnxNode &node) {
  if (const auto value = attribute<OnnxConstant>(node, "value", nullptr))
    return value;
  auto result = std::make_shared<OnnxTensor>();
  if (node.attributes.count("value_float")) {
    result->floats = {float(realOf(node, "value_float", 0))};
  } else if (node.attributes.count("value_floats")) {
    result->floats = attribute<std::vector<float>>(node, "value_floats", {});
    result->shape = {int64_t(result->floats.size())};
  } else if (node.attributes.count("value_int")) {
    result->real = false;
    result->integers = {integerOf(node, "value_int", 0)};
  } else if (node.attributes.count("value_ints")) {
    result->real = false;
    result->integers = integersOf(node, "value_ints");
    result->shape = {int64_t(result->integers.size())};
  } else {
    return nullptr;
  }
  return result;
}

Sizes axesOf(const OnnxNode &node, const std::vector<OnnxConstant> &operands) {
  return operands.size() > 1 && operands[1] ? operands[1]->integers : integersOf(node, "axes");
}

OnnxConstant squeeze(const OnnxNode &node, const std::vector<OnnxConstant> &operands) {
  const OnnxTensor &tensor = *operands[0];
  const Sizes axes = axesOf(node, operands);
  const std::vector<bool> flags = axisFlags(axes, tensor.shape.size());
  Sizes shape;
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    if (axes.empty() ? tensor.shape[i] != 1 : !flags[i])
      shape.push_back(tensor.shape[i]);
  if (onnxElements(shape) != tensor.size())
    throw Unsupported("a dimension is taken away whose size is not 1");
  return withShape(tensor, shape);
}

OnnxConstant unsqueeze(const OnnxNode &node, const std::vector<OnnxConstant> &operands) {
  const OnnxTensor &tensor = *operands[0];
  const Sizes axes = axesOf(node, operands);
  const std::vector<bool> flags = axisFlags(axes, tensor.shape.size() + axes.size());
  Sizes shape;
  size_t next = 0;
  for (const bool added : flags) {
    if (!added && next == tensor.shape.size())
      throw Unsupported("axes that are given twice");
    shape.push_back(added ? 1 : tensor.shape[next++]);
  }
  return withShape(tensor, shape);
}

} // namespace

Sizes reshapedSizes(const Sizes &shape, const Sizes &wanted, bool zeroIsZero) {
  const size_t elements = onnxElements(shape);
  Sizes sizes = wanted;
  size_t open = sizes.size();
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0 && !zeroIsZero && i < shape.size())
      sizes[i] = shape[i];
    if (sizes[i] == -1 && open == sizes.size()) {
      open = i;
      sizes[i] = 1;
    }
  }
  const size_t known = onnxElements(sizes);
  if (open < sizes.size() && known > 0 && elements % known == 0)
    sizes[open] = int64_t(elements / known);
  if (onnxElements(sizes) != elements)
    throw Unsupported("a tensor is given a shape of another number of elements");
  return sizes;
}

std::vector<bool> axisFlags(const Sizes &axes, size_t rank) {
  std::vector<bool> flags(rank);
  for (const int64_t axis : axes)
    flags[axisOf(axis, rank)] = true;
  return flags;
}

OnnxConstant foldConstant(const OnnxNode &node, const std::vector<OnnxConstant> &operands) {
  const std::string &operation = node.operation;
  if (operation == "Constant")
    return constant(node);
  if (operands.empty() || !operands[0])
    return nullptr;
  const OnnxTensor &tensor = *operands[0];
  const bool two = operands.size() > 1 && operands[1];
  if (operation == "Identity" || operation == "Dropout")
    return operands[0];
  if (operation == "Cast")
    return cast(node, tensor);
  if (operation == "Transpose")
    return transpose(node, tensor);
  if (operation == "Squeeze")
    return squeeze(node, operands);
  if (operation == "Unsqueeze")
    return unsqueeze(node, operands);
  if (operation == "Reshape" && two)
    return withShape(
        tensor, reshapedSizes(tensor.shape, operands[1]->integers, integerOf(node, "allowzero", 0) != 0));
  if (operation == "Gather" && two)
    return gather(node, tensor, *operands[1]);
  if (operation == "Concat")
    return concat(operands);
  if (operation == "Slice")
    return slice(operands);
  if ((operation == "Add" || operation == "Sub" || operation == "Mul" || operation == "Div") && two)
    return arithmetic(operation, tensor, *operands[1]);
  if (operation == "Floor")
    return elementwise(tensor, [](double x) { return std::floor(x); });
  if (operation == "Ceil")
    return elementwise(tensor, [](double x) { return std::ceil(x); });
  if (operation == "Sqrt")
    return elementwise(tensor, [](double x) { return std::sqrt(x); });
  return nullptr;
}

} // namespace vernier::codegen
