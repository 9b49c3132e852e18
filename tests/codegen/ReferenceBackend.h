// A second backend, as small as one can be: every problem is solved by the interpreter's code, in one task.
// It shows that programs, memory plans, tables and the runtime know nothing of the CPU's backend: its maps
// have padding of their own, its weights lie backwards, and it adds up moments for a batch norm but no sums
// of gradients.
#ifndef VERNIER_TESTS_CODEGEN_REFERENCEBACKEND_H
#define VERNIER_TESTS_CODEGEN_REFERENCEBACKEND_H

#include "codegen/program/Backend.h"

namespace vernier::tests {

class ReferenceBackend : public codegen::Backend {
public:
  std::string passes(codegen::Purpose purpose) const override;
  codegen::View store(codegen::View map) const override;
  codegen::PartialSums select(const codegen::Problem &problem, const codegen::Places &places,
                              codegen::StepWriter &writer) const override;
  void order(codegen::Program &) const override {}
  std::string requirements() const override { return ""; }
  // Objects whose kernels call back into this process.
  llvm::Expected<codegen::Emitted> emit(const codegen::Emission &emission) const override;
  bool runsHere() const override { return true; }
};

} // namespace vernier::tests

#endif
