#include "runtime/io/Json.h"
#include "runtime/train/TrainState.h"

#include <cstdlib>

using namespace vernier::runtime;

// What is accepted can be written, and read again as the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    const TrainState state = parseState({reinterpret_cast<const char *>(data), size}, 10);
    const std::string text = stateText(state);
    if (state.step < 0 || int64_t(state.epochs.size()) > state.step ||
        stateText(parseState(text, 10)) != text)
      abort();
  } catch (const JsonError &) {
  }
  return 0;
}
