#include "runtime/Error.h"
#include "runtime/io/Safetensors.h"

using namespace vernier::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    const Safetensors file = Safetensors::parse({data, data + size}, "input");
    for (const Safetensors::Tensor &tensor : file.tensors())
      if (Safetensors::isFloat(tensor)) {
        std::vector<float> values(tensor.end - tensor.begin); // at least as many as there are elements
        file.copyFloats(tensor, values.data());
      }
  } catch (const Error &) {
  }
  return 0;
}
