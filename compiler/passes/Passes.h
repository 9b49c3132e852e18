// Constructors, options and registration of the passes that Passes.td declares.
#ifndef VERNIER_COMPILER_PASSES_PASSES_H
#define VERNIER_COMPILER_PASSES_PASSES_H

#include "mlir/Pass/Pass.h"

#include <string>

namespace vernier::compiler {

/// What a training step minimises.
enum class LossKind { Softmax, Binary };

/// What makes @infer ready for code generation, in order.
inline constexpr const char *kInferencePasses =
    "vn-fold-batch-norm,vn-sink-pointwise,vn-share-max-pools,vn-fuse-epilogue,vn-block-images";

/// Of a training step: what comes before the gradients are added, and after it.
inline constexpr const char *kTrainForwardPasses =
    "vn-training-form,vn-sink-pointwise{function=train_forward}";
inline constexpr const char *kTrainStepPasses =
    "vn-fuse-epilogue{function=train_step},vn-fuse-batch-norm,vn-fuse-gradients,vn-fuse-sums";

/// What adds @train_step to @infer as the specification has it, in order; before kInferencePasses. `loss` is
/// the name of a LossKind.
inline std::string trainingPasses(const std::string &loss, const std::string &forward = kTrainForwardPasses,
                                  const std::string &step = kTrainStepPasses) {
  return forward + ",vn-differentiate{loss=" + loss + "}," + step;
}

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/passes/Passes.h.inc"

} // namespace vernier::compiler

#endif
