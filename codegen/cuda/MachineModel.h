// What the CUDA backend knows of GPUs: one table, by which kernels are chosen, and from which every roofline
// comes that is printed or stands in M.cu. Code is tuned for the H100; any GPU that it runs on gives the same
// results.
#ifndef VERNIER_CODEGEN_CUDA_MACHINEMODEL_H
#define VERNIER_CODEGEN_CUDA_MACHINEMODEL_H

#include <cstdint>
#include <span>
#include <string_view>

namespace vernier::codegen {

// The kinds of numbers whose products a kernel adds up.
enum class Products { F32, TF32, BF16 };

struct CudaMachineModel {
  const char *name = "";  // as an option has it: "h100"
  const char *title = ""; // as a person reads it: "H100 SXM"
  int64_t multiprocessors = 0;
  double bytesPerSecond = 0;      // of its memory, as a copy reaches it
  double cacheBytesPerSecond = 0; // of the cache that all multiprocessors share, read
  // Multiply-adds per second, dense, sums in float32.
  double f32PerSecond = 0, tf32PerSecond = 0, bf16PerSecond = 0;
  double secondsToLoad = 0;        // from the request of a kernel that waits for it to its arrival
  double blockBytesPerSecond = 0;  // that one multiprocessor loads
  double secondsOfCopiedRow = 0;   // of a tile, by the copy engine, where rows are short
  double secondsOfSlab = 0;        // in which a warp group stores 64 columns of a tile
  double secondsOfHopperStage = 0; // of a warp group kernel's ring, where its tile is small
  double secondsPerLaunch = 0;     // of a kernel behind another one in a CUDA graph, beside what it computes

  double perSecond(Products products) const {
    return products == Products::F32    ? f32PerSecond
           : products == Products::TF32 ? tf32PerSecond
                                        : bf16PerSecond;
  }

  // Step::cost of a step that keeps the machine busy alone: 20 us of moving bytes, many times what a launch
  // costs.
  int64_t largeStep() const { return int64_t(20e-6 * bytesPerSecond / 16); }
};

// The first is the one that code is tuned for.
std::span<const CudaMachineModel> cudaMachines();
// Null: none has this name.
const CudaMachineModel *findCudaMachine(std::string_view name);

} // namespace vernier::codegen

#endif
