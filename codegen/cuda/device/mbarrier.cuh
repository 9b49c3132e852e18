// mbarriers (sm_90a): barriers in shared memory that also count the bytes of bulk copies. PTX manual:
// mbarrier.
//
// A phase is complete when all have arrived and all bytes that they expected are there. Phase 0 has parity 0,
// the next one 1, then 0 again; of a new mbarrier the phase before its first, of parity 1, is complete.
//
//   VN_SHARED(uint64_t, full, 1);
//   if (threadIdx.x == 0) {
//     mbarrier_init(full, 1);
//     fence_proxy_async();
//   }
//   syncthreads();
#ifndef VERNIER_CUDA_DEVICE_MBARRIER_CUH
#define VERNIER_CUDA_DEVICE_MBARRIER_CUH

#include "memory.cuh"

namespace vn {

using MBarrier = Shared<uint64_t>;

// For so many arrivals in each phase. By one thread; the others may use it after a barrier, copies after a
// fence of proxies, too.
VN_DEVICE void mbarrier_init(MBarrier barrier, int arrivals VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::mbarrierInit(barrier, unsigned(arrivals), place);
#elif defined(VN_HOPPER)
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals)
               : "memory");
#endif
}

// Orders what this thread read and wrote before for those that wait for the phase.
VN_DEVICE void mbarrier_arrive(MBarrier barrier VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::mbarrierArrive(barrier, 0, place);
#elif defined(VN_HOPPER)
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
#endif
}

// The same; the phase then also waits for so many bytes of copies.
VN_DEVICE void mbarrier_arrive_expect(MBarrier barrier, int bytes VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::mbarrierArrive(barrier, unsigned(bytes), place);
#elif defined(VN_HOPPER)
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(bytes)
               : "memory");
#endif
}

// Until the phase of this parity is complete.
VN_DEVICE void mbarrier_wait(MBarrier barrier, int parity VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::mbarrierWait(barrier, unsigned(parity), place);
#elif defined(VN_HOPPER)
  uint32_t complete = 0;
  while (complete == 0)
    asm volatile("{\n"
                 ".reg .pred done;\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n"
                 "selp.u32 %0, 1, 0, done;\n"
                 "}"
                 : "=r"(complete)
                 : "r"(shared_address(barrier)), "r"(parity)
                 : "memory");
#endif
}

// Orders what this thread did to shared memory before what bulk copies and wgmma do to it, where a barrier
// between threads comes after.
VN_DEVICE void fence_proxy_async(VN_PLACE) {
#ifdef VN_EMULATED
  emulation::fenceProxyAsync(place);
#elif defined(VN_HOPPER)
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

} // namespace vn

#endif
