// What compiles CUDA code: nvcc, or this machine's C++ compiler for the emulation.
#ifndef VERNIER_DRIVER_CUDATOOLCHAIN_H
#define VERNIER_DRIVER_CUDATOOLCHAIN_H

#include "codegen/cuda/CudaBackend.h"

namespace vernier::driver {

// nvcc is CUDA_HOME's, else PATH's, else what scripts/setup_cuda.sh has installed. `architectures`: compute
// capabilities of GPUs, comma-separated, as "80,90a". Refuses where there is no nvcc, and what names no GPU.
codegen::CudaToolchain nvccToolchain(const std::string &architectures);

codegen::CudaToolchain emulationToolchain(const std::string &architectures);

} // namespace vernier::driver

#endif
