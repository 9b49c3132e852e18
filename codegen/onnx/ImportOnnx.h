// From an ONNX model to a network in the language's operations, with its weights.
#ifndef VERNIER_CODEGEN_ONNX_IMPORTONNX_H
#define VERNIER_CODEGEN_ONNX_IMPORTONNX_H

#include "codegen/onnx/ReadOnnx.h"
#include "dsl/Graph.h"

namespace vernier::codegen {

/// A parameter, or a running statistic, in the layout of weight files.
struct ImportedWeight {
  std::string name; ///< "layer1.0.conv1.weight"
  std::vector<int64_t> shape;
  std::vector<float> values;
};

/// A node that the language has no words for.
struct ImportProblem {
  std::string node, operation, what, help;
};

struct ImportedNetwork {
  dsl::Graph
      graph; ///< without files and locations; Node::scopes are the modules that the file's names tell of
  std::vector<ImportedWeight> weights;
  std::vector<ImportProblem> problems; ///< where there are some, nothing else is of use
};

struct ImportOptions {
  int64_t height = 0, width = 0; ///< of the image, where the model leaves them open; 0: they are not given
};

/// Problems are those of all nodes. Batch norms and the like are those of inference.
ImportedNetwork importOnnx(const OnnxModel &model, const ImportOptions &options);

} // namespace vernier::codegen

#endif
