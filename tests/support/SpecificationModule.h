// What tests need to go from a specification to a module of the dialect: the steps of `vernier build` up to
// bound holes.
#ifndef VERNIER_TESTS_SUPPORT_SPECIFICATIONMODULE_H
#define VERNIER_TESTS_SUPPORT_SPECIFICATIONMODULE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <functional>
#include <memory>
#include <string>

namespace mlir {
class Pass;
}

namespace vernier::testing {

struct Specification {
  std::string file, model;
  std::string configuration;                // empty: holes stay at their seeds
  int64_t batch = 1, height = 0, width = 0; // 0: as the network says
};

// A context with the dialects of a program.
std::unique_ptr<mlir::MLIRContext> makeContext();

// Null, with the errors printed, if any step fails.
mlir::OwningOpRef<mlir::ModuleOp> buildModule(mlir::MLIRContext &context, const Specification &specification);

// False, with the errors printed, if the pass fails.
bool runPass(mlir::ModuleOp module, std::unique_ptr<mlir::Pass> pass);

} // namespace vernier::testing

#endif
