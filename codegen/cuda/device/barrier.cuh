// What orders threads and blocks.
#ifndef VERNIER_CUDA_DEVICE_BARRIER_CUH
#define VERNIER_CUDA_DEVICE_BARRIER_CUH

#include "memory.cuh"

namespace vn {

// First of all in a kernel that is launched early (launch.cuh): returns when the kernels before it are done,
// and lets those after it be launched, which wait there. PTX manual: griddepcontrol.
VN_DEVICE void follow_previous() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n"
               "griddepcontrol.wait;" ::
                   : "memory");
#endif
}

// All threads of the block.
VN_DEVICE void syncthreads(VN_PLACE) {
#ifdef VN_EMULATED
  emulation::syncThreads(place);
#else
  __syncthreads();
#endif
}

// `threads` of the block, whole warps; ids from 1 to 15. PTX manual: barrier.cta (bar).
VN_DEVICE void named_barrier_sync(int id, int threads VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::namedBarrierSync(unsigned(id), unsigned(threads), place);
#else
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
#endif
}

// Counts as one of them and does not wait.
VN_DEVICE void named_barrier_arrive(int id, int threads VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::namedBarrierArrive(unsigned(id), unsigned(threads), place);
#else
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
#endif
}

// Orders this thread's accesses, and those that it knows of by barriers, for other blocks.
VN_DEVICE void threadfence(VN_PLACE) {
#ifdef VN_EMULATED
  emulation::threadFence(place);
#else
  __threadfence();
#endif
}

// What was there before. On integers only: sums of floating-point numbers would depend on timing.
VN_DEVICE unsigned atomic_add_global(Global<unsigned> word, unsigned value VN_AND_PLACE) {
#ifdef VN_EMULATED
  return emulation::atomicAdd(word, value, place);
#else
  return atomicAdd(word, value);
#endif
}
VN_DEVICE unsigned atomic_add_shared(Shared<unsigned> word, unsigned value VN_AND_PLACE) {
#ifdef VN_EMULATED
  return emulation::atomicAdd(word, value, place);
#else
  return atomicAdd(word, value);
#endif
}
// Sets the bits of `value`.
VN_DEVICE unsigned atomic_or_global(Global<unsigned> word, unsigned value VN_AND_PLACE) {
#ifdef VN_EMULATED
  return emulation::atomicOr(word, value, place);
#else
  return atomicOr(word, value);
#endif
}

// Whether this block is the last of `blocks` to come here; what the others wrote before they came may then be
// read. All threads of the block call it. The counter is 0 at the launch and again once the last block has
// come.
VN_DEVICE bool last_block_arrives(Global<unsigned> counter, unsigned blocks) {
  VN_SHARED(unsigned, arrived, 1);
  syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0 && threadIdx.z == 0) {
    threadfence();
    arrived[0] = atomic_add_global(counter, 1);
    threadfence();
    if (arrived[0] == blocks - 1)
      counter[0] = 0;
  }
  syncthreads();
  return arrived[0] == blocks - 1;
}

} // namespace vn

#endif
