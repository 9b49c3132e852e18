#include "codegen/MemoryPlan.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace vernier::codegen {
namespace {

struct Lifetime {
  int first = INT32_MAX, last = -1;
};

} // namespace

void planMemory(std::vector<Buffer> &buffers, Program &program) {
  std::map<int, Lifetime> lifetimes;
  for (int s = 0; s < int(program.steps.size()); ++s)
    for (const StepOperand &operand : program.steps[s].operands)
      if (buffers[operand.buffer].space == VN_SPACE_ARENA) {
        Lifetime &life = lifetimes[operand.buffer];
        life.first = std::min(life.first, s);
        life.last = std::max(life.last, s);
      }

  // What is older than a repeated part of the program, or outlives it, is alive in all of its runs.
  for (const Repeat &repeat : program.repeats)
    for (auto &[buffer, life] : lifetimes)
      if (life.last >= repeat.begin && life.first < repeat.end &&
          (life.first < repeat.begin || life.last >= repeat.end || repeat.advances.count(buffer))) {
        life.first = std::min(life.first, repeat.begin);
        life.last = std::max(life.last, repeat.end - 1);
      }

  // In-place reuse: an output born in the step in which an operand of the same size dies takes its memory
  // over. Chains of such steps end in one representative.
  std::map<int, int> takenOver; // buffer -> the earlier buffer whose memory it has
  const auto representative = [&](int buffer) {
    while (takenOver.count(buffer))
      buffer = takenOver[buffer];
    return buffer;
  };
  for (int s = 0; s < int(program.steps.size()); ++s) {
    const Step &step = program.steps[s];
    const auto output =
        std::find_if(step.operands.begin(), step.operands.end(), [](const auto &o) { return o.written; });
    if (output == step.operands.end() || !lifetimes.count(output->buffer) ||
        lifetimes[output->buffer].first != s || takenOver.count(output->buffer))
      continue;
    for (int index : step.mayReuse) {
      const StepOperand &operand = step.operands[index];
      if (operand.buffer == output->buffer || !lifetimes.count(operand.buffer) ||
          operand.offset != output->offset || buffers[operand.buffer].bytes != buffers[output->buffer].bytes)
        continue;
      const int root = representative(operand.buffer);
      // The operand's own last use must be here; its memory may already have passed through several hands.
      if (lifetimes[operand.buffer].last != s || lifetimes[root].last != s)
        continue;
      const auto uses = std::count_if(step.operands.begin(), step.operands.end(), [&](const StepOperand &o) {
        return lifetimes.count(o.buffer) && representative(o.buffer) == root;
      });
      if (uses != 1)
        continue;
      takenOver[output->buffer] = root;
      lifetimes[root].last = lifetimes[output->buffer].last;
      break;
    }
  }

  // Greedy by size: the largest first, each at the lowest place that is free during its life.
  std::vector<int> order;
  for (const auto &[buffer, life] : lifetimes)
    if (!takenOver.count(buffer))
      order.push_back(buffer);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<int> placed;
  program.arenaBytes = 0;
  for (int buffer : order) {
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (int other : placed)
      if (lifetimes[other].first <= lifetimes[buffer].last &&
          lifetimes[buffer].first <= lifetimes[other].last)
        taken.push_back({buffers[other].offset, buffers[other].offset + aligned(buffers[other].bytes)});
    std::sort(taken.begin(), taken.end());
    int64_t offset = 0;
    for (auto [begin, end] : taken) {
      if (offset + aligned(buffers[buffer].bytes) <= begin)
        break;
      offset = std::max(offset, end);
    }
    buffers[buffer].offset = offset;
    program.arenaBytes = std::max(program.arenaBytes, offset + aligned(buffers[buffer].bytes));
    placed.push_back(buffer);
  }
  for (const auto &[buffer, root] : takenOver)
    buffers[buffer].offset = buffers[representative(buffer)].offset;
}

void expandRepeats(Program &program) {
  std::vector<Step> steps;
  int next = 0;
  const auto appendUntil = [&](int end) {
    for (; next < end; ++next)
      steps.push_back(program.steps[next]);
  };
  for (const Repeat &repeat : program.repeats) {
    appendUntil(repeat.begin);
    for (int64_t run = 0; run < repeat.count; ++run)
      for (int s = repeat.begin; s < repeat.end; ++s) {
        steps.push_back(program.steps[s]);
        for (StepOperand &operand : steps.back().operands)
          if (auto advance = repeat.advances.find(operand.buffer); advance != repeat.advances.end())
            operand.offset += run * advance->second;
      }
    next = repeat.end;
  }
  appendUntil(int(program.steps.size()));
  program.steps = std::move(steps);
  program.repeats.clear();
}

} // namespace vernier::codegen
