// What the CUDA backend decides by. The numbers are an H100's (SXM), which it is tuned for; any GPU that the
// code runs on gives the same results.
#ifndef VERNIER_CODEGEN_CUDA_MACHINEMODEL_H
#define VERNIER_CODEGEN_CUDA_MACHINEMODEL_H

#include <cstdint>

namespace vernier::codegen {

struct CudaMachineModel {
  const char *name = "H100";
  int64_t multiprocessors = 132;  // NVIDIA's H100 data sheet
  double bytesPerSecond = 3.0e12; // a copy's; the data sheet has 3.35e12
  // Multiply-adds per second, dense: half of the data sheet's FLOP/s, of bfloat16 half of what large products
  // reach in practice, 800e12.
  double f32PerSecond = 33.5e12, tf32PerSecond = 247e12, bf16PerSecond = 400e12;

  // Step::cost of a step that keeps the machine busy alone: 20 us of moving bytes, many times what a launch
  // costs.
  int64_t largeStep() const { return int64_t(20e-6 * bytesPerSecond / 16); }
};

} // namespace vernier::codegen

#endif
