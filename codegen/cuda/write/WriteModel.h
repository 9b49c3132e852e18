// A model's code as CUDA C++.
#ifndef VERNIER_CODEGEN_CUDA_WRITE_WRITEMODEL_H
#define VERNIER_CODEGEN_CUDA_WRITE_WRITEMODEL_H

#include "codegen/cuda/MachineModel.h"
#include "codegen/program/Backend.h"

namespace vernier::codegen {

// What is said of it in its first lines.
struct CudaModelFacts {
  std::string madeFor; // "sm_80, sm_90a"
  std::string command; // that compiles it
};

// One file with all kernels, in `parts` parts that can be compiled apart: with -DVN_PART=0, 1, ...
std::string writeCudaModel(const Emission &emission, const CudaMachineModel &machine, int parts,
                           const CudaModelFacts &facts);

} // namespace vernier::codegen

#endif
