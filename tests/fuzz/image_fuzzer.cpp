// Decodes JPEG, PNG, BMP and WebP files and makes a model's input of them.
#include "runtime/Error.h"
#include "runtime/image/Preprocess.h"
#include "tests/runtime/FakeModel.h"

using namespace vernier::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using Fake = vernier::test::FakeModel<1, 3, 12, 16, 2>;
  static const Preprocessing preprocessing(Fake::model);
  float input[Fake::inputs];
  try {
    writeInput(decodeImage({data, size}, "input"), preprocessing, input);
  } catch (const Error &) {
  }
  return 0;
}
