// One source for nvcc and for the emulation: what a kernel is made of. With nvcc these are CUDA's own words;
// everywhere else each of them is a function of codegen/cuda/emulation, which runs kernels on the CPU and
// checks what they do.
//
//   VN_KERNEL(threads)      a kernel of at most so many threads a block:
//                           VN_KERNEL(128) add(vn::Global<float> x) { ... }
//   VN_KERNEL_ALONE(threads)   one of whose blocks a multiprocessor has one at a time; may change its
//   registers VN_DEVICE               a function that kernels call Global<T>, Shared<T>    pointers: T * with
//   nvcc, checked ones under emulation. Name the type of what is
//                           read from them (`const float v = p[i]`): `auto` would be a reference.
//   threadIdx, blockIdx, blockDim, gridDim    as in CUDA
//
// Headers here include each other by name alone, so that the folder can be copied beside what is emitted.
#ifndef VERNIER_CUDA_DEVICE_PLATFORM_CUH
#define VERNIER_CUDA_DEVICE_PLATFORM_CUH

#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#define VN_DEVICE __device__ __forceinline__
#define VN_HOST_DEVICE __host__ __device__ __forceinline__
#define VN_CONSTANT __host__ __device__ constexpr
#define VN_KERNEL(threads) __global__ void __launch_bounds__(threads)
#define VN_KERNEL_ALONE(threads) __global__ void __launch_bounds__(threads, 1)
#define VN_UNROLL _Pragma("unroll")
// In the part of a compilation that is for sm_90a. Elsewhere what needs it does nothing: no other GPU gets to
// run it.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define VN_HOPPER 1
#endif
// Code of a kernel that has a twin for sm_90a, where that one does not run.
#ifdef VN_HOPPER
#define VN_NOT_HOPPER(...)
#else
#define VN_NOT_HOPPER(...) __VA_ARGS__
#endif
// The last parameter of what the emulation reports with the place of its call.
#define VN_PLACE
#define VN_AND_PLACE

namespace vn {
template <class T> using Global = T *;
template <class T> using Shared = T *;
} // namespace vn

#else

#include "../emulation/Emulation.h"

#define VN_EMULATED 1
#define VN_DEVICE inline
#define VN_HOST_DEVICE inline
#define VN_CONSTANT constexpr
#define VN_KERNEL(threads) inline void
#define VN_KERNEL_ALONE(threads) inline void
#define VN_NOT_HOPPER(...)
#define VN_UNROLL
#define VN_PLACE ::vn::emulation::Place place = ::vn::emulation::here()
#define VN_AND_PLACE , VN_PLACE

namespace vn {
template <class T> using Global = emulation::Pointer<T, emulation::Space::Global>;
template <class T> using Shared = emulation::Pointer<T, emulation::Space::Shared>;

struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};

// One of CUDA's four variables; `member` is read when it is used.
template <dim3 emulation::Position::*member> struct BuiltinIndex {
  template <unsigned dim3::*axis> struct Axis {
    operator unsigned() const { return emulation::position->*member.*axis; }
  };
  Axis<&dim3::x> x;
  Axis<&dim3::y> y;
  Axis<&dim3::z> z;
};
inline constexpr BuiltinIndex<&emulation::Position::thread> threadIdx{};
inline constexpr BuiltinIndex<&emulation::Position::block> blockIdx{};
inline constexpr BuiltinIndex<&emulation::Position::blockSize> blockDim{};
inline constexpr BuiltinIndex<&emulation::Position::grid> gridDim{};
} // namespace vn

#endif
#endif
