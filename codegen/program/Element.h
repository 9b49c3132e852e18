// The types of a kernel's numbers in memory.
#ifndef VERNIER_CODEGEN_PROGRAM_ELEMENT_H
#define VERNIER_CODEGEN_PROGRAM_ELEMENT_H

#include <cstdint>

namespace vernier::codegen {

// Kernels compute in float32 whatever their operands' type is; see codegen/cpu/emit/BFloat16Code.h for BF16.
enum class Element { F32, I32, F64, BF16 };

constexpr int64_t elementBytes(Element element) {
  return element == Element::F64 ? 8 : element == Element::BF16 ? 2 : 4;
}
// In kernels' names: float32 goes without saying.
constexpr const char *elementSuffix(Element element) {
  switch (element) {
  case Element::F32:
    return "";
  case Element::I32:
    return "i32";
  case Element::F64:
    return "f64";
  case Element::BF16:
    return "bf16";
  }
  return "";
}

// One buffer of a kernel, seen from the first element that the kernel uses.
struct KernelOperand {
  int64_t elements = 0;
  Element type = Element::F32;

  bool operator==(const KernelOperand &) const = default;
};

} // namespace vernier::codegen

#endif
