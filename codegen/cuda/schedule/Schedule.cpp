#include "codegen/cuda/schedule/Schedule.h"

#include "llvm/ADT/StringExtras.h"

namespace vernier::codegen {

// Words of a name in C: "convolution 1x7x7x64 to 1x7x7x12of16 by -1x0 epsilon 1e-05" is
// convolution_1x7x7x64_to_1x7x7x12of16_by_m1x0_epsilon_1em05.
static std::string identifier(llvm::StringRef text) {
  std::string name;
  for (const char c : text) {
    if (llvm::isAlnum(c))
      name += c;
    else if (c == '-')
      name += 'm';
    else if (c == '.')
      name += 'p';
    else if (c != '+' && !name.empty() && name.back() != '_')
      name += '_';
  }
  return name;
}

const CudaCode &codeOf(const Kernel &kernel) {
  return static_cast<const CudaSchedule &>(*kernel.schedule).code;
}

const std::string &reasonOf(const Kernel &kernel) {
  return static_cast<const CudaSchedule &>(*kernel.schedule).reason;
}

Kernel makeCudaKernel(const Problem &problem, CudaCode code, const std::string &chosen,
                      const std::string &aligned, const std::string &reason) {
  std::string words = textOf(problem);
  for (const std::string &more : {chosen, aligned})
    words += more.empty() ? "" : " " + more;
  const int64_t blocks = code.blocks;
  return {identifier(words), problem, std::make_shared<CudaSchedule>(std::move(code), chosen, reason),
          blocks};
}

} // namespace vernier::codegen
