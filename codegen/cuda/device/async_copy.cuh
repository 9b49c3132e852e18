// Copies from global to shared memory that go on while the thread does (cp.async).
//
// A thread's copies are there for itself when it has waited for their group, and for others after a barrier
// that follows. Until then the place may be neither read nor written. PTX manual: cp.async,
// cp.async.wait_group.
#ifndef VERNIER_CUDA_DEVICE_ASYNC_COPY_CUH
#define VERNIER_CUDA_DEVICE_ASYNC_COPY_CUH

#include "memory.cuh"

namespace vn {

// 4, 8 or 16 bytes, both places multiples of them. Of these the first `from_bytes` are read, the others
// become zero: 0 reads nothing, whatever `from` is. 16 bytes do not go through the first-level cache.
template <int bytes, class T, class U>
VN_DEVICE void cp_async(Shared<T> to, Global<U> from, int from_bytes = bytes VN_AND_PLACE) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "what cp.async copies");
#ifdef VN_EMULATED
  emulation::cpAsync(shared_as<std::byte>(to), global_as<const std::byte>(from), bytes, unsigned(from_bytes),
                     place);
#else
  if constexpr (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from),
                 "r"(from_bytes)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(from),
                 "n"(bytes), "r"(from_bytes)
                 : "memory");
#endif
}

// What was issued since the last group is a group; it may be empty.
VN_DEVICE void cp_async_commit_group() {
#ifdef VN_EMULATED
  emulation::cpAsyncCommitGroup();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Until all but the last `pending` groups have landed.
template <int pending> VN_DEVICE void cp_async_wait_group(VN_PLACE) {
#ifdef VN_EMULATED
  emulation::cpAsyncWaitGroup(pending, place);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#endif
}

// Until every copy has landed, in a group or not.
VN_DEVICE void cp_async_wait_all(VN_PLACE) {
#ifdef VN_EMULATED
  emulation::cpAsyncWaitAll(place);
#else
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

} // namespace vn

#endif
