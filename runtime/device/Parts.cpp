#include "runtime/device/Parts.h"

#include "runtime/core/Choices.h"

#include <algorithm>

namespace vernier::runtime {

/// The steps of a range up to the last that reads or writes a running statistic; none where none does.
static StepRange toLastStatistics(const vn_program &program, StepRange steps) {
  const auto touches = [](const vn_operand &operand) { return operand.space == VN_SPACE_STATISTICS; };
  for (; steps.end > steps.begin; --steps.end) {
    const vn_step &last = program.steps[steps.end - 1];
    if (std::any_of(last.operands, last.operands + last.num_operands, touches))
      break;
  }
  return steps;
}

std::vector<std::vector<StepRange>> partsOf(const vn_program &program, Task task) {
  std::vector<std::vector<StepRange>> parts;
  for (int64_t s = 0; s < program.num_segments; ++s) {
    std::vector<StepRange> &variants = parts.emplace_back();
    for (const vn_variant &v : variantsOf(program.segments[s]))
      variants.push_back({v.begin, v.end});
  }
  if (program.num_segments == 0)
    parts.push_back({{0, program.num_steps}});
  if (task == Task::Statistics)
    for (size_t s = parts.size(); s-- > 0;) {
      bool any = false;
      for (StepRange &steps : parts[s]) {
        steps = toLastStatistics(program, steps);
        any |= steps.begin < steps.end;
      }
      if (any) // what comes before it runs whole
        break;
    }
  return parts;
}

} // namespace vernier::runtime
