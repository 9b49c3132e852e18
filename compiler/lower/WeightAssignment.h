// Which tensor of a file is which parameter of a model. Checked both ways: each parameter has one tensor of
// its shape, each tensor one parameter.
#ifndef VERNIER_COMPILER_LOWER_WEIGHTASSIGNMENT_H
#define VERNIER_COMPILER_LOWER_WEIGHTASSIGNMENT_H

#include "compiler/lower/WeightMapping.h"

namespace vernier::compiler {

struct NamedShape {
  std::string name;
  std::vector<int64_t> shape;
  bool unused = false; // of a parameter: no output depends on it
};

/// Instead of a tensor's index: there is none.
inline constexpr size_t kNoTensor = size_t(-1);

/// Why tensors and parameters do not fit each other: the first mismatch, and how many there are.
struct WeightMismatch {
  size_t count = 0;
  std::string what;               // lower case, no full stop
  std::vector<std::string> notes; // in order
  std::string help;
};

struct WeightAssignment {
  std::vector<size_t> tensors; // of each parameter, by index; kNoTensor: it is unused and may be anything
  size_t renamed = 0;
  size_t reshaped = 0;     // [K, C] for [K, C, 1, 1] or the reverse
  size_t ignored = 0;      // by the mapping
  size_t counters = 0;     // of PyTorch's batch norms, left out
  size_t empty = 0;        // without elements, left out
  size_t otherChoices = 0; // batch norms of choices that this model does not make, left out
  std::string wrappers;    // `module.`, `_orig_mod.`: what was taken off every name
  std::optional<WeightMismatch> mismatch;
};

/// Finds each parameter's tensor. Parameters that no output depends on may lack one: some implementations
/// have such, others of the same network do not.
///
/// Names lose `module.`, which PyTorch's DataParallel puts before all of them, and `_orig_mod.`, which its
/// compile does, however many of them there are, and go through the mapping. What no network here has is left
/// out: `num_batches_tracked`, and tensors without elements; so is, of a network with `choose` holes, what
/// belongs to other choices than this model's. The weight of a linear layer and that of a 1x1 convolution are
/// the same numbers.
WeightAssignment assignWeights(const std::vector<NamedShape> &parameters,
                               const std::vector<NamedShape> &tensors, const WeightMapping &mapping);

} // namespace vernier::compiler

#endif
