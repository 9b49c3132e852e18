#include "codegen/cuda/MachineModel.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

// What large copies and large products reach of the data sheet's figures: on an H100 3.0 of 3.35 TB/s are
// copied, and 800 of 989 TFLOP/s reached in bfloat16 by the best published kernels. Other GPUs are taken to
// reach the same shares.
constexpr double kCopied = 3.0 / 3.35, kMultiplied = 800.0 / 989.4;

// Published traces of graphs of short kernels: 3.4 us from one to the next, 2.9 us of them in the kernel
// (NVIDIA, "Getting Started with CUDA Graphs").
constexpr double kLaunch = 0.6e-6;

// An estimate: no figure of a data sheet, and of few measurements.
constexpr double kCacheOverMemory = 2;

// Measured on an H200 (docs/measurements/2026-11-27-h200-5ae11ca4d288). At batch 1, 144 stages of a 64x64
// tile, two on their way, take 66 us; 36 of a warp group's 128x8 tile 11 us. At batch 256 stages of 128 + 64
// rows of 128 bytes come in 0.32 us, of 128 + 32 of 64 bytes in 0.2; four slabs without addends take 1.2.
constexpr double kToLoad = 0.9e-6, kBlockBytes = 75e9, kHopperStage = 0.3e-6, kCopiedRow = 1.3e-9,
                 kSlab = 0.3e-6;

constexpr double kTera = 1e12;

// From terabytes and teraFLOPs per second of a data sheet: dense, with sums in float32.
constexpr CudaMachineModel machine(const char *name, const char *title, int64_t multiprocessors, double bytes,
                                   double f32, double tf32, double bf16) {
  return {.name = name,
          .title = title,
          .multiprocessors = multiprocessors,
          .bytesPerSecond = kCopied * bytes * kTera,
          .cacheBytesPerSecond = kCacheOverMemory * kCopied * bytes * kTera,
          .f32PerSecond = f32 / 2 * kTera,
          .tf32PerSecond = tf32 / 2 * kTera,
          .bf16PerSecond = kMultiplied * bf16 / 2 * kTera,
          .secondsToLoad = kToLoad,
          .blockBytesPerSecond = kBlockBytes,
          .secondsOfCopiedRow = kCopiedRow,
          .secondsOfSlab = kSlab,
          .secondsOfHopperStage = kHopperStage,
          .secondsPerLaunch = kLaunch};
}

constexpr CudaMachineModel kMachines[] = {
    // NVIDIA H100 data sheet, SXM5; its TF32 and BF16 figures are with sparsity, twice these.
    machine("h100", "H100 SXM", 132, 3.35, 67, 494.7, 989.4),
    // NVIDIA H200 data sheet, SXM: the same multiprocessors, faster memory.
    machine("h200", "H200 SXM", 132, 4.8, 67, 494.7, 989.4),
    // NVIDIA A100 data sheet, SXM4 with 80 GB.
    machine("a100", "A100 SXM 80GB", 108, 2.039, 19.5, 156, 312),
    // NVIDIA Ada GPU architecture white paper, appendix A: GeForce RTX 4090.
    machine("rtx4090", "GeForce RTX 4090", 128, 1.008, 82.6, 82.6, 165.2),
    // NVIDIA RTX Blackwell GPU architecture white paper, appendix A: GeForce RTX 5090.
    machine("rtx5090", "GeForce RTX 5090", 170, 1.792, 104.8, 104.8, 209.5),
};

} // namespace

std::span<const CudaMachineModel> cudaMachines() { return kMachines; }

const CudaMachineModel *findCudaMachine(std::string_view name) {
  const auto found = std::ranges::find(kMachines, name, &CudaMachineModel::name);
  return found == std::end(kMachines) ? nullptr : &*found;
}

} // namespace vernier::codegen
