// What `vernier search` is told.
#ifndef VERNIER_DRIVER_SEARCH_SEARCHOPTIONS_H
#define VERNIER_DRIVER_SEARCH_SEARCHOPTIONS_H

#include "driver/BuildModel.h"
#include "runtime/image/ImageOptions.h"

#include <string>
#include <vector>

namespace vernier::driver {

struct SearchOptions : BuildOptions, runtime::ImageOptions {
  std::string data, split = "test";
  int64_t first = 0, count = 0; // images; 0: all from `first` on
  int64_t sample = 0, seed = 1; // configurations; 0: all
  int64_t runs = 10, processes = 1, threads = 0;
  std::string launcher; // "mpirun -n 4": starts the ranks that evaluate, instead of `processes`
  std::string latency = "measured";
  std::vector<std::string> budgets;
  int64_t halving = 0, eta = 2, finalists = 8; // images of the first rung; 0: all configurations on all
  bool buildBest = false;
  int64_t recalibrate = 0; // images that each configuration's batch norms are recalibrated from; 0: none
  int64_t fineTune = 0;    // epochs
  std::string recipe;

  std::string path(const std::string &name) const { return output + "/" + name; }

  // The options of one configuration: "layer1.factor=1,layer2.factor=0.65".
  ModelOptions bound(const std::string &configuration) const;
};

} // namespace vernier::driver

#endif
