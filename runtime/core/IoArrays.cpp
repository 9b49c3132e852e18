#include "runtime/core/IoArrays.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <fmt/core.h>

namespace vernier::runtime {

IoArrays::IoArrays(const vn_program &program) : program(program) {
  for (int64_t i = 0; i < program.num_io; ++i) {
    buffers.emplace_back(size_t(elementCount(program.io[i])) * 4,
                         fmt::format("array `{}`", program.io[i].name));
    addresses.push_back(buffers.back().data());
  }
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
