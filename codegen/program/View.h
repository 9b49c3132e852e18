// Maps in memory.
#ifndef VERNIER_CODEGEN_PROGRAM_VIEW_H
#define VERNIER_CODEGEN_PROGRAM_VIEW_H

#include "codegen/program/Element.h"

#include <cstdint>
#include <string>

namespace vernier::codegen {

// A map N x H x W x C inside a buffer whose pixels have `pixel` channels: a slice when pixel > c. Positions
// count from the map's first element.
struct View {
  int64_t n = 1, h = 1, w = 1, c = 1, pixel = 1;
  Element element = Element::F32;

  int64_t row() const { return w * pixel; }
  int64_t image() const { return h * w * pixel; }
  int64_t elements() const { return (n * h * w - 1) * pixel + c; }
  int64_t size() const { return n * h * w * c; }
  int64_t bytes() const { return elements() * elementBytes(element); } // from the first element to the last
  KernelOperand operand() const { return {elements(), element}; }
  bool dense() const { return pixel == c; }
  std::string name() const; // "2x56x56x62of88", "1x7x7x512bf16"
  bool operator==(const View &) const = default;
};

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

View denseView(int64_t n, int64_t h, int64_t w, int64_t c, Element element = Element::F32);
View pixelsInOneRow(const View &view);

} // namespace vernier::codegen

#endif
