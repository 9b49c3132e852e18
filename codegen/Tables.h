// The constant tables of runtime/include/vernier/abi.h for one compilation.
#ifndef VERNIER_CODEGEN_TABLES_H
#define VERNIER_CODEGEN_TABLES_H

#include "codegen/Program.h"

namespace llvm {
class Module;
} // namespace llvm

namespace vernier::codegen {

struct ModelFacts {
  std::string name;        // of the model
  std::string symbol;      // of the exported function `const vn_model *symbol_model(void)`
  std::string description; // JSON
  std::string target;      // CPU features, comma-separated
  int64_t batch = 1, channels = 0, height = 0, width = 0, classes = 0, macs = 0;
};

// Defines `<symbol>_model` and, for the executable's main, `vernier_model`.
void writeTables(llvm::Module &module, const Compilation &compilation, const ModelFacts &facts);

} // namespace vernier::codegen

#endif
