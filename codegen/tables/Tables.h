// The constant tables of runtime/include/vernier/abi.h for one compilation.
#ifndef VERNIER_CODEGEN_TABLES_TABLES_H
#define VERNIER_CODEGEN_TABLES_TABLES_H

#include "codegen/program/Program.h"

#include "llvm/ADT/ArrayRef.h"

namespace llvm {
class Module;
} // namespace llvm

namespace vernier::codegen {

struct ModelFacts {
  std::string name;                      // of the model
  std::string symbol;                    // of the exported function `const vn_model *symbol_model(void)`
  std::string kernels;                   // what the symbols of its kernels begin with
  std::string description;               // JSON
  std::string target;                    // CPU features, comma-separated
  std::vector<std::string> trainingOnly; // parameters that a file of weights may have and the model has not
  bool accelerated = false;              // kernels are launched on a device (Backend::isAccelerator)
  int64_t batch = 1, channels = 0, height = 0, width = 0, classes = 0, macs = 0;
  struct Size {
    std::string description;
    int64_t batch, height, width, macs;
  };
  std::vector<Size> furtherSizes; // of Compilation::furtherSizes
};

// Defines `<symbol>_model` and, for the executable's main, `vernier_model`.
void writeTables(llvm::Module &module, const Compilation &compilation, const ModelFacts &facts,
                 bool asMain = true);

// One of the models of an adaptive one.
struct AdaptivePart {
  Compilation compilation;
  ModelFacts facts;
};

// The same for vn_adaptive, of which `network` gives the name: also `<symbol>_adaptive` and
// `vernier_adaptive`. `candidates` holds the choices of each, one after the other.
void writeAdaptiveTables(llvm::Module &module, const AdaptivePart &network, const AdaptivePart &classifier,
                         llvm::ArrayRef<int64_t> candidates);

} // namespace vernier::codegen

#endif
