// All kernels.
#ifndef VERNIER_CUDA_DEVICE_KERNELS_CUH
#define VERNIER_CUDA_DEVICE_KERNELS_CUH

#include "arrays.cuh"
#include "batch_norm.cuh"
#include "batch_norm_gradient.cuh"
#include "channel_reduction.cuh"
#include "channel_shuffle.cuh"
#include "convolution.cuh"
#include "elementwise.cuh"
#include "fold.cuh"
#include "hopper_convolution.cuh"
#include "hopper_rows.cuh"
#include "layer_norm.cuh"
#include "losses.cuh"
#include "optimizer.cuh"
#include "pixel_sums.cuh"
#include "pool.cuh"
#include "pool_gradient.cuh"
#include "random.cuh"
#include "resample.cuh"
#include "resize.cuh"
#include "row_taps.cuh"
#include "shift.cuh"
#include "spatial.cuh"
#include "weight_gradient.cuh"
#include "weights.cuh"

#endif
