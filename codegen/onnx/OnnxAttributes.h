// Attributes of a node by their names, with the values that ONNX gives those that are left out.
#ifndef VERNIER_CODEGEN_ONNX_ONNXATTRIBUTES_H
#define VERNIER_CODEGEN_ONNX_ONNXATTRIBUTES_H

#include "codegen/onnx/ReadOnnx.h"

#include <charconv>
#include <cmath>
#include <stdexcept>

namespace vernier::codegen {

/// What the language has no words for, or what ONNX does not allow.
struct Unsupported : std::runtime_error {
  explicit Unsupported(const std::string &what, std::string help = "")
      : std::runtime_error(what), help(std::move(help)) {}
  std::string help;
};

/// The shortest decimal that float32 tells from its neighbours: 0.1 of the float32 next to it.
inline double decimal(float value) {
  char buffer[64];
  double shortest = value;
  std::from_chars(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr, shortest);
  return shortest;
}

/// The attribute, or `otherwise` where the node has none. Throws Unsupported where it is of another type.
template <class T> T attribute(const OnnxNode &node, const char *name, T otherwise) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end())
    return otherwise;
  if (const T *value = std::get_if<T>(&found->second))
    return *value;
  throw Unsupported(std::string("attribute `") + name + "` is of another type than ONNX's");
}

inline int64_t integerOf(const OnnxNode &node, const char *name, int64_t otherwise) {
  return attribute<int64_t>(node, name, otherwise);
}
inline double realOf(const OnnxNode &node, const char *name, float otherwise) {
  const float value = attribute<float>(node, name, otherwise);
  if (!std::isfinite(value))
    throw Unsupported(std::string("attribute `") + name + "` is not finite");
  return decimal(value);
}
inline std::string textOf(const OnnxNode &node, const char *name, const char *otherwise) {
  return attribute<std::string>(node, name, otherwise);
}
inline std::vector<int64_t> integersOf(const OnnxNode &node, const char *name,
                                       std::vector<int64_t> otherwise = {}) {
  return attribute<std::vector<int64_t>>(node, name, std::move(otherwise));
}

/// A dimension of `rank`, counted from the end where negative. Throws Unsupported beyond.
inline size_t axisOf(int64_t axis, size_t rank) {
  if (axis < -int64_t(rank) || axis >= int64_t(rank))
    throw Unsupported("axis " + std::to_string(axis) + " of " + std::to_string(rank));
  return size_t(axis < 0 ? axis + int64_t(rank) : axis);
}

} // namespace vernier::codegen

#endif
