// An ONNX graph while it grows: nodes in order, initializers, and names that are unique.
#ifndef VERNIER_CODEGEN_ONNX_ONNXGRAPH_H
#define VERNIER_CODEGEN_ONNX_ONNXGRAPH_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <onnx/onnx_pb.h>

#include <string>
#include <variant>
#include <vector>

namespace vernier::codegen {

class OnnxGraph {
public:
  using Attribute = std::pair<const char *, std::variant<int64_t, float, std::string, std::vector<int64_t>>>;

  explicit OnnxGraph(onnx::GraphProto &graph) : graph(graph) {}

  /// Keeps a name from being given to a value.
  void reserve(llvm::StringRef name) { names.insert(name); }

  /// A name for a value: `wanted`, or where it is taken `wanted` with a number behind it.
  std::string unique(llvm::StringRef wanted);

  void addInput(llvm::StringRef name, llvm::ArrayRef<int64_t> shape);
  void addOutput(llvm::StringRef name, llvm::ArrayRef<int64_t> shape);

  /// Appends a node with one result called `result`, which is also the node's name; returns `result`. An
  /// empty operand is an optional one that is absent.
  std::string node(const char *operation, llvm::ArrayRef<std::string> operands, const std::string &result,
                   llvm::ArrayRef<Attribute> attributes = {});

  /// Float data; `name` must be reserved. Given several times, it is stored once.
  std::string weight(const std::string &name, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> values);

  /// Constants that belong to no place in the network, such as where a slice begins; equal ones are stored
  /// once.
  std::string integers(llvm::ArrayRef<int64_t> values);
  std::string scalar(float value);
  std::string scales(llvm::ArrayRef<float> values);

private:
  onnx::GraphProto &graph;
  llvm::StringSet<> names, weights;
  llvm::StringMap<std::string> constants; // by their content
};

} // namespace vernier::codegen

#endif
