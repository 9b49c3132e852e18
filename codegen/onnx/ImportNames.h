// Places of an imported network's layers, from the names that a file gives weights and nodes.
#ifndef VERNIER_CODEGEN_ONNX_IMPORTNAMES_H
#define VERNIER_CODEGEN_ONNX_IMPORTNAMES_H

#include "dsl/Graph.h"

#include <string>
#include <vector>

namespace vernier::codegen {

/// "layer1.0.conv1" of a constant called "layer1.0.conv1.weight"; empty where the name tells nothing, as
/// "onnx::Conv_193".
std::string layerOf(const std::string &constant);

/// "layer1.0.conv1" of a node called "/layer1/layer1.0/conv1/Conv", as PyTorch names them; a name without
/// slashes as it is; empty where it is only the operator's, as "Conv_12".
std::string moduleName(const std::string &node, const std::string &operation);

/// Gives each node of a graph a place of its own and the modules that it lies in as scopes, and turns
/// `parametersOf` from the number of a node into its place. `names` are what layerOf and moduleName found.
class ImportNames {
public:
  ImportNames(dsl::Graph &graph, const std::vector<std::string> &names) : graph(graph), names(names) {}
  void run();

private:
  void nameLayers();
  void nameShared();
  void nameOutputs();
  void findModules();

  dsl::Graph &graph;
  const std::vector<std::string> &names;
};

} // namespace vernier::codegen

#endif
