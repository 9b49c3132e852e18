// Up to the first zero byte a mapping file; behind it names, one a line, that it is applied to.
#include "compiler/lower/WeightMapping.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const auto [file, names] = llvm::StringRef(reinterpret_cast<const char *>(data), size).split('\0');
  auto mappings = vernier::compiler::parseWeightMappings(file, "input");
  if (!mappings) {
    llvm::consumeError(mappings.takeError());
    return 0;
  }
  llvm::SmallVector<llvm::StringRef> lines;
  names.take_front(4096).split(lines, '\n', 64);
  for (const auto &mapping : *mappings)
    for (llvm::StringRef name : lines)
      if (!mapping.ignores(name))
        mapping.rename(name);
  return 0;
}
