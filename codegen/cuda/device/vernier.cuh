// The device library.
#ifndef VERNIER_CUDA_DEVICE_VERNIER_CUH
#define VERNIER_CUDA_DEVICE_VERNIER_CUH

#include "async_copy.cuh"
#include "barrier.cuh"
#include "convert.cuh"
#include "launch.cuh"
#include "memory.cuh"
#include "mma.cuh"
#include "warp.cuh"

#endif
