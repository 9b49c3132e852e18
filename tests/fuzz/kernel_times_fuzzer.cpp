#include "runtime/Error.h"
#include "runtime/cli/KernelTimes.h"
#include "runtime/core/Choices.h"
#include "tests/runtime/FakeModel.h"

#include <cmath>
#include <cstdlib>

using namespace vernier::runtime;

// What is accepted predicts a finite time.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static constexpr vn_model model = vernier::test::FakeModel<2, 1, 4, 4, 3>::openModel();
  try {
    KernelTimes times(model);
    times.parse({reinterpret_cast<const char *>(data), size}, "input");
    if (times.complete() && !std::isfinite(times.predict(Choices{1})))
      abort();
  } catch (const Error &) {
  }
  return 0;
}
