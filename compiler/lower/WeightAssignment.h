// Which tensor of a file is which parameter of a model. Checked both ways: each parameter has one tensor of
// its shape, each tensor one parameter.
#ifndef VERNIER_COMPILER_LOWER_WEIGHTASSIGNMENT_H
#define VERNIER_COMPILER_LOWER_WEIGHTASSIGNMENT_H

#include "compiler/lower/WeightMapping.h"

namespace vernier::compiler {

struct NamedShape {
  std::string name;
  std::vector<int64_t> shape;
};

/// Why tensors and parameters do not fit each other: the first mismatch, and how many there are.
struct WeightMismatch {
  size_t count = 0;
  std::string what;               // lower case, no full stop
  std::vector<std::string> notes; // in order
  std::string help;
};

struct WeightAssignment {
  std::vector<size_t> tensors; // of each parameter, by index
  size_t renamed = 0;
  size_t reshaped = 0;        // [K, C] for [K, C, 1, 1] or the reverse
  size_t ignored = 0;         // by the mapping
  size_t counters = 0;        // of PyTorch's batch norms, left out
  size_t empty = 0;           // without elements, left out
  bool withoutModule = false; // `module.` was taken off every name
  std::optional<WeightMismatch> mismatch;
};

/// Finds each parameter's tensor. Names lose `module.`, which PyTorch's DataParallel puts before all of them,
/// and go through the mapping. What no network here has is left out: `num_batches_tracked`, and tensors
/// without elements. The weight of a linear layer and that of a 1x1 convolution are the same numbers.
WeightAssignment assignWeights(const std::vector<NamedShape> &parameters,
                               const std::vector<NamedShape> &tensors, const WeightMapping &mapping);

} // namespace vernier::compiler

#endif
