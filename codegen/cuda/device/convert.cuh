// bfloat16 and tf32. Rounding is to the nearest; NaN stays NaN.
#ifndef VERNIER_CUDA_DEVICE_CONVERT_CUH
#define VERNIER_CUDA_DEVICE_CONVERT_CUH

#include "memory.cuh"

namespace vn {

// The upper half of a float32.
struct bf16 {
  uint16_t bits;
};

VN_DEVICE float to_float(bf16 value) { return detail::bits<float>(uint32_t(value.bits) << 16); }
VN_DEVICE float to_float(float value) { return value; }

// Ties to even; of NaN the one NaN 0x7fff. PTX manual: cvt.rn.bf16.f32.
VN_DEVICE bf16 to_bf16(float value) {
#ifdef VN_EMULATED
  const uint32_t bits = detail::bits<uint32_t>(value);
  if ((bits & 0x7FFF'FFFF) > 0x7F80'0000)
    return {0x7FFF};
  return {uint16_t((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
#else
  bf16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
  return result;
#endif
}

// Two in a register, the first in the lower half. PTX manual: cvt.rn.bf16x2.f32.
VN_DEVICE uint32_t to_bf16x2(float first, float second) {
#ifdef VN_EMULATED
  return uint32_t(to_bf16(second).bits) << 16 | to_bf16(first).bits;
#else
  uint32_t result;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(second), "f"(first));
  return result;
#endif
}

// The bits of a float32 whose lower 13 bits are zero; ties away from zero. PTX manual: cvt.rna.tf32.f32, by
// which a GPU makes infinity of a NaN that has no bits but those (an H200 does).
VN_DEVICE uint32_t to_tf32(float value) {
#ifdef VN_EMULATED
  const uint32_t bits = detail::bits<uint32_t>(value);
  if ((bits & 0x7FFF'FFFF) > 0x7F80'0000)
    return 0x7FFF'FFFF;
  return (bits & 0x7F80'0000) == 0x7F80'0000 ? bits : (bits + 0x1000) & 0xFFFF'E000;
#else
  uint32_t result;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(value));
  return value == value ? result : 0x7FFF'FFFFu;
#endif
}

// A map's elements, float or bf16, from float.
template <class T> VN_DEVICE T from_float(float value);
template <> VN_DEVICE float from_float<float>(float value) { return value; }
template <> VN_DEVICE bf16 from_float<bf16>(float value) { return to_bf16(value); }

} // namespace vn

#endif
