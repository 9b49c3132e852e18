#include "runtime/core/IoArrays.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <fmt/core.h>

namespace vernier::runtime {

IoLayout::IoLayout(const vn_program &program) : offsets(size_t(program.num_io)) {
  constexpr int64_t alignment = 256;
  const auto place = [&](int64_t kind) {
    for (int64_t i = 0; i < program.num_io; ++i)
      if (program.io[i].is_output == kind) {
        offsets[size_t(i)] = bytes;
        bytes += (4 * elementCount(program.io[i]) + alignment) / alignment * alignment; // each has an address
      }
  };
  place(VN_INPUT);
  outputBegin = bytes;
  place(VN_PARTIAL_OUTPUT);
  inputBytes = bytes;
  place(VN_OUTPUT);
}

static std::string namesOf(const vn_program &program) {
  std::string names;
  for (int64_t i = 0; i < program.num_io; ++i)
    names += fmt::format("{}`{}`", i == 0 ? "" : ", ", program.io[i].name);
  return names;
}

IoArrays::IoArrays(const vn_program &program, Pipeline *pipeline) : program(program) {
  const IoLayout layout(program);
  if (pipeline)
    pinned = pipeline->hostMemory(size_t(layout.bytes));
  else
    buffer = Buffer(size_t(layout.bytes), "the arrays " + namesOf(program));
  for (int64_t offset : layout.offsets)
    addresses.push_back(block() + offset);
}

const vn_io *IoArrays::find(std::string_view name) const {
  for (int64_t i = 0; i < program.num_io; ++i)
    if (program.io[i].name == name)
      return &program.io[i];
  return nullptr;
}

size_t IoArrays::indexOf(std::string_view name, vn_type type) const {
  const vn_io *io = find(name);
  if (!io || io->type != type)
    throw Error(VN_ERROR_ABI, fmt::format("the model's program has no array `{}` of {}", name,
                                          type == VN_FLOAT32 ? "floats" : "integers"));
  return size_t(io - program.io);
}

std::span<float> IoArrays::floats(size_t index) {
  return {static_cast<float *>(addresses[index]), size_t(elementCount(program.io[index]))};
}

std::span<float> IoArrays::floats(std::string_view name) { return floats(indexOf(name, VN_FLOAT32)); }

std::span<int32_t> IoArrays::ints(std::string_view name) {
  const size_t index = indexOf(name, VN_INT32);
  return {static_cast<int32_t *>(addresses[index]), size_t(elementCount(program.io[index]))};
}

} // namespace vernier::runtime
