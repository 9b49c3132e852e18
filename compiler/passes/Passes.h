// Constructors, options and registration of the passes that Passes.td declares.
#ifndef VERNIER_COMPILER_PASSES_PASSES_H
#define VERNIER_COMPILER_PASSES_PASSES_H

#include "mlir/Pass/Pass.h"

#include <string>

namespace vernier::compiler {

/// What a training step minimises of a specification without losses.
enum class LossKind { Softmax, Binary };

/// What makes @infer ready for code generation, in order.
inline constexpr const char *kInferencePasses =
    "vn-fold-batch-norm,vn-sink-pointwise,vn-share-max-pools,vn-fuse-epilogue,vn-block-images";

/// The same for maps of the element type `precision`, "f32" or "bf16", which the last pass gives them.
inline std::string inferencePasses(const std::string &precision,
                                   const std::string &passes = kInferencePasses) {
  return precision == "f32" ? passes : passes + ",vn-choose-precision{maps=" + precision + "}";
}

/// Of a training step: what comes before the gradients are added, and after it.
inline constexpr const char *kTrainForwardPasses =
    "vn-fold-frozen,vn-training-form,vn-sink-pointwise{function=train_forward}";
inline constexpr const char *kTrainStepPasses =
    "vn-fuse-epilogue{function=train_step},vn-fuse-batch-norm,vn-fuse-gradients,vn-fuse-sums";

/// What adds @train_step to @infer as the specification has it, in order; before kInferencePasses. `loss` is
/// the name of a LossKind.
inline std::string trainingPasses(const std::string &loss, const std::string &forward = kTrainForwardPasses,
                                  const std::string &step = kTrainStepPasses) {
  return forward + ",vn-differentiate{loss=" + loss + "}," + step;
}

/// What follows them for maps of the element type `precision`, with the comma before it.
inline std::string trainingPrecision(const std::string &precision) {
  return precision == "f32" ? "" : ",vn-choose-precision{maps=" + precision + " function=train_step}";
}

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/passes/Passes.h.inc"

} // namespace vernier::compiler

#endif
