// A module as tests need it: as it was written, and as the compiler hands it to code generation.
#ifndef VERNIER_TESTS_CODEGEN_PREPAREDMODULE_H
#define VERNIER_TESTS_CODEGEN_PREPAREDMODULE_H

#include "codegen/program/Element.h"
#include "compiler/passes/Passes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <memory>
#include <string>

namespace vernier::tests {

struct PreparedModule {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> source;   // with @train_step where asked for, but nothing folded or fused
  mlir::OwningOpRef<mlir::ModuleOp> compiled; // after the inference passes
  std::string error;                          // empty if all went well
};

// `passes`, then what gives the maps of @infer that type.
inline std::string inferencePasses(codegen::Element maps,
                                   const std::string &passes = compiler::kInferencePasses) {
  return compiler::inferencePasses(maps == codegen::Element::BF16 ? "bf16" : "f32", passes);
}

// `loss` ("softmax" or "binary") asks for @train_step; empty: inference only.
PreparedModule prepareModule(const std::string &text, const std::string &loss,
                             const std::string &passesBeforeLowering = compiler::kInferencePasses);

} // namespace vernier::tests

#endif
