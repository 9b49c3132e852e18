#include "codegen/program/ParameterLayout.h"

#include <algorithm>
#include <map>

namespace vernier::codegen {

static bool isLaidOutSo(vn_space space) {
  return space == VN_SPACE_PARAMETERS || space == VN_SPACE_GRADIENTS || space == VN_SPACE_SUMS ||
         space == VN_SPACE_MOMENTUM;
}

void layOutParameters(Compilation &compilation) {
  std::map<int64_t, int64_t> written; // offset of a gradient -> the last step that writes it
  const std::vector<Step> &steps = compilation.trainStep.steps;
  for (size_t s = 0; s < steps.size(); ++s)
    for (const StepOperand &operand : steps[s].operands)
      if (const Buffer &buffer = compilation.buffers[operand.buffer];
          operand.written && buffer.space == VN_SPACE_GRADIENTS)
        written[buffer.offset] = int64_t(s);

  std::map<int64_t, int64_t> bytes; // of each parameter, by its offset
  for (const Buffer &buffer : compilation.buffers)
    if (buffer.space == VN_SPACE_PARAMETERS)
      bytes[buffer.offset] = buffer.bytes;
  std::vector<int64_t> order;
  for (const auto &[offset, size] : bytes)
    order.push_back(offset);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return written[a] < written[b]; });

  std::map<int64_t, int64_t> moved; // offset -> the new one
  int64_t next = 0;
  for (int64_t offset : order) {
    moved[offset] = next;
    next += aligned(bytes[offset]);
  }
  for (Buffer &buffer : compilation.buffers)
    if (isLaidOutSo(buffer.space))
      buffer.offset = moved.at(buffer.offset);
  for (Parameter &parameter : compilation.parameters)
    if (parameter.space == VN_SPACE_PARAMETERS)
      parameter.offset = moved.at(parameter.offset);
}

} // namespace vernier::codegen
