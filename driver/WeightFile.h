// Weight files as the subcommands read them: which tensor is which parameter of a model, and its values.
#ifndef VERNIER_DRIVER_WEIGHTFILE_H
#define VERNIER_DRIVER_WEIGHTFILE_H

#include "compiler/lower/WeightAssignment.h"
#include "driver/LoadModel.h"
#include "runtime/io/Safetensors.h"

namespace vernier::driver {

/// The parameters and running statistics of a model, in order, and which of them no output depends on.
std::vector<compiler::NamedShape> parametersOf(const LoadedModel &model);

/// How many elements a tensor of this shape has.
size_t elementsOf(llvm::ArrayRef<int64_t> shape);

/// Reads a safetensors file; of a checkpoint of PyTorch it says how to make one.
runtime::Safetensors readWeightFile(const std::string &path);

struct WeightChoice {
  const compiler::WeightMapping *mapping = nullptr;
  compiler::WeightAssignment assignment;
};

/// The first mapping by which the weights fit the model; else refuses, explaining the one that comes closest.
WeightChoice chooseMapping(const std::vector<compiler::WeightMapping> &mappings,
                           const std::vector<compiler::NamedShape> &parameters,
                           const runtime::Safetensors &file, const std::string &model);

/// "names as they are", or which mapping.
std::string describe(const compiler::WeightMapping &mapping);

/// Refuses a tensor without real numbers, and values beyond float32.
std::vector<float> valuesOf(const runtime::Safetensors &file, const runtime::Safetensors::Tensor &tensor);

} // namespace vernier::driver

#endif
