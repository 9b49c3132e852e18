// Algorithm 1 of ScaleNet (arXiv:1904.09460): which neurons of a trained seed block are worth their cost.
//
// A neuron is an output channel of the convolution at one scale. Its importance is |gamma| / O^b: gamma is
// the factor of the batch norm after it, O its multiply-adds, b = 0 unless asked otherwise. Neurons are taken
// by falling importance; of equal ones the lower scale first, then the lower channel. A neuron that no longer
// fits into the budget is passed over and the next ones are tried: one at full scale costs as much as 49 at
// scale 7, so that stopping at the first that does not fit would leave up to that much unspent.
//
//   scale 1 costs 4, gammas 0.9 0.5 0.4        budget 10: 0.9 (4), 0.8 (5), 0.5 (9), not 0.4 (13), 0.1 (10)
//   scale 2 costs 1, gammas 0.8 0.1            -> [2, 2]
#ifndef VERNIER_COMPILER_ANALYSIS_ALLOCATION_H
#define VERNIER_COMPILER_ANALYSIS_ALLOCATION_H

#include "llvm/ADT/ArrayRef.h"
#include <compare>
#include <cstdint>
#include <vector>

namespace vernier::compiler {

struct Scale {
  int64_t channels = 0;       // of the seed: no allocation has more
  int64_t cost = 0;           // of one neuron, in the budget's unit
  int64_t macs = 0;           // of one neuron: O
  std::vector<double> gammas; // of each of them
};

struct Neuron {
  size_t scale = 0;
  int64_t channel = 0;
  auto operator<=>(const Neuron &) const = default; // which of equally important neurons comes first
};

/// The most important neurons that `limit` pays for, in the order in which they are taken.
std::vector<Neuron> selectNeurons(llvm::ArrayRef<Scale> scales, int64_t limit, double exponent = 0);

/// How many of `neurons` lie at each of `scales`.
std::vector<int64_t> countChannels(llvm::ArrayRef<Neuron> neurons, size_t scales);

/// The same number of channels at each scale, as many as `limit` pays for; what is left pays for one more at
/// some scales, tried in order. Gammas do not matter.
std::vector<int64_t> allocateEvenly(llvm::ArrayRef<Scale> scales, int64_t limit);

int64_t costOf(llvm::ArrayRef<Scale> scales, llvm::ArrayRef<int64_t> channels);

} // namespace vernier::compiler

#endif
