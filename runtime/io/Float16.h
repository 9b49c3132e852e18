// The two half-width float formats, widened to float exactly.
#ifndef VERNIER_RUNTIME_IO_FLOAT16_H
#define VERNIER_RUNTIME_IO_FLOAT16_H

#include <bit>
#include <cstdint>

namespace vernier::runtime {

inline float bfloat16ToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

inline float halfToFloat(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent == 31) // infinity, NaN
    return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) { // zero, subnormal: fraction * 2^-24, which a float holds exactly
    const float magnitude = float(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

} // namespace vernier::runtime

#endif
