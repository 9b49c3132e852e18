// The first byte chooses between CIFAR-10 and CIFAR-100.
#include "runtime/Error.h"
#include "runtime/data/Dataset.h"

using namespace vernier::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  const bool fine = data[0] & 1;
  MemoryDataset set;
  try {
    parseCifar({data + 1, size - 1}, fine ? 2 : 1, fine ? 100 : 10, "input", set);
    for (int64_t i = 0; i < set.size(); ++i)
      set.image(i);
  } catch (const Error &) {
  }
  return 0;
}
