#include "runtime/Error.h"
#include "runtime/train/Log.h"

#include <cstdlib>

using namespace vernier::runtime;

// What is kept of a log is kept as it is when it is read again, and no later step comes with it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    const std::string kept = keptLogLines({reinterpret_cast<const char *>(data), size}, 20, "input");
    if (kept.size() > size + 1 || (!kept.empty() && kept.back() != '\n') ||
        keptLogLines(kept, 20, "input") != kept || keptLogLines(kept, 1, "input").size() > kept.size())
      abort();
  } catch (const Error &) {
  }
  return 0;
}
