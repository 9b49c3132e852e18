#include "runtime/Error.h"
#include "runtime/io/Npy.h"

using namespace vernier::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    parseNpy({data, size}, "input");
  } catch (const Error &) {
  }
  return 0;
}
