// An ONNX model file as plain data, checked: whoever wrote it, what comes of it can be relied on.
#ifndef VERNIER_CODEGEN_ONNX_READONNX_H
#define VERNIER_CODEGEN_ONNX_READONNX_H

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace vernier::codegen {

/// A constant: of real numbers, converted to float32, or of integers and truth values. One of the two lists
/// has as many elements as `shape`; a scalar's shape is empty.
struct OnnxTensor {
  std::vector<int64_t> shape;
  bool real = true;
  std::vector<float> floats;
  std::vector<int64_t> integers;

  size_t size() const { return real ? floats.size() : integers.size(); }
  double at(size_t i) const { return real ? floats[i] : double(integers[i]); }
};

using OnnxConstant = std::shared_ptr<const OnnxTensor>;

/// Of a kind that no operator read here has (a graph, say): monostate.
using OnnxAttribute = std::variant<std::monostate, int64_t, float, std::string, std::vector<int64_t>,
                                   std::vector<float>, OnnxConstant>;

struct OnnxNode {
  std::string name, operation;              ///< of another domain than ONNX's: "domain.operation"
  std::vector<std::string> inputs, outputs; ///< names of values; empty: left out
  std::map<std::string, OnnxAttribute> attributes;
};

struct OnnxValue {
  std::string name;
  std::vector<int64_t> shape; ///< -1: not said
  bool ranked = false;        ///< there is a shape
};

struct OnnxModel {
  std::string name;
  int64_t opset = 0;
  std::vector<OnnxValue> inputs, outputs; ///< inputs without those that are constants
  std::map<std::string, OnnxConstant> constants;
  std::vector<OnnxNode> nodes; ///< each behind those whose results it takes
  std::map<std::string, std::string> metadata;
};

/// Reads and checks a file. Throws runtime::Error where it is no model, or one that contradicts itself:
/// values that are not defined or twice, cycles, constants whose bytes are not those of their shape, data
/// outside of the model's folder.
OnnxModel readOnnx(const std::string &path);

/// A name out of a file, for a message: printable and not too long.
std::string printable(const std::string &name);

/// Number of elements; throws std::overflow_error for a negative size or beyond 2^31 elements.
size_t onnxElements(const std::vector<int64_t> &shape);

} // namespace vernier::codegen

#endif
