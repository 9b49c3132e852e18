// What is said of the code that is generated.
#ifndef VERNIER_DRIVER_CODEOPTIONS_H
#define VERNIER_DRIVER_CODEOPTIONS_H

#include "codegen/cpu/CpuBackend.h"
#include "compiler/analysis/Predictions.h"
#include "driver/Build.h"
#include "driver/LoadModel.h"

#include <memory>
#include <optional>
#include <string>

namespace vernier::codegen {
struct CudaOptions;
} // namespace vernier::codegen

namespace vernier::driver {

struct CodeOptions {
  std::string target = "cpu"; // or "cuda", "cuda-emulated"
  std::string cpu = "native", loss = "softmax", precision = "f32";
  bool lossGiven = false;                   // `loss` was said, and is no default
  std::string cudaArchitectures = "80,90a"; // compute capabilities of GPUs
  int64_t device = 0;                       // of several GPUs: on which what is built is run
  std::optional<double> winogradError;
  bool noWinograd = false;
};

codegen::CpuBackend cpuBackendOf(const CodeOptions &options);
codegen::CudaOptions cudaOptionsOf(const CodeOptions &options);
std::unique_ptr<const codegen::Backend> backendOf(const CodeOptions &options);
// The type of maps within inference: "f32" or "bf16"; within a training step, which the CPU has in f32 alone.
std::string mapsOf(const CodeOptions &options);
std::string trainingMapsOf(const CodeOptions &options);
// What adds @train_step to @infer as the specification has it, in order; before the passes of inference.
std::string trainingPasses(const codegen::Backend &backend, const CodeOptions &options);

// Of a network that declares losses, with `options.losses`: what evaluates them, ready to be lowered, and
// which of its outputs are compared with targets.
LoadedModel loadEvaluation(const ModelOptions &options, const CodeOptions &code,
                           const codegen::Backend &backend, std::vector<compiler::Prediction> &predictions);

// Of a network that classifies, else 0: its first output is a map.
int64_t classesOf(const LoadedModel &model);
// Refuses what needs a network that classifies, `what`.
void requireClasses(const LoadedModel &model, const ModelOptions &options, const std::string &what);
// Refuses to train a network that neither classifies nor says what is minimised.
void requireLoss(const LoadedModel &model, const ModelOptions &options);
// Refuses --loss, and open holes, of a network that says what is minimised.
void checkDeclaredLosses(const LoadedModel &model, const CodeOptions &code, const ModelOptions &options);

} // namespace vernier::driver

#endif
