#include "driver/BuiltLibrary.h"

#include "runtime/io/File.h"

#include <dlfcn.h>
#include <filesystem>

namespace vernier::driver {

llvm::Expected<BuiltLibrary> BuiltLibrary::load(const CompiledModel &model) {
  const runtime::ScratchFolder folder(std::filesystem::temp_directory_path().string(), "vernier-code-");
  const std::string path = folder.path() + "/code.so";
  if (llvm::Error error = linkShared(model, path, defaultLinkOptions()))
    return error;
  return open(path);
}

llvm::Expected<BuiltLibrary> BuiltLibrary::open(const std::string &path) {
  BuiltLibrary library;
  library.handle = {dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL), dlclose};
  if (!library.handle)
    return llvm::createStringError("the generated code cannot be loaded: %s", dlerror());
  return library;
}

const vn_model &BuiltLibrary::model(const std::string &symbol) const {
  const auto tables =
      reinterpret_cast<const vn_model *(*)()>(dlsym(handle.get(), (symbol + "_model").c_str()));
  return *tables();
}

} // namespace vernier::driver
