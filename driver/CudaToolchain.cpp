#include "driver/CudaToolchain.h"

#include "driver/Build.h"
#include "driver/Refusal.h"
#include "runtime/core/Cpus.h"

#include "llvm/Support/Program.h"

#include <cstdlib>
#include <filesystem>

namespace vernier::driver {
namespace {

namespace files = std::filesystem;

std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

bool isFile(const files::path &path) {
  std::error_code ignored;
  return files::exists(path, ignored);
}

// In a virtual environment, below the packages of one of Python's versions.
std::string installedNvcc(const files::path &environment) {
  std::error_code ignored;
  for (const auto &python : files::directory_iterator(environment / "lib", ignored))
    for (const auto &package : files::directory_iterator(python.path() / "site-packages" / "nvidia", ignored))
      if (isFile(package.path() / "bin" / "nvcc"))
        return (package.path() / "bin" / "nvcc").string();
  return "";
}

std::string findNvcc() {
  if (const std::string home = variable("CUDA_HOME"); !home.empty()) {
    const files::path nvcc = files::path(home) / "bin" / "nvcc";
    if (!isFile(nvcc))
      refuse("CUDA_HOME is " + home + ", which has no bin/nvcc", "--target cuda",
             "set it to where a CUDA 13 toolkit lies, or unset it");
    return nvcc.string();
  }
  if (auto found = llvm::sys::findProgramByName("nvcc"))
    return *found;
  const std::string environment = variable("CUDA_ENVIRONMENT");
  std::string found = installedNvcc(environment.empty() ? VERNIER_CUDA_ENVIRONMENT : environment);
  if (found.empty())
    refuse("there is no nvcc, which compiles CUDA code", "--target cuda",
           "set CUDA_HOME, put it on the PATH, or run scripts/setup_cuda.sh, which installs one; `--target "
           "cuda-emulated` runs the same code on a CPU, slowly, without it");
  return found;
}

std::vector<std::string> architecturesOf(const std::string &text) {
  std::vector<std::string> names;
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(text).split(parts, ',');
  for (llvm::StringRef part : parts) {
    llvm::StringRef digits = part.trim();
    const std::string name = digits.str();
    if (!digits.empty() && (digits.back() == 'a' || digits.back() == 'f'))
      digits = digits.drop_back();
    unsigned number = 0;
    if (digits.getAsInteger(10, number) || number < 80 || number > 999)
      refuse("`" + name + "` is no GPU's compute capability that code can be made for", "--cuda-arch",
             "80 and later, comma-separated: 80,90a");
    names.push_back(name);
  }
  return names;
}

codegen::CudaToolchain common() {
  codegen::CudaToolchain toolchain;
  toolchain.headers = files::path(defaultLinkOptions().headerDirectory).parent_path().string();
  toolchain.jobs = unsigned(runtime::usableCpus());
  return toolchain;
}

} // namespace

codegen::CudaToolchain nvccToolchain(const std::string &architectures) {
  codegen::CudaToolchain toolchain = common();
  toolchain.architectures = architecturesOf(architectures);
  toolchain.compiler = findNvcc();
  std::error_code ignored;
  const files::path root = files::canonical(toolchain.compiler, ignored).parent_path().parent_path();
  for (const char *folder : {"lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"})
    if (isFile(root / folder / "libcudart_static.a")) {
      toolchain.libraries = {(root / folder / "libcudart_static.a").string(), "-lrt", "-ldl", "-lpthread"};
      break;
    }
  if (toolchain.libraries.empty())
    refuse("the CUDA toolkit at " + root.string() + " lacks libcudart_static.a", "--target cuda",
           "install its runtime library (cudart), or run scripts/setup_cuda.sh");
  return toolchain;
}

codegen::CudaToolchain emulationToolchain(const std::string &architectures) {
  codegen::CudaToolchain toolchain = common();
  toolchain.architectures = architecturesOf(architectures);
  const LinkOptions link = defaultLinkOptions();
  toolchain.emulated = true;
  toolchain.compiler = link.compiler;
  if (const files::path headers = files::path(toolchain.headers) / "vernier/cuda/emulated.pch";
      isFile(headers))
    toolchain.precompiled = headers.string();
  toolchain.libraries = {link.runtimeDirectory + "/libvernier_cuda_emulation.a", "-lboost_context",
                         "-lpthread"};
  return toolchain;
}

} // namespace vernier::driver
