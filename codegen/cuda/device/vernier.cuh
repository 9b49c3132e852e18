// The device library.
#ifndef VERNIER_CUDA_DEVICE_VERNIER_CUH
#define VERNIER_CUDA_DEVICE_VERNIER_CUH

#include "async_copy.cuh"
#include "barrier.cuh"
#include "bulk_copy.cuh"
#include "convert.cuh"
#include "launch.cuh"
#include "mbarrier.cuh"
#include "memory.cuh"
#include "mma.cuh"
#include "tensor_map.cuh"
#include "warp.cuh"
#include "wgmma.cuh"

#endif
