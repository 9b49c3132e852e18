// From a module of the dialect to what `vernier build` leaves in its output directory.
#ifndef VERNIER_DRIVER_BUILD_H
#define VERNIER_DRIVER_BUILD_H

#include "codegen/lower/Lower.h"
#include "codegen/program/Program.h"
#include "codegen/tables/Tables.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/Support/Error.h"

namespace vernier::driver {

struct CompiledModel {
  codegen::Compilation compilation;
  codegen::Emitted code;
  bool adaptive = false; // with vn_adaptive, of which `compilation` is the network
};

// Lowers a network at its sizes (see lowerModule) and generates its code. What is wrong with an op is
// reported at the op.
llvm::Expected<CompiledModel> compileModel(llvm::ArrayRef<mlir::ModuleOp> sizes,
                                           const codegen::Backend &backend, codegen::ModelFacts facts,
                                           const codegen::LoweringOptions &options = {});

// The same of a network with open `choose` holes (see lowerSegments).
llvm::Expected<CompiledModel> compileSegments(llvm::ArrayRef<codegen::SizeSegments> sizes,
                                              std::vector<codegen::OpenHole> holes,
                                              const codegen::Backend &backend, codegen::ModelFacts facts,
                                              const codegen::LoweringOptions &options = {});

// A network with open holes and the classifier that chooses among candidates for it; see writeAdaptiveTables.
llvm::Expected<CompiledModel> compileAdaptive(codegen::AdaptivePart network, codegen::AdaptivePart classifier,
                                              llvm::ArrayRef<int64_t> candidates,
                                              const codegen::Backend &backend);

// What linking needs beside the objects.
struct LinkOptions {
  std::string compiler;         // a C++ compiler driver
  std::string runtimeDirectory; // of libvernier_runtime.a, libvernier_program.a, libvernier_[adaptive_]main.a
  std::string headerDirectory;  // of vernier.h and abi.h
  std::vector<std::string> libraries;        // further arguments, of the runtime
  std::vector<std::string> programLibraries; // and of a program beside them
};

// This installation's.
LinkOptions defaultLinkOptions();

// Writes `directory`/<name> (executable), lib<name>.a, lib<name>.so, <name>.h, and what programs that link
// lib<name>.a need beside it: libvernier_runtime.a, and the runtime's headers in vernier/; the sources that
// were compiled, if there are any. For a target that is not this machine only lib<name>.a, headers and
// sources. All files appear at once, or none.
llvm::Error packageModel(const CompiledModel &model, const codegen::ModelFacts &facts,
                         const codegen::Backend &backend, const std::string &directory,
                         const LinkOptions &options);

// Links a shared library from the objects alone, as tests load it.
llvm::Error linkShared(const CompiledModel &model, const std::string &path, const LinkOptions &options);

} // namespace vernier::driver

#endif
