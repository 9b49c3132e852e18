// A binary that chooses a configuration for each image (Resizable-Adapt; docs/adapt.md).
#ifndef VERNIER_DRIVER_ADAPT_H
#define VERNIER_DRIVER_ADAPT_H

#include "driver/BuildModel.h"
#include "runtime/image/ImageOptions.h"

#include <string>
#include <vector>

namespace vernier::driver {

struct AdaptOptions : BuildOptions, runtime::ImageOptions { // `weights`: of all configurations
  std::vector<std::string> candidates; // each "layer1.factor=0.45,..." or a value for each hole
  // Place of the op whose map the classifier reads; empty: the map that the last global average pooling
  // takes.
  std::string features;
  std::string classifier = modelsFolder() + "/classifiers/scale_classifier.vn";
  std::string recipe; // of the classifier's training; empty: one that comes with Vernier
  std::string data, split = "train";
  int64_t first = 0, count = 0; // images that the classifier learns from; 0: all from `first` on
  int64_t threads = 0;          // of labelling and training; 0: all
};

// Leaves the binary of the network and its classifier, with the weights of both, in `options.output`, and
// what the classifier was trained from and by in folders there. Refuses before anything is built what the
// programs would refuse, and a directory that holds an adaptation's results.
void adapt(const AdaptOptions &options, const Output &output);

} // namespace vernier::driver

#endif
