// What the CUDA backend says of what it has chosen, for people.
#ifndef VERNIER_CODEGEN_CUDA_REPORT_H
#define VERNIER_CODEGEN_CUDA_REPORT_H

#include "codegen/cuda/MachineModel.h"
#include "codegen/program/Program.h"

#include "llvm/Support/raw_ostream.h"

namespace vernier::codegen {

// Of each program its launches in a call and the time that it takes at best; how many kernels of each kind
// there are, and which choices.
void reportCudaChoices(llvm::raw_ostream &out, const Compilation &compilation,
                       const CudaMachineModel &machine);

// Each kernel that something was chosen for, and the reason.
void explainCudaChoices(llvm::raw_ostream &out, const Compilation &compilation,
                        const CudaMachineModel &machine);

} // namespace vernier::codegen

#endif
