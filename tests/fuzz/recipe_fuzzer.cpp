#include "runtime/Error.h"
#include "runtime/train/Recipe.h"

using namespace vernier::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    const Recipe recipe = parseRecipe({reinterpret_cast<const char *>(data), size}, "input");
    recipe.canonical();
    for (const int64_t step : {int64_t(0), int64_t(7), recipe.epochs * 10})
      learningRate(recipe, step, 10);
  } catch (const Error &) {
  }
  return 0;
}
