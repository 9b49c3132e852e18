#include "compiler/lower/Configuration.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto configuration =
      vernier::compiler::parseConfiguration({reinterpret_cast<const char *>(data), size}, "input");
  if (!configuration)
    llvm::consumeError(configuration.takeError());
  return 0;
}
