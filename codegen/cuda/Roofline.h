// The least time that a step can take on a GPU: the larger of that of its bytes and that of its
// multiply-adds.
#ifndef VERNIER_CODEGEN_CUDA_ROOFLINE_H
#define VERNIER_CODEGEN_CUDA_ROOFLINE_H

#include "codegen/cuda/MachineModel.h"
#include "codegen/program/Program.h"

#include <algorithm>

namespace vernier::codegen {

struct Roofline {
  double moving = 0, computing = 0; // seconds

  double least() const { return std::max(moving, computing); }
  bool boundByBytes() const { return moving >= computing; }
};

// What a kernel that the CUDA backend has chosen multiplies.
Products productsOf(const Kernel &kernel);

// Of one run of `step`, whose kernel it is.
Roofline rooflineOf(const Step &step, const Kernel &kernel, const CudaMachineModel &machine);

} // namespace vernier::codegen

#endif
