// What joins a convolution's kernel: all that can be done with its result before it is stored.
#ifndef VERNIER_CODEGEN_PROGRAM_EPILOGUE_H
#define VERNIER_CODEGEN_PROGRAM_EPILOGUE_H

#include "codegen/program/View.h"
#include "dsl/Activation.h"

#include <array>
#include <string>
#include <vector>

namespace vernier::codegen {

// As a part of a kernel's name: "_relu", "_leaky_relu0p01", or nothing.
std::string activationName(Activation activation);

// Two sums over all pixels for each channel of a map, as batch normalisation needs them; how they lie in
// memory is the backend's.
//   Moments: of the map and of its squares.
//   Gradient: of the map g, a gradient, and of g * (x - mean).
enum class Sums { None, Moments, Gradient };

// A map that a convolution adds to its result: at pixel (y, x) it reads its own (y / factor[0], x /
// factor[1]), so that a smaller map is enlarged to its nearest pixels on the way.
struct Addend {
  View view;
  std::array<int64_t, 2> factor{1, 1};

  bool enlarged() const { return factor[0] != 1 || factor[1] != 1; }
  bool operator==(const Addend &) const = default;
};

// What a convolution does with each element of its result before it stores it, in this order: bias, addends,
// activation; or, for a gradient, addends, then `masked`, the gradient of an activation, told by `mask`: its
// result, or its input where derivativeNeedsInput. Then come `sums` of what is stored. Mask and x are maps of
// the result's shape, read at the element's place. operands, between the kernel's weights and its output:
// [bias], addends, [mask], [x, mean]; after it: [sums].
struct Epilogue {
  bool scale = false; // of each channel: sums are multiplied by it before the bias is added
  bool bias = false;
  std::vector<Addend> addends;
  Activation activation = Activation::None;
  // Whether the result's pixels are one row to a kernel that has enlarged addends: these keep their shape,
  // those of the result's size are one row, too.
  bool flattened = false;
  Activation masked = Activation::None;
  View mask;
  Sums sums = Sums::None;
  View x;

  int64_t inputs() const {
    return scale + bias + int64_t(addends.size()) + (masked != Activation::None) +
           (sums == Sums::Gradient ? 2 : 0);
  }
  int64_t operands() const { return inputs() + (sums != Sums::None); }
  std::string name() const;
  bool operator==(const Epilogue &) const = default;
};

// The maps that an epilogue reads with all pixels in one row.
Epilogue pixelsInOneRow(Epilogue epilogue);

} // namespace vernier::codegen

#endif
