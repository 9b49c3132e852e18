// Generated code in this process.
#ifndef VERNIER_DRIVER_BUILTLIBRARY_H
#define VERNIER_DRIVER_BUILTLIBRARY_H

#include "driver/Build.h"
#include "vernier/abi.h"

#include <memory>
#include <string>

namespace vernier::driver {

class BuiltLibrary {
public:
  BuiltLibrary() = default;

  // Links the model's objects and loads them; nothing stays on the disk. Fails where they cannot be linked,
  // or are another machine's.
  static llvm::Expected<BuiltLibrary> load(const CompiledModel &model);

  // Loads a library that `vernier build` has left.
  static llvm::Expected<BuiltLibrary> open(const std::string &path);

  // The tables that `symbol`_model gives, valid as long as the library.
  const vn_model &model(const std::string &symbol) const;

private:
  std::unique_ptr<void, int (*)(void *)> handle{nullptr, nullptr};
};

} // namespace vernier::driver

#endif
