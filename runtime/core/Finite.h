// Numbers that are infinite or no number, and how a person is told of them.
#ifndef VERNIER_RUNTIME_CORE_FINITE_H
#define VERNIER_RUNTIME_CORE_FINITE_H

#include <bit>
#include <cstdint>
#include <span>
#include <string>

namespace vernier::runtime {

/// Not 0 where `value` is infinite or no number. Whole numbers only, so that loops which collect it become
/// vector code.
inline uint32_t isNonFinite(float value) {
  constexpr uint32_t exponent = 0x7f800000;
  return (std::bit_cast<uint32_t>(value) & exponent) == exponent ? 1 : 0;
}

/// Whether all are finite numbers, in one pass.
bool allFinite(std::span<const float> values);

/// The elements of an array that are not finite.
struct NonFinite {
  int64_t count = 0, first = 0; ///< how many, and the index of the first one
  float value = 0;              ///< the first one
  int64_t elements = 0;         ///< of the array

  explicit operator bool() const { return count > 0; }
};

NonFinite findNonFinite(std::span<const float> values);

/// "nan at [0, 3], the first of 12 among 640 elements"
std::string nonFiniteText(const NonFinite &found, std::span<const int64_t> shape);

} // namespace vernier::runtime

#endif
