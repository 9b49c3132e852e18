// Drawings of what a network gives to its scales and what its blocks see.
#ifndef VERNIER_DRIVER_DESCRIBE_DESCRIBESVG_H
#define VERNIER_DRIVER_DESCRIBE_DESCRIBESVG_H

#include "compiler/analysis/Cost.h"
#include "driver/LoadModel.h"

#include <string>
#include <vector>

namespace vernier::driver {

// One configuration of a model.
struct Drawn {
  std::string title;
  const LoadedModel &model;
  const compiler::CostSummary &cost;
};

// An SVG: for each configuration the share of channels that each scale gets in each block with a learned hole
// (a panel is left out where there is none), then how much of the image each of the network's blocks sees,
// from the least to the most.
std::string drawSvg(const std::vector<Drawn> &configurations);

} // namespace vernier::driver

#endif
