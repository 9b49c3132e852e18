// What a neuron at each scale of each learned hole adds to the time of an image, as measured on some machine:
//
//   [latency]
//   model = "scalenet50"
//   input = "224x224"
//   batch = 1
//   precision = "f32"
//   cpu = "native"            # of a GPU instead of cpu and threads:
//   threads = 2               # target = "cuda", device = "NVIDIA H100 80GB HBM3"
//   runs = 30
//   seed_milliseconds = 12.3
//
//   [milliseconds_per_neuron]
//   "layer1.0.channels" = [0.0031, 0.0009, 0.0004, 0.0002]
#ifndef VERNIER_DRIVER_LATENCY_LATENCYTABLE_H
#define VERNIER_DRIVER_LATENCY_LATENCYTABLE_H

#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vernier::driver {

struct HoleLatency {
  std::string hole;
  std::vector<double> milliseconds; // of one neuron at each scale, per image
};

struct LatencyTable {
  std::string model, input, precision, cpu;
  std::string target = "cpu", device; // the device's name; empty: a CPU
  int64_t batch = 1, threads = 0, runs = 0;
  double seedMilliseconds = 0; // of the whole seed network, per image
  std::vector<HoleLatency> holes;

  // Null for a hole that was not measured.
  const HoleLatency *find(llvm::StringRef hole) const;

  std::string toml() const;
  // An error's text is a complete diagnostic with its place.
  static llvm::Expected<LatencyTable> read(llvm::StringRef path);
  static llvm::Expected<LatencyTable> parse(llvm::StringRef text, llvm::StringRef path);
};

} // namespace vernier::driver

#endif
