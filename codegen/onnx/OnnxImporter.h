// The state of an import: values of the model as maps of the network, and the network as it grows. What each
// operator becomes is in files of its own: ImportLayers.cpp, ImportElementwise.cpp, ImportLayout.cpp.
#ifndef VERNIER_CODEGEN_ONNX_ONNXIMPORTER_H
#define VERNIER_CODEGEN_ONNX_ONNXIMPORTER_H

#include "codegen/onnx/ChannelView.h"
#include "codegen/onnx/ImportOnnx.h"
#include "codegen/onnx/OnnxAttributes.h"

#include <map>
#include <set>

namespace vernier::codegen {

/// A constant, or a node's map laid out somehow, or a step on the way to what the language has as a whole.
struct ImportedValue {
  enum class Kind {
    Unknown,    ///< of a node that was refused
    Constant,   ///<
    Map,        ///< `node`
    Erf,        ///< erf(x / sqrt(2)), x being `node`
    OnePlusErf, ///< factor * (1 + erf(x / sqrt(2)))
    TimesErf,   ///< factor * x * (1 + erf(x / sqrt(2)))
    SquareRoot, ///< of `node`
  } kind = Kind::Unknown;
  OnnxConstant constant;
  int node = -1;
  ChannelView view;
  double factor = 1;
  std::string source; ///< of a constant: what the file calls it, also where it was laid out otherwise since
};

class OnnxImporter {
public:
  OnnxImporter(const OnnxModel &model, const ImportOptions &options) : model(model), options(options) {}

  ImportedNetwork run();

private:
  using Sizes = std::array<int64_t, 4>; // batch, channels, height, width
  using Value = ImportedValue;

  /// A tensor of a layer, before the layer has its name.
  struct LayerWeight {
    std::string suffix, source; ///< "weight"; the name of the constant that it was, if it was one
    std::vector<int64_t> shape;
    std::vector<float> values;
  };

  //===- The network: OnnxImporter.cpp ------------------------------------------------------------------===//

  void readInput();
  void translate(const OnnxNode &node);
  bool fold(const OnnxNode &node);
  void giveOutputs();
  void checkFactors();
  void shareLayers();
  void removeUnused();

  const Value &valueOf(const std::string &name) const { return values.at(name); }
  bool has(const OnnxNode &node, size_t operand) const {
    return operand < node.inputs.size() && !node.inputs[operand].empty();
  }
  const Value &operand(const OnnxNode &node, size_t i) const;
  OnnxConstant constant(const OnnxNode &node, size_t i) const; ///< throws where it is none
  std::vector<int64_t> integers(const OnnxNode &node, size_t i, const char *attribute) const;
  bool usedOnce(const OnnxNode &node, size_t i) const;
  std::string moduleOf(const OnnxNode &node) const;

  Sizes sizesOf(int node) const;
  /// The node of an operand as N x C x H x W, or of N x C.
  int map(const OnnxNode &node, size_t i);
  int map(const Value &value);
  /// The same without changing its layout.
  const Value &anyLayout(const OnnxNode &node, size_t i) const;

  dsl::Node like(int node, dsl::OpKind kind) const; ///< of one operand and its shape
  int add(const OnnxNode &from, dsl::Node node, std::vector<LayerWeight> weights = {});
  void give(const OnnxNode &node, Value value);
  void giveMap(const OnnxNode &node, int result);
  void giveLaidOut(const OnnxNode &node, int result, const ChannelView &view);

  //===- Layers with weights: ImportLayers.cpp ----------------------------------------------------------===//

  void convolution(const OnnxNode &node);
  void transposedConvolution(const OnnxNode &node);
  void giveConvolution(const OnnxNode &node, dsl::Node layer, size_t elements); ///< of the weight
  void gemm(const OnnxNode &node);
  void matMul(const OnnxNode &node);
  bool adaptivePool(const OnnxNode &node); ///< whether it is one
  void linear(const OnnxNode &node, std::vector<float> matrix, int64_t features, const std::string &source,
              OnnxConstant bias, const std::string &biasSource);
  void batchNorm(const OnnxNode &node);
  void layerNorm(const OnnxNode &node);
  void groupNorm(const OnnxNode &node);
  void prelu(const OnnxNode &node);
  void parameter(const OnnxNode &node);
  void pool(const OnnxNode &node);
  void globalPool(const OnnxNode &node);
  void reduce(const OnnxNode &node);

  void readWindow(const OnnxNode &node, dsl::Node &layer, const dsl::Shape &input);
  LayerWeight weight(const std::string &suffix, const OnnxNode &node, size_t i, size_t elements) const;

  //===- Attention, channels and pixels: ImportAttention.cpp
  //---------------------------------------------===//

  void softmax(const OnnxNode &node);
  bool productOfMaps(const OnnxNode &node); ///< whether it is one
  void depthToSpace(const OnnxNode &node);

  //===- Element by element: ImportElementwise.cpp ------------------------------------------------------===//

  void activation(const OnnxNode &node);
  void clip(const OnnxNode &node);
  void binary(const OnnxNode &node);
  void sum(const OnnxNode &node);
  void power(const OnnxNode &node);
  void errorFunction(const OnnxNode &node);
  void squareRoot(const OnnxNode &node);

  void binaryOfMaps(const OnnxNode &node, dsl::OpKind kind, const Value &left, const Value &right);
  bool withNumber(const OnnxNode &node, const Value &value, const OnnxTensor &number, bool numberFirst);
  bool withChannels(const OnnxNode &node, size_t operand, const OnnxTensor &numbers);
  bool stepOfGelu(const OnnxNode &node);
  bool normalised(const OnnxNode &node);
  void giveActivation(const OnnxNode &node, const Value &value, Activation activation);
  bool addToBias(const OnnxNode &node, const Value &value, const std::vector<float> &numbers);

  //===- Where elements lie: ImportLayout.cpp -----------------------------------------------------------===//

  void reshape(const OnnxNode &node);
  void flatten(const OnnxNode &node);
  void squeeze(const OnnxNode &node);
  void unsqueeze(const OnnxNode &node);
  void transpose(const OnnxNode &node);
  void shape(const OnnxNode &node);
  void identity(const OnnxNode &node);
  void pad(const OnnxNode &node);
  void slice(const OnnxNode &node);
  void split(const OnnxNode &node);
  void concat(const OnnxNode &node);
  void gather(const OnnxNode &node);
  void resize(const OnnxNode &node);

  void giveReshaped(const OnnxNode &node, const std::vector<int64_t> &shape);
  int channelsFrom(const OnnxNode &node, int input, int64_t begin, int64_t count);
  int crop(const OnnxNode &node, int input, MapAxis axis, int64_t begin, int64_t count);

  using Handler = void (OnnxImporter::*)(const OnnxNode &);
  static const std::map<std::string, Handler> &handlers();

  const OnnxModel &model;
  const ImportOptions &options;
  ImportedNetwork result;
  int64_t batch = 1;
  size_t foldedElements = 0;
  std::map<std::string, Value> values;
  std::map<std::string, int> uses;
  std::vector<std::vector<LayerWeight>> weights; // of graph.nodes
  std::set<int> bare;                            // layer normalisations whose weight may still come
  std::vector<std::string> modules;              // of graph.nodes: names of the nodes that they came from
};

} // namespace vernier::codegen

#endif
