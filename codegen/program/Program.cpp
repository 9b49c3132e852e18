#include "codegen/program/Program.h"

namespace vernier::codegen {

std::vector<int> waveNumbers(const Program &program) {
  std::vector<int> numbers;
  for (const Step &step : program.steps)
    numbers.push_back(numbers.empty() ? 0 : numbers.back() + !step.withPrevious);
  return numbers;
}

std::vector<const Program *> programsOf(const Compilation &compilation) {
  std::vector<const Program *> programs = {&compilation.prepare,   &compilation.infer,
                                           &compilation.trainStep, &compilation.accumulate,
                                           &compilation.update,    &compilation.evaluate};
  for (const SizePrograms &size : compilation.furtherSizes)
    programs.insert(programs.end(), {&size.infer, &size.trainStep, &size.evaluate});
  return programs;
}

} // namespace vernier::codegen
