#include "codegen/program/Program.h"

namespace vernier::codegen {

std::vector<int> waveNumbers(const Program &program) {
  std::vector<int> numbers;
  for (const Step &step : program.steps)
    numbers.push_back(numbers.empty() ? 0 : numbers.back() + !step.withPrevious);
  return numbers;
}

} // namespace vernier::codegen
