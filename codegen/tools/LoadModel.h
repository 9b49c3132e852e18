// From command-line options to a module: what the subcommands that work on one model share.
#ifndef VERNIER_CODEGEN_TOOLS_LOADMODEL_H
#define VERNIER_CODEGEN_TOOLS_LOADMODEL_H

#include "codegen/tools/Commands.h"
#include "compiler/lower/Configuration.h"
#include "dsl/Frontend.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <memory>
#include <string>
#include <vector>

namespace vernier::tools {

struct ModelOptions {
  std::string file, model, configuration, input;
  int64_t batch = 1;
  std::vector<std::string> importRoots;
  std::vector<std::string> parameters; // "depth=4": of the model's network
};

// FILE --model --config --input --batch -I --set; `withConfiguration` false leaves --config out.
void addModelOptions(CLI::App &command, ModelOptions &options, bool withConfiguration = true);

// The specification, parsed and checked; refuses with its diagnostics.
dsl::Program loadProgram(const std::string &file, const std::vector<std::string> &importRoots);

struct LoadedModel {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module; // @infer, holes bound as the configuration says and branches without channels gone
  std::string name;                         // of the model
  int64_t channels = 0, height = 0, width = 0; // of the image
};

// Refuses, with diagnostics, whatever is wrong with the specification, the configuration or the options.
LoadedModel loadModel(const ModelOptions &options);

// Runs passes by their pipeline text; refuses when one fails.
void runPasses(mlir::ModuleOp module, const std::string &pipeline);

} // namespace vernier::tools

#endif
