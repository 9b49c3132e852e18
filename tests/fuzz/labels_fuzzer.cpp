#include "runtime/Error.h"
#include "runtime/data/Dataset.h"

using namespace vernier::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    parseLabels({data, size}, {"a.jpg", "b c.png"}, "input");
  } catch (const Error &) {
  }
  return 0;
}
