// What the CUDA backend chooses for a problem, as data: a template of the device library and its constant.
#ifndef VERNIER_CODEGEN_CUDA_SCHEDULE_SCHEDULE_H
#define VERNIER_CODEGEN_CUDA_SCHEDULE_SCHEDULE_H

#include "codegen/program/Kernel.h"

#include <optional>
#include <string>
#include <vector>

namespace vernier::codegen {

// An operand of a kernel, in the order of its step's.
struct CudaOperand {
  std::string name;     // "in"
  std::string type;     // of an element: "const float", "vn::bf16"
  int64_t elements = 0; // from the first that is touched to the last

  bool operator==(const CudaOperand &) const = default;
};

// `type` NAME_problem = `constant`; the kernel's body is vn::`function`<NAME_problem>(`arguments`).
struct CudaCode {
  std::string type, constant, function;
  std::vector<CudaOperand> operands;
  std::string arguments; // by the operands' names; empty: all of them, in their order
  std::string tables;    // what the body declares before: constants that `arguments` name
  unsigned threads = 0;  // of a block
  int64_t blocks = 0;

  // The same for sm_90a alone, where there is one: a kernel by `type`, whose constant is {NAME_problem,
  // `constant`}, and `function`. Its first operands are tensor maps of those that these functions of the
  // constant describe.
  struct Hopper {
    std::string type, constant, function;
    std::vector<std::string> maps;
    unsigned threads = 0;

    bool operator==(const Hopper &) const = default;
  };
  std::optional<Hopper> hopper{};

  bool operator==(const CudaCode &) const = default;
};

class CudaSchedule : public Schedule {
public:
  CudaSchedule(CudaCode code, std::string chosen, std::string reason)
      : code(std::move(code)), reason(std::move(reason)), chosen(std::move(chosen)) {}

  bool sameCode(const Problem &, const Schedule &other, const Problem &) const override {
    return code == static_cast<const CudaSchedule &>(other).code;
  }
  std::string text() const override { return chosen; }

  const CudaCode code;
  const std::string reason; // for what was chosen; empty: there was nothing to choose

private:
  const std::string chosen;
};

const CudaCode &codeOf(const Kernel &kernel);
const std::string &reasonOf(const Kernel &kernel);

// The name is made of the problem, of what was chosen and of `aligned`, how its maps lie; empty: as well as
// their pixels let them.
Kernel makeCudaKernel(const Problem &problem, CudaCode code, const std::string &chosen,
                      const std::string &aligned, const std::string &reason);

} // namespace vernier::codegen

#endif
