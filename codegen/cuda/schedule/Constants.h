// Constants of the device library, from problems and as text.
//
// The library's own structs are used here as well as in what is emitted: how many parts a kernel's sums have
// is computed by the code that the kernel is made of.
#ifndef VERNIER_CODEGEN_CUDA_SCHEDULE_CONSTANTS_H
#define VERNIER_CODEGEN_CUDA_SCHEDULE_CONSTANTS_H

#include "codegen/cuda/device/hopper_convolution.cuh"
#include "codegen/cuda/device/hopper_rows.cuh"
#include "codegen/cuda/device/weight_gradient.cuh"
#include "codegen/cuda/device/weights.cuh"
#include "codegen/program/Backend.h"

#include <array>
#include <string>
#include <vector>

namespace vernier::codegen {

// A map at its place, which says how it is aligned.
::vn::Map mapAt(const View &view, const Location &place);
::vn::Pair pairOf(const std::array<int64_t, 2> &values);
::vn::Activation deviceActivation(Activation activation);

// "const float", "vn::bf16".
std::string elementType(Element element, bool written);

// {.in = {1, 56, 56, 64, 64, vn::Element::F32, 4}, .kernel = {3, 3}}: a struct, field by field; a long one
// has a line for each.
class Constant {
public:
  Constant &field(const char *name, const std::string &value) {
    fields.push_back("." + std::string(name) + " = " + value);
    return *this;
  }
  Constant &field(const char *name, const ::vn::Map &map);
  Constant &field(const char *name, ::vn::Pair pair);
  // Unless it is what the struct has by itself.
  Constant &other(const char *name, ::vn::Pair pair, int usual);
  Constant &field(const char *name, int value) { return field(name, std::to_string(value)); }
  Constant &field(const char *name, bool value) { return value ? field(name, std::string("true")) : *this; }
  Constant &field(const char *name, double value);
  Constant &field(const char *name, float value);
  Constant &field(const char *name, llvm::ArrayRef<double> floats);
  Constant &field(const char *name, ::vn::Activation activation);
  Constant &field(const char *name, const Constant &other) { return field(name, other.str(6)); }
  // `indent`: of the lines of a long one.
  std::string str(unsigned indent = 4) const;

private:
  std::vector<std::string> fields;
};

Constant constantOf(const ::vn::Convolution &c);
Constant constantOf(const ::vn::WeightLayout &layout);
Constant constantOf(const ::vn::WeightGradient &g);
Constant constantOf(const ::vn::Epilogue &epilogue);
std::string textOf(const ::vn::Map &map);

} // namespace vernier::codegen

#endif
