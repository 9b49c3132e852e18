// The CUDA backend: kernels of the device library (codegen/cuda/device), compiled by nvcc for a GPU or, for
// the emulation (codegen/cuda/emulation), by a C++ compiler for this machine's CPU.
#ifndef VERNIER_CODEGEN_CUDA_CUDABACKEND_H
#define VERNIER_CODEGEN_CUDA_CUDABACKEND_H

#include "codegen/cuda/MachineModel.h"
#include "codegen/program/Backend.h"

namespace vernier::codegen {

// What compiles what is written, and what the result is linked with.
struct CudaToolchain {
  bool emulated = false;
  std::string compiler; // nvcc; emulated: a C++ compiler
  std::vector<std::string>
      architectures;       // compute capabilities of GPUs: "80", "90a"; emulated: kernels as for them
  std::string headers;     // the folder that has vernier/abi.h and vernier/cuda
  std::string precompiled; // these headers, as the emulation's compiler has read them; or empty
  std::vector<std::string> libraries; // arguments of the linker
  unsigned jobs = 1;                  // compilers at a time
};

struct CudaOptions {
  bool tf32 = false;                                         // products of float32 maps are rounded to tf32
  Element maps = Element::F32;                               // what the last pass makes of the maps
  const CudaMachineModel *machine = &cudaMachines().front(); // for which kernels are chosen
};

class CudaBackend : public Backend {
public:
  CudaBackend(CudaToolchain toolchain, CudaOptions options)
      : toolchain(std::move(toolchain)), options(options), machine(*options.machine) {}

  std::string passes(Purpose purpose) const override;
  View store(View map) const override;
  bool readsArray(const ConvolutionProblem &problem) const override;
  PartialSums select(const Problem &problem, const Places &places, StepWriter &writer) const override;
  void order(Program &program) const override;
  std::string requirements() const override { return ""; }
  bool isAccelerator() const override { return true; }
  llvm::Expected<Emitted> emit(const Emission &emission) const override;
  bool runsHere() const override { return true; }

  const CudaToolchain toolchain;
  const CudaOptions options;
  const CudaMachineModel &machine;

private:
  std::string architectures() const; // as a person reads them
  std::string madeFor() const;       // with what results depend on
  std::vector<std::string> command(const std::string &folder, const std::string &source) const;
};

} // namespace vernier::codegen

#endif
