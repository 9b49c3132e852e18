// The CPU backend: one target, and how exact Winograd convolutions have to be.
#ifndef VERNIER_CODEGEN_CPU_CPUBACKEND_H
#define VERNIER_CODEGEN_CPU_CPUBACKEND_H

#include "codegen/cpu/Target.h"
#include "codegen/cpu/kernels/Winograd.h"
#include "codegen/program/Backend.h"

namespace vernier::codegen {

class CpuBackend : public Backend {
public:
  // `emitters`: threads that turn kernels into objects; 0: one per CPU.
  explicit CpuBackend(Target target, WinogradOptions winograd = {}, unsigned emitters = 0)
      : target(std::move(target)), winograd(winograd), emitters(emitters) {}

  std::string passes(Purpose purpose) const override;
  View store(View map) const override;
  PartialSums select(const Problem &problem, const Places &places, StepWriter &writer) const override;
  void order(Program &program) const override;
  std::string requirements() const override { return target.required; }
  llvm::Expected<Emitted> emit(const Emission &emission) const override;
  bool runsHere() const override;

  const Target target;
  const WinogradOptions winograd;
  const unsigned emitters;
};

} // namespace vernier::codegen

#endif
