// What the 32 lanes of a warp do together. All lanes of a mask must come to the same call.
#ifndef VERNIER_CUDA_DEVICE_WARP_CUH
#define VERNIER_CUDA_DEVICE_WARP_CUH

#include "memory.cuh"

namespace vn {

constexpr uint32_t all_lanes = 0xFFFF'FFFF;

// Also orders their accesses to memory, which nothing else here does.
VN_DEVICE void syncwarp(uint32_t mask = all_lanes VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::syncWarp(mask, place);
#else
  __syncwarp(mask);
#endif
}

// Of 4-byte values, in segments of `width` lanes, as __shfl_sync and its kin. A lane without a source keeps
// its value.
#ifdef VN_EMULATED
#define VN_SHUFFLE(name, kind, operand)                                                                      \
  template <class T> VN_DEVICE T name(uint32_t mask, T value, int operand, int width = 32 VN_AND_PLACE) {    \
    static_assert(sizeof(T) == 4, "a register");                                                             \
    return detail::bits<T>(emulation::shuffle(emulation::Shuffle::kind, mask, detail::bits<uint32_t>(value), \
                                              operand, width, place));                                       \
  }
#else
#define VN_SHUFFLE(name, kind, operand)                                                                      \
  template <class T> VN_DEVICE T name(uint32_t mask, T value, int operand, int width = 32) {                 \
    static_assert(sizeof(T) == 4, "a register");                                                             \
    return __##name(mask, value, operand, width);                                                            \
  }
#endif
VN_SHUFFLE(shfl_sync, Index, lane)
VN_SHUFFLE(shfl_up_sync, Up, distance)
VN_SHUFFLE(shfl_down_sync, Down, distance)
VN_SHUFFLE(shfl_xor_sync, Xor, lanes)
#undef VN_SHUFFLE

// Bit i: lane i's predicate.
VN_DEVICE uint32_t ballot_sync(uint32_t mask, bool predicate VN_AND_PLACE) {
#ifdef VN_EMULATED
  return emulation::ballot(mask, predicate, place);
#else
  return __ballot_sync(mask, predicate);
#endif
}

// True in one of the warp's lanes, each time the same; all of them come (sm_90a). PTX manual: elect.sync.
VN_DEVICE bool elect_sync(VN_PLACE) {
#ifdef VN_EMULATED
  return emulation::electLane(place);
#else
  uint32_t elected = 0;
#ifdef VN_HOPPER
  asm volatile("{\n"
               ".reg .pred this;\n"
               "elect.sync _|this, 0xFFFFFFFF;\n"
               "selp.u32 %0, 1, 0, this;\n"
               "}"
               : "=r"(elected));
#endif
  return elected != 0;
#endif
}

} // namespace vn

#endif
