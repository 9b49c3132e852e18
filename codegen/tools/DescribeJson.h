// What `vernier describe --json` prints and a built model carries.
#ifndef VERNIER_CODEGEN_TOOLS_DESCRIBEJSON_H
#define VERNIER_CODEGEN_TOOLS_DESCRIBEJSON_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace vernier::tools {

std::string describeJson(mlir::ModuleOp module);

} // namespace vernier::tools

#endif
