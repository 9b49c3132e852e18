#include "codegen/plan/SharedSteps.h"

#include <map>
#include <string>

namespace vernier::codegen {
namespace {

// The buffer that a step of `prepare` writes.
int writtenBy(const Step &step) {
  for (const StepOperand &operand : step.operands)
    if (operand.written)
      return operand.buffer;
  return -1;
}

} // namespace

void shareEqualSteps(Compilation &compilation) {
  std::vector<Buffer> &buffers = compilation.buffers;
  Program &prepare = compilation.prepare;
  std::vector<int> kept(buffers.size()); // of each buffer, the one that stands for it
  for (size_t i = 0; i < kept.size(); ++i)
    kept[i] = int(i);

  // Steps stand in the order of what they depend on, and all that fill a buffer before those that read it.
  std::map<int, std::vector<size_t>> fills;
  std::vector<int> order;
  for (size_t s = 0; s < prepare.steps.size(); ++s) {
    const int buffer = writtenBy(prepare.steps[s]);
    std::vector<size_t> &steps = fills[buffer];
    if (steps.empty())
      order.push_back(buffer);
    steps.push_back(s);
  }
  std::map<std::string, int> known; // what fills a buffer
  std::vector<bool> dropped(prepare.steps.size());
  for (int buffer : order) {
    std::string key = std::to_string(buffers[buffer].space) + " " + std::to_string(buffers[buffer].bytes);
    for (size_t s : fills[buffer]) {
      key += "\n" + prepare.steps[s].kernel;
      for (const StepOperand &operand : prepare.steps[s].operands)
        key += " " + (operand.buffer == buffer ? "self" : std::to_string(kept[operand.buffer])) + "+" +
               std::to_string(operand.offset);
    }
    const auto [entry, isNew] = known.try_emplace(std::move(key), buffer);
    kept[buffer] = entry->second;
    if (!isNew)
      for (size_t s : fills[buffer])
        dropped[s] = true;
  }

  std::vector<Step> steps;
  for (size_t s = 0; s < prepare.steps.size(); ++s)
    if (!dropped[s])
      steps.push_back(std::move(prepare.steps[s]));
  prepare.steps = std::move(steps);
  std::vector<Program *> readers = {&prepare, &compilation.infer, &compilation.evaluate};
  for (SizePrograms &size : compilation.furtherSizes)
    readers.insert(readers.end(), {&size.infer, &size.evaluate});
  for (Program *program : readers)
    for (Step &step : program->steps)
      for (StepOperand &operand : step.operands)
        operand.buffer = kept[operand.buffer];

  compilation.derivedBytes = 0;
  for (size_t i = 0; i < buffers.size(); ++i)
    if (buffers[i].space == VN_SPACE_DERIVED && kept[i] == int(i)) {
      buffers[i].offset = compilation.derivedBytes;
      compilation.derivedBytes += aligned(buffers[i].bytes);
    }
}

} // namespace vernier::codegen
