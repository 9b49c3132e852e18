// Constructors, options and registration of the passes that Passes.td declares.
#ifndef VERNIER_COMPILER_PASSES_PASSES_H
#define VERNIER_COMPILER_PASSES_PASSES_H

#include "mlir/Pass/Pass.h"

namespace vernier::compiler {

/// What a training step minimises.
enum class LossKind { Softmax, Binary };

/// What makes @infer ready for code generation, in order.
inline constexpr const char *kInferencePasses =
    "vn-fold-batch-norm,vn-sink-pointwise,vn-fuse-epilogue,vn-block-images";

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/passes/Passes.h.inc"

} // namespace vernier::compiler

#endif
