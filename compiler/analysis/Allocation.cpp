#include "compiler/analysis/Allocation.h"
#include <algorithm>
#include <cassert>
#include <cmath>

using namespace vernier::compiler;
using llvm::ArrayRef;

std::vector<Neuron> vernier::compiler::selectNeurons(ArrayRef<Scale> scales, int64_t limit, double exponent) {
  struct Candidate {
    Neuron neuron;
    double importance;
  };
  std::vector<Candidate> candidates;
  for (size_t scale = 0; scale < scales.size(); ++scale) {
    assert(int64_t(scales[scale].gammas.size()) == scales[scale].channels && "one gamma for each neuron");
    double divisor = std::pow(double(scales[scale].macs), exponent);
    for (int64_t channel = 0; channel < scales[scale].channels; ++channel)
      candidates.push_back({{scale, channel}, std::abs(scales[scale].gammas[channel]) / divisor});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate &a, const Candidate &b) {
    return a.importance != b.importance ? a.importance > b.importance : a.neuron < b.neuron;
  });

  std::vector<Neuron> selected;
  for (const Candidate &candidate : candidates) {
    int64_t cost = scales[candidate.neuron.scale].cost;
    if (cost > limit)
      continue;
    limit -= cost;
    selected.push_back(candidate.neuron);
  }
  return selected;
}

std::vector<int64_t> vernier::compiler::countChannels(ArrayRef<Neuron> neurons, size_t scales) {
  std::vector<int64_t> channels(scales);
  for (const Neuron &neuron : neurons)
    ++channels[neuron.scale];
  return channels;
}

std::vector<int64_t> vernier::compiler::allocateEvenly(ArrayRef<Scale> scales, int64_t limit) {
  std::vector<int64_t> channels(scales.size());
  // One more at every scale that has more, while all of these fit.
  for (;;) {
    int64_t left = limit;
    bool grows = false, fits = true;
    for (size_t scale = 0; scale < scales.size(); ++scale) {
      if (channels[scale] == scales[scale].channels)
        continue;
      grows = true;
      fits = fits && scales[scale].cost <= left;
      left -= fits ? scales[scale].cost : 0;
    }
    if (!grows || !fits)
      break;
    limit = left;
    for (size_t scale = 0; scale < scales.size(); ++scale)
      channels[scale] += channels[scale] < scales[scale].channels;
  }
  for (size_t scale = 0; scale < scales.size(); ++scale) {
    if (channels[scale] == scales[scale].channels || scales[scale].cost > limit)
      continue;
    limit -= scales[scale].cost;
    ++channels[scale];
  }
  return channels;
}

int64_t vernier::compiler::costOf(ArrayRef<Scale> scales, ArrayRef<int64_t> channels) {
  int64_t cost = 0;
  for (size_t scale = 0; scale < scales.size(); ++scale)
    cost += channels[scale] * scales[scale].cost;
  return cost;
}
