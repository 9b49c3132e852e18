// Generated code, loaded and run on the inputs of a comparison.
#ifndef VERNIER_DRIVER_VERIFY_EXECUTION_H
#define VERNIER_DRIVER_VERIFY_EXECUTION_H

#include "codegen/program/Backend.h"
#include "driver/BuiltLibrary.h"
#include "driver/verify/Bounds.h"
#include "driver/verify/Results.h"
#include "runtime/core/Session.h"

#include <memory>

namespace vernier::driver {

// A module's kernels as a shared library, with two models that run them: one keeps every buffer apart, the
// other is what `vernier build` makes.
struct LoadedCode {
  BuiltLibrary library;
  codegen::Compilation kept;
  llvm::DenseMap<mlir::Value, codegen::Location> places; // of the kept model's values
  const vn_model *keptModel = nullptr, *builtModel = nullptr;
  bounds::Numbers products = bounds::Numbers::F32; // of float32 maps
};

// Refuses where the module cannot be lowered, compiled or loaded. The first kernel whose name
// begins with `faultyKernel` is made wrong.
LoadedCode loadCode(mlir::ModuleOp module, const codegen::Backend &backend, const std::string &faultyKernel);

// A session with the inputs' parameters.
class Execution {
public:
  Execution(const vn_model &model, const runtime::SessionOptions &options, const Inputs &inputs);

  // Each runs its program once and returns what runInfer and runTrainStep return.
  std::vector<Result> infer();
  std::vector<Result> trainStep();

  runtime::Session &session() { return *theSession; }
  // The array of a buffer in VN_SPACE_IO.
  const std::byte *array(int64_t index) const {
    return reinterpret_cast<const std::byte *>(arrays[size_t(index)].data());
  }

private:
  std::vector<Result> run(const vn_program &program, bool train);

  const Inputs &inputs;
  std::unique_ptr<runtime::Session> theSession;
  std::vector<std::vector<float>> arrays; // of the last run; labels are int32_t there
};

} // namespace vernier::driver

#endif
